"""Check of the configuration and of the authorities that it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cardd.cli import wording
from cardd.cli.checks.model import Finding, State
from cardd.cli.commands.trust import configuration
from cardd.cli.failures import ConfigurationUnusable
from cardd.cli.i18n import _, ngettext


@dataclass(frozen=True, slots=True)
class Authorities:
    """What was found, and the validity of what is accepted, for the clock's check."""

    findings: tuple[Finding, ...]
    valid_from: tuple[datetime, ...] = ()
    valid_until: tuple[datetime, ...] = ()
    uses_pcscd: bool = True


def check_authorities(path: Path | None, now: datetime) -> Authorities:
    """Read the configuration and the trust directory.

    Args:
        path: of the configuration, None for the usual one.
        now: to tell what is out of date.
    """
    from cardd.pki.install import list_certificates  # noqa: PLC0415  # cryptography is slow to import

    try:
        config = configuration(path)
    except ConfigurationUnusable as error:
        found = Finding(
            "configuration", State.PROBLEM, wording.sentence_of(error), _("Correct the file, then restart cardd.")
        )
        return Authorities((found,))
    pki = config.pki
    listing = list_certificates(pki.directory, unpinned=pki.unpinned, simulator=pki.simulator, clock=lambda: now)
    findings = [Finding("configuration", State.OK, _("The configuration can be read."))]
    findings += [
        Finding(
            "authorities",
            State.WARNING,
            wording.located(problem.source, problem.detail),
            _("Remove the file, or see docs/trust.md."),
        )
        for problem in listing.problems
        if problem.reason != "no-directory"  # told below, as a root that is missing
    ]
    roots = [one for one in listing.authorities if one.role == "root"]
    if roots:
        said = ngettext("{count} root certificate is trusted.", "{count} root certificates are trusted.", len(roots))
        findings.append(Finding("authorities", State.OK, said.format(count=len(roots))))
    else:
        findings.append(
            Finding(
                "authorities",
                State.PROBLEM,
                _("No root certificate is trusted ({folder}): no card can be used.").format(folder=pki.directory),
                _("Download the certificates of IGC-Santé and run `sudo cardctl trust add FILE…`."),
            )
        )
    return Authorities(
        tuple(findings),
        tuple(one.certificate.not_valid_before_utc for one in listing.authorities),
        tuple(one.certificate.not_valid_after_utc for one in roots),
        uses_pcscd=config.readers.backend == "pcsc",
    )
