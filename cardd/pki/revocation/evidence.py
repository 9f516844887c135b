"""What all data at hand say of one certificate: base CRLs, their deltas (RFC 5280, 5.2.4), OCSP answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509

from cardd.pki.revocation.crl import CrlEntry, CrlFacts
from cardd.pki.revocation.finding import RevocationSource
from cardd.pki.revocation.ocsp import OcspStatus

# Its issuer may lift it again (RFC 5280, 5.3.1): newer data may contradict.
_LIFTABLE = x509.ReasonFlags.certificate_hold


class Lookup(Protocol):
    """A verified CRL that can be asked: `index.CrlIndex` is one."""

    @property
    def facts(self) -> CrlFacts:
        """What it says of itself."""

    def find(self, serial: int) -> CrlEntry | None:
        """The entry of a certificate, None where it is not on the CRL."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one source says of one certificate. Times are UTC.

    Args:
        source: which sort.
        as_of: since when it says so.
        next_update: when it should be replaced.
        entry: the revocation, None where it is not revoked.
    """

    source: RevocationSource
    as_of: datetime
    next_update: datetime
    entry: CrlEntry | None


def evidence_of_crls(certificate: x509.Certificate, crls: Sequence[Lookup]) -> list[Evidence]:
    """What CRLs of its issuer say of a certificate.

    Args:
        certificate: whose chain holds.
        crls: verified, of its issuer, base and delta.
    """
    covering = [one for one in crls if one.facts.scope.covers(certificate)]
    return [
        _combined(certificate.serial_number, base, _delta_of(base, covering))
        for base in covering
        if base.facts.base is None
    ]


def evidence_of_answer(status: OcspStatus) -> Evidence:
    """What an OCSP answer says."""
    entry = None if status.revoked_at is None else CrlEntry(status.serial, status.revoked_at, status.reason)
    return Evidence(RevocationSource.OCSP, status.this_update, status.next_update, entry)


def weigh(evidences: Iterable[Evidence]) -> Evidence | None:
    """The one that counts; None where there is none.

    A revocation counts, however old and whatever else is newer; only a hold is lifted by what is newer. Of those that
    speak well, the one that holds longest.
    """
    found = list(evidences)
    newest = max((one.as_of for one in found), default=None)
    for one in found:
        if one.entry is not None and (one.entry.reason is not _LIFTABLE or one.as_of == newest):
            return one
    good = [one for one in found if one.entry is None]
    return max(good, key=lambda one: one.next_update, default=None)


def _delta_of(base: Lookup, crls: Iterable[Lookup]) -> Lookup | None:
    """The newest delta that may be applied: same scope, made for this base or an older one, and newer than it."""
    number = base.facts.number
    if number is None:
        return None
    fitting = [
        (one.facts.number, one)
        for one in crls
        if one.facts.base is not None
        and one.facts.number is not None
        and one.facts.scope == base.facts.scope
        and one.facts.base <= number < one.facts.number
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _combined(serial: int, base: Lookup, delta: Lookup | None) -> Evidence:
    entry, facts = base.find(serial), base.facts
    if delta is None:
        return Evidence(RevocationSource.CRL, facts.this_update, facts.next_update, entry)
    change = delta.find(serial)
    if change is not None:
        entry = None if change.reason is x509.ReasonFlags.remove_from_crl else change
    # What the base said of its own time stays true: an older delta does not make it end sooner.
    return Evidence(
        RevocationSource.DELTA_CRL,
        max(facts.this_update, delta.facts.this_update),
        max(facts.next_update, delta.facts.next_update),
        entry,
    )
