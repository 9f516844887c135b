"""`cardctl trust lists`: the CRLs that are here, how old they are, and how fetching them goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cardd.cli.commands.trust import configuration
from cardd.cli.i18n import _
from cardd.cli.options import ConfigOption
from cardd.cli.output import Section
from cardd.cli.settings import settings_of
from cardd.cli.wording import clean, located

if TYPE_CHECKING:
    from cryptography import x509

    from cardd.config import Config
    from cardd.fetch.state import ResourceState
    from cardd.pki.revocation.crl import VerifiedCrl


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a source: the CRL in it, or why it is not used."""

    path: Path
    crl: VerifiedCrl | None
    problem: str


def lists(context: typer.Context, config: ConfigOption = None) -> None:
    """Show the lists of revoked certificates that are here. Works on this machine's files, without the daemon."""
    output = settings_of(context).output
    read = configuration(config)
    now = datetime.now(UTC)
    files = list(_files(read, now))
    fetched = _fetched(read)
    output.document(
        {
            "policy": read.revocation.policy,
            "lists": [_list_document(one, now) for one in files],
            "fetching": [_fetching_document(address, state) for address, state in fetched.items()],
        }
    )
    good = [one for one in files if one.crl is not None]
    if not good:
        output.line(_("There are no lists of revoked certificates here."))
    output.sections(_list_section(one.crl, now) for one in good if one.crl is not None)
    for one in files:
        if one.problem:
            output.complain(_("Not used: {detail}").format(detail=located(str(one.path), one.problem)))
    for address, state in fetched.items():
        if state.problem:
            output.complain(
                _("Not fetched: {address}: {problem}").format(address=clean(address), problem=clean(state.problem))
            )


def _files(config: Config, now: datetime) -> Iterator[_File]:
    from cardd.pki.revocation.crl import read_crl  # noqa: PLC0415  # cryptography is slow to import
    from cardd.pki.revocation.faults import DataRefused  # noqa: PLC0415  # as above
    from cardd.pki.revocation.indexing import read_source  # noqa: PLC0415  # as above

    authorities = _authorities(config)
    for path in _paths(config):
        try:
            crl = read_crl(read_source(path), authorities, now)
        except DataRefused as error:
            yield _File(path, None, error.detail)
        else:
            yield _File(path, crl, "")


def _authorities(config: Config) -> list[x509.Certificate]:
    from cardd.pki.install import list_certificates  # noqa: PLC0415  # cryptography is slow to import

    pki = config.pki
    found = list_certificates(pki.directory, unpinned=pki.unpinned, simulator=pki.simulator)
    return [authority.certificate for authority in found.authorities]


def _paths(config: Config) -> Iterator[Path]:
    section = config.revocation
    for folder in (section.fetched, section.mirror, config.pki.simulator):
        if folder is not None:
            yield from sorted(folder.glob("*.crl"))


def _fetched(config: Config) -> dict[str, ResourceState]:
    from cardd.fetch.state import load_states  # noqa: PLC0415  # only this command needs it

    return {} if config.revocation.fetched is None else load_states(config.revocation.fetched)


def _list_document(file: _File, now: datetime) -> dict[str, Any]:
    if file.crl is None:
        return {"path": str(file.path), "problem": file.problem}
    facts = file.crl.facts
    return {
        "path": str(file.path),
        "issuer": facts.issuer_name,
        "this_update": facts.this_update,
        "next_update": facts.next_update,
        "current": now <= facts.next_update,
        "number": facts.number,
        "delta": facts.base is not None,
        "entries": len(file.crl.entries),
        "problem": "",
    }


def _fetching_document(address: str, state: ResourceState) -> dict[str, Any]:
    return {
        "address": address,
        "fetched": state.fetched,
        "not_before": state.not_before,
        "failures": state.failures,
        "problem": state.problem,
    }


def _list_section(crl: VerifiedCrl, now: datetime) -> Section:
    facts = crl.facts
    until = f"{facts.next_update:%Y-%m-%d %H:%M} UTC"
    return Section(
        clean(facts.issuer_name),
        (
            (_("Kind"), _("whole list") if facts.base is None else _("changes to a list")),
            (_("Issued"), f"{facts.this_update:%Y-%m-%d %H:%M} UTC"),
            (_("Next one"), until if now <= facts.next_update else _("{time}: overdue").format(time=until)),
            (_("Revoked"), str(len(crl.entries))),
        ),
    )
