"""CRLs and OCSP answers about the fictional holders of `tests.unit.pki.factory`."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cardd.pki.revocation.crl import VerifiedCrl, read_crl
from cardd.pki.revocation.index import CrlIndex, SourceFile, write_index
from cardsim.pki.authorities import Authority
from cardsim.pki.revocation import CRL_LIFETIME, Extensions, RevokedEntry, create_crl
from tests.unit.pki import factory

NOW, DAY = factory.NOW, factory.DAY
SOURCE = SourceFile("list.crl", 1, 2, 3)


def authority(issuer: factory.Issuer) -> Authority:
    """As the simulator's PKI knows it."""
    return Authority(issuer.certificate, issuer.key)


def entry(
    certificate: x509.Certificate, reason: x509.ReasonFlags | None = None, moment: datetime.datetime = NOW - DAY
) -> RevokedEntry:
    """An entry about a certificate."""
    return RevokedEntry(certificate.serial_number, moment, reason)


def crl(
    issuer: factory.Issuer,
    *entries: RevokedEntry,
    number: int = 1,
    base: int | None = None,
    at: datetime.datetime = NOW,
    lifetime: datetime.timedelta = CRL_LIFETIME,
    extensions: Extensions = (),
) -> bytes:
    """A CRL in DER."""
    made = create_crl(authority(issuer), number, at, entries, base=base, lifetime=lifetime, extensions=extensions)
    return made.public_bytes(Encoding.DER)


def authorities() -> list[x509.Certificate]:
    """Root and intermediate."""
    return [factory.root().certificate, factory.intermediate().certificate]


def verified(der: bytes, at: datetime.datetime = NOW) -> VerifiedCrl:
    """The CRL, verified."""
    return read_crl(der, authorities(), at)


def index(directory: Path, der: bytes, name: str = "list", at: datetime.datetime = NOW) -> CrlIndex:
    """An open index of a CRL."""
    return CrlIndex(write_index(directory, name, verified(der, at), SOURCE))


def changed(der: bytes, old: bytes, new: bytes) -> bytes:
    """The bytes with one thing in them replaced."""
    assert der.count(old) >= 1
    assert len(old) == len(new)
    return der.replace(old, new)
