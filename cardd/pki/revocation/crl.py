"""A CRL that may be relied on (RFC 5280, 5 and 6.3): read, signed by an accepted authority, of a kind we understand.

That it is past its nextUpdate is no reason to refuse it: how old it may be is the policy's word, at each use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.revocation.faults import DataRefused, Fault
from cardd.pki.revocation.issuers import issuer_id, signer_of
from cardd.pki.revocation.scope import Scope, scope_of

MAX_CRL_BYTES: Final = 32 * 1024 * 1024
"""About 600,000 entries, which take 450 MB while they are read. A certificate of the health PKI lasts three years, and
leaves its CRL after that."""
SERIAL_BYTES: Final = 21
"""Of a serial number: 20 octets at most (RFC 5280, 4.1.2.2), and one for the sign."""
NUMBER_BITS: Final = 160
SKEW: Final = timedelta(minutes=5)
"""How far the authority's clock may be ahead of this one."""
_HANDLED: Final = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.DeltaCRLIndicator, x509.IssuingDistributionPoint)


@dataclass(frozen=True, slots=True)
class CrlEntry:
    """A revoked certificate.

    Args:
        serial: of the certificate.
        moment: of its revocation, UTC.
        reason: None where it is not said.
    """

    serial: int
    moment: datetime
    reason: x509.ReasonFlags | None


@dataclass(frozen=True, slots=True)
class CrlFacts:
    """What a verified CRL says of itself. Times are UTC.

    Args:
        issuer: `issuers.issuer_id` of the authority that signed it.
        issuer_name: as RFC 4514 writes it.
        this_update, next_update: its times.
        number: CRL number, None without one.
        base: number of the base CRL that it is a delta to; None for a base CRL.
        scope: which certificates it covers.
    """

    issuer: str
    issuer_name: str
    this_update: datetime
    next_update: datetime
    number: int | None
    base: int | None
    scope: Scope

    def newer_than(self, other: CrlFacts) -> bool:
        """Whether this one replaces another one of the same issuer, scope and kind."""
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number > other.number
        return self.this_update > other.this_update


@dataclass(frozen=True, slots=True)
class VerifiedCrl:
    """A CRL that an accepted authority signed.

    Args:
        facts: what it says of itself.
        entries: the revoked certificates, in the CRL's order.
    """

    facts: CrlFacts
    entries: tuple[CrlEntry, ...] = field(repr=False)


def read_crl(der: bytes, authorities: Iterable[x509.Certificate], now: datetime) -> VerifiedCrl:
    """Verify a CRL.

    Args:
        der: hostile bytes.
        authorities: accepted ones, among which its issuer must be.
        now: aware.

    Raises:
        DataRefused: with the fault.
    """
    if len(der) > MAX_CRL_BYTES:
        raise DataRefused(Fault.TOO_LARGE, f"a CRL of more than {MAX_CRL_BYTES} bytes")
    try:
        crl = x509.load_der_x509_crl(der)
        return _verified(crl, authorities, now)
    except READ_ERRORS:
        # From None: the library's text is about its parser, and may quote the bytes.
        raise DataRefused(Fault.MALFORMED, "not a CRL in DER, or a broken one") from None


def _verified(
    crl: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate], now: datetime
) -> VerifiedCrl:
    # The signature first: what follows is said of an authority's word, not of a stranger's.
    signer = signer_of(crl, authorities)
    _require_understood(crl.extensions)
    this_update, next_update = _times(crl, now)
    facts = CrlFacts(
        issuer=issuer_id(signer),
        issuer_name=signer.subject.rfc4514_string(),
        this_update=this_update,
        next_update=next_update,
        number=_number(crl, x509.CRLNumber),
        base=_number(crl, x509.DeltaCRLIndicator),
        scope=scope_of(crl),
    )
    if facts.base is not None and facts.number is None:
        raise DataRefused(Fault.MALFORMED, "a delta CRL without a number")
    return VerifiedCrl(facts, tuple(_entries(crl)))


def _require_understood(extensions: x509.Extensions) -> None:
    """RFC 5280, 5.2: a CRL with a critical extension that is not understood is not used."""
    for extension in extensions:
        if extension.critical and not isinstance(extension.value, _HANDLED):
            oid = extension.oid.dotted_string
            raise DataRefused(Fault.UNKNOWN_CRITICAL_EXTENSION, f"it has the critical extension {oid}")


def _times(crl: x509.CertificateRevocationList, now: datetime) -> tuple[datetime, datetime]:
    this_update, next_update = crl.last_update_utc, crl.next_update_utc
    if next_update is None:
        # RFC 5280, 5.1.2.5, wants one; without it nobody knows how old the data may become.
        raise DataRefused(Fault.NO_NEXT_UPDATE, "it does not say when the next one comes")
    if next_update < this_update:
        raise DataRefused(Fault.MALFORMED, "its nextUpdate lies before its thisUpdate")
    if this_update > now.astimezone(UTC) + SKEW:
        raise DataRefused(
            Fault.FUTURE, f"it is from {this_update:%Y-%m-%d %H:%M} UTC, which has not come: is the clock right?"
        )
    return this_update, next_update


def _number(
    crl: x509.CertificateRevocationList, kind: type[x509.CRLNumber] | type[x509.DeltaCRLIndicator]
) -> int | None:
    try:
        number = crl.extensions.get_extension_for_class(kind).value.crl_number
    except x509.ExtensionNotFound:
        return None
    if number < 0 or number.bit_length() > NUMBER_BITS:
        raise DataRefused(Fault.MALFORMED, "its number has more than 20 octets, or is negative")
    return number


def _entries(crl: x509.CertificateRevocationList) -> Iterator[CrlEntry]:
    for entry in crl:
        serial = entry.serial_number
        if serial.bit_length() >= 8 * SERIAL_BYTES:
            raise DataRefused(Fault.MALFORMED, "a serial number on it has more than 20 octets")
        yield CrlEntry(serial, entry.revocation_date_utc, _reason(entry.extensions))


def _reason(extensions: x509.Extensions) -> x509.ReasonFlags | None:
    reason = None
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.CRLReason):
            reason = value.reason
        elif isinstance(value, x509.CertificateIssuer):
            raise DataRefused(Fault.INDIRECT, "it speaks of other issuers' certificates")
        elif extension.critical:
            # RFC 5280, 5.3: then the CRL tells of no certificate at all.
            oid = extension.oid.dotted_string
            raise DataRefused(Fault.UNKNOWN_CRITICAL_EXTENSION, f"an entry has the critical extension {oid}")
    return reason
