"""Which accepted authority signed some data: by its name, by its key, and by what its key may be used for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.revocation.faults import DataRefused, Fault
from cardd.pki.strength import STRONG_HASHES, STRONG_SIGNATURES


def issuer_id(certificate: x509.Certificate) -> str:
    """Name and key of an authority as one text: 64 lower-case hexadecimal digits.

    An authority whose certificate was renewed under its name and key is the same one; one with another key is not.
    """
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(certificate.subject.public_bytes() + key).hexdigest()


def signer_of(crl: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]) -> x509.Certificate:
    """The accepted authority that signed a CRL.

    Raises:
        DataRefused: weak signature, none of that name that may sign CRLs, or not signed by it.
    """
    require_strong(crl.signature_algorithm_oid, crl.signature_hash_algorithm)
    named = [one for one in authorities if one.subject == crl.issuer and _may_sign_crls(one)]
    if not named:
        name = crl.issuer.rfc4514_string()
        raise DataRefused(Fault.UNKNOWN_ISSUER, f"no accepted authority that may sign CRLs is its issuer, {name}")
    for authority in named:
        key = authority.public_key()
        if isinstance(key, rsa.RSAPublicKey) and _signed_by(crl, key):
            return authority
    raise DataRefused(Fault.BAD_SIGNATURE, "it is not signed by the accepted authority of its issuer's name")


def require_strong(algorithm: x509.ObjectIdentifier, used: object) -> None:
    """Let RSA with SHA-256, SHA-384 or SHA-512 pass.

    Args:
        algorithm: of the signature.
        used: its hash, as the library tells it.

    Raises:
        DataRefused.
    """
    if algorithm not in STRONG_SIGNATURES and not (algorithm == _PSS and getattr(used, "name", "") in STRONG_HASHES):
        raise DataRefused(Fault.WEAK_SIGNATURE, "it is not signed by RSA with SHA-256, SHA-384 or SHA-512")


_PSS: Final = x509.SignatureAlgorithmOID.RSASSA_PSS


def _signed_by(crl: x509.CertificateRevocationList, key: rsa.RSAPublicKey) -> bool:
    try:
        return crl.is_signature_valid(key)
    except READ_ERRORS:
        return False


def _may_sign_crls(certificate: x509.Certificate) -> bool:
    """RFC 5280, 4.2.1.3: cRLSign; an accepted authority always says what its key is for."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False
