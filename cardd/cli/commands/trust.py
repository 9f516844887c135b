"""`cardctl trust`: the authorities that cardd believes. Works on this machine's files, without the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cardd.cli.failures import ConfigurationUnusable, FileUnusable, TrustRefused
from cardd.cli.i18n import _
from cardd.cli.options import ConfigOption
from cardd.cli.output import Section
from cardd.cli.settings import Settings, settings_of
from cardd.cli.wording import located, sentence_of
from cardd.client import CarddClient
from cardd.client.errors import BusUnreachable
from cardd.config import DEFAULT_PATH, Config, ConfigError, load
from cardd.errors import N_, CarddError

if TYPE_CHECKING:
    from cardd.pki.authorities import Authority, Problem  # cryptography is slow to import


def add(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help=N_("Certificates in DER or PEM, in any order."))],
    config: ConfigOption = None,
) -> None:
    """Install certificates of authorities, then have cardd reload. Run it as root."""
    from cardd.pki.errors import TrustDirectoryUnusable  # noqa: PLC0415  # cryptography is slow to import
    from cardd.pki.install import add_certificates  # noqa: PLC0415  # cryptography is slow to import

    settings = settings_of(context)
    output = settings.output
    pki = configuration(config).pki
    try:
        report = add_certificates(files, pki.directory, unpinned=pki.unpinned)
    except TrustDirectoryUnusable as error:
        raise FileUnusable(file=str(pki.directory), reason=str(error)) from error
    reloaded = _reload(settings) if report.installed else None
    output.document(
        {
            "installed": [
                {**_authority(one.authority), "path": str(one.path), "added": one.added} for one in report.installed
            ],
            "problems": [_problem(one) for one in report.problems],
            "reload": reloaded,
        }
    )
    for one in report.installed:
        said = _("Added: {name}") if one.added else _("Already there: {name}")
        output.line(said.format(name=name_of(one.authority)))
    for problem in report.problems:
        output.complain(_("Refused: {detail}").format(detail=located(problem.source, problem.detail)))
    if reloaded is not None:
        output.line(_reload_said(reloaded))
    if report.problems:
        raise TrustRefused(count=len(report.problems))


def list_trusted(context: typer.Context, config: ConfigOption = None) -> None:
    """List the authorities that cardd believes here."""
    from cardd.pki.install import list_certificates  # noqa: PLC0415  # cryptography is slow to import

    output = settings_of(context).output
    pki = configuration(config).pki
    listing = list_certificates(pki.directory, unpinned=pki.unpinned, simulator=pki.simulator)
    output.document(
        {
            "directory": str(pki.directory),
            "authorities": [_authority(one) for one in listing.authorities],
            "problems": [_problem(one) for one in listing.problems],
        }
    )
    if not listing.authorities:
        output.line(_("No authority is trusted: no card can be used. Add some with `cardctl trust add`."))
    output.sections(
        Section(
            name_of(one),
            (
                (_("Role"), _("root") if one.role == "root" else _("intermediate")),
                (_("Valid until"), f"{one.certificate.not_valid_after_utc:%Y-%m-%d}"),
                ("SHA-256", one.fingerprint),
            ),
        )
        for one in listing.authorities
    )
    for problem in listing.problems:
        output.complain(_("Problem: {detail}").format(detail=located(problem.source, problem.detail)))


def configuration(path: Path | None) -> Config:
    """Read cardd's configuration; the defaults where the usual file is not there.

    Raises:
        ConfigurationUnusable: it cannot be used.
    """
    if path is None and not DEFAULT_PATH.exists():
        return Config()
    try:
        return load(path or DEFAULT_PATH)
    except ConfigError as error:
        raise ConfigurationUnusable(problem=str(error)) from error


def name_of(authority: Authority) -> str:
    """The common name of an authority, or its whole subject."""
    from cryptography.x509.oid import NameOID  # noqa: PLC0415  # slow to import

    names = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else authority.certificate.subject.rfc4514_string()


def _authority(authority: Authority) -> dict[str, Any]:
    return {
        "name": name_of(authority),
        "role": str(authority.role),
        "fingerprint": authority.fingerprint,
        "not_before": authority.certificate.not_valid_before_utc,
        "not_after": authority.certificate.not_valid_after_utc,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "source": problem.source,
        "reason": str(problem.reason),
        "detail": problem.detail,
        "fingerprint": problem.fingerprint,
        "used": problem.used,
    }


def _reload(settings: Settings) -> str:
    """Have a running daemon reload: `done`, `not-running`, or the sentence of what went wrong."""

    async def reload() -> str:
        async with await CarddClient.connect(settings.bus) as client:
            if not client.daemon_runs:
                return "not-running"
            await client.reload()
            return "done"

    try:
        return asyncio.run(reload())
    except BusUnreachable:
        return "not-running"
    except CarddError as error:
        return sentence_of(error)


def _reload_said(outcome: str) -> str:
    if outcome == "done":
        return _("cardd has read them.")
    if outcome == "not-running":
        return _("cardd is not running; it reads them when it starts.")
    return _("cardd has not read them: {reason}").format(reason=outcome)
