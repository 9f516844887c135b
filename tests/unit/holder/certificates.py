"""Holder certificates with any subject and any private extension. Signed by nobody known: only their fields matter."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

CARD_TYPE = "1.2.250.1.71.1.2.2"
CARD_ID = "1.2.250.1.71.1.2.3"
CATEGORY = "1.2.250.1.71.1.2.5"
PROFESSION = "1.2.250.1.71.1.2.7"
FUTURE_PROFESSION = "1.2.250.1.71.1.2.8"
SPECIALITY = "1.2.250.1.71.4.2.5"

RPPS = "899900000011"
DOCTOR: Mapping[str, bytes] = {
    CARD_TYPE: b"\x02\x01\x00",
    CARD_ID: b"\x13\x158025000001/2800636234",
    CATEGORY: b"\x04\x01\x80",
    PROFESSION: b"\x02\x01\x0a",
}
STUDENT: Mapping[str, bytes] = {
    **{oid: value for oid, value in DOCTOR.items() if oid != PROFESSION},
    CARD_TYPE: b"\x02\x01\x01",
    FUTURE_PROFESSION: b"\x02\x01\x0a",
}
EMPLOYEE: Mapping[str, bytes] = {
    **{oid: value for oid, value in DOCTOR.items() if oid != PROFESSION},
    CARD_TYPE: b"\x02\x01\x02",
}


@functools.cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def person(
    common_name: str = RPPS, surname: str = "LE GOFF-ÉTIENNE", given_name: str = "Hélène", title: str = "Médecin"
) -> x509.Name:
    """A subject as IGC-Santé writes it: the last RDN has three attributes."""
    last = x509.RelativeDistinguishedName(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.SURNAME, surname),
            x509.NameAttribute(NameOID.GIVEN_NAME, given_name),
        ]
    )
    country, profession = x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"), x509.NameAttribute(NameOID.TITLE, title)
    return x509.Name([x509.RelativeDistinguishedName([country]), x509.RelativeDistinguishedName([profession]), last])


def flat(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A subject with one attribute an RDN."""
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def certificate(
    subject: x509.Name | None = None,
    extensions: Mapping[str, bytes] = DOCTOR,
    standard: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """A certificate with the subject and, undecoded, the extensions."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(person() if subject is None else subject)
        .issuer_name(flat((NameOID.COMMON_NAME, "AC FICTIVE")))
        .public_key(_key().public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
    )
    for extension in standard:
        builder = builder.add_extension(extension, critical=False)
    for oid, value in extensions.items():
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(unknown, critical=False)
    return builder.sign(_key(), hashes.SHA256())


def replaced(original: x509.Certificate, old: bytes, new: bytes) -> x509.Certificate:
    """The certificate with bytes of its DER exchanged for others of the same length; its signature no longer holds."""
    der = original.public_bytes(serialization.Encoding.DER)
    assert len(old) == len(new)
    assert der.count(old) == 1
    return x509.load_der_x509_certificate(der.replace(old, new))
