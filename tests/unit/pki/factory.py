"""A fictional PKI for tests: authorities and holders with any defect."""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
YEAR = 365 * DAY

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@functools.cache
def _rsa_key(_name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of its own for each name and length, made once a run."""
    return _rsa_key(name, bits)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _USAGES})


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "EXEMPLE-SANTE"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


AUTHORITY_USAGE = usage("key_cert_sign", "crl_sign")
AUTHENTICATION_USAGE = usage("digital_signature")
SIGNATURE_USAGE = usage("content_commitment")


@dataclass(frozen=True)
class Issuer:
    """An authority: its certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def issue(
    subject: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    extensions: Extensions,
    start: datetime.datetime,
    end: datetime.datetime,
    rsa_padding: padding.PSS | None = None,
) -> x509.Certificate:
    """Any certificate; extensions with their criticality."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256(), rsa_padding=rsa_padding)


def authority(
    common_name: str,
    issuer: Issuer | None = None,
    *,
    ca: bool | None = True,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = AUTHORITY_USAGE,
    critical: bool = True,
    start: datetime.datetime = NOW - YEAR,
    end: datetime.datetime = NOW + 10 * YEAR,
    key: rsa.RSAPrivateKey | None = None,
) -> Issuer:
    """A root (without `issuer`) or an intermediate."""
    key = key or rsa_key(common_name)
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if ca is not None:
        extensions.append((x509.BasicConstraints(ca, path_length), critical))
    if key_usage is not None:
        extensions.append((key_usage, True))
    above = (issuer.certificate.subject, issuer.key) if issuer else (name(common_name), key)
    return Issuer(issue(name(common_name), key, *above, extensions, start, end), key)


def holder(
    issuer: Issuer,
    *,
    key: Key | None = None,
    key_usage: x509.KeyUsage | None = AUTHENTICATION_USAGE,
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    start: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + 3 * YEAR,
    extra: Extensions = (),
    subject: x509.Name | None = None,
    rsa_padding: padding.PSS | None = None,
) -> x509.Certificate:
    """A holder's certificate: basicConstraints not critical, no subjectAltName, as IGC-Santé's are."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(False, None), False)]
    if key_usage is not None:
        extensions.append((key_usage, True))
    if purposes:
        extensions.append((x509.ExtendedKeyUsage(purposes), False))
    extensions.append((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.250.1.71.1.2.2"), b"\x02\x01\x00"), False))
    who = name("899900000011") if subject is None else subject
    above = issuer.certificate.subject, issuer.key
    return issue(who, key or rsa_key("holder"), *above, [*extensions, *extra], start, end, rsa_padding)


def signed_with_sha1(certificate: x509.Certificate, issuer_key: rsa.RSAPrivateKey) -> x509.Certificate:
    """The same certificate under a SHA-1 signature, which the library makes for no certificate itself."""
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = certificate.tbs_certificate_bytes
    assert body.count(sha256) == 1
    signature = issuer_key.sign(body.replace(sha256, sha1), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the defect
    der = certificate.public_bytes(Encoding.DER)
    assert der.count(sha256) == 2
    assert len(signature) == len(certificate.signature)
    return x509.load_der_x509_certificate(der.replace(sha256, sha1).replace(certificate.signature, signature))


def flipped(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate with one bit of its signature changed."""
    der = bytearray(certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der))


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def write(directory: Path, file: str, *certificates: x509.Certificate, pem: bool = False, mode: int = 0o644) -> Path:
    """A file of the certificates (one only, if in DER)."""
    directory.mkdir(mode=0o755, exist_ok=True)
    encoding = Encoding.PEM if pem else Encoding.DER
    path = directory / file
    path.write_bytes(b"".join(certificate.public_bytes(encoding) for certificate in certificates))
    os.chmod(path, mode)
    return path


@functools.cache
def root() -> Issuer:
    return authority("AC RACINE FICTIVE FORT")


@functools.cache
def intermediate() -> Issuer:
    return authority("AC FICTIVE FORT PERSONNES", root(), path_length=0)
