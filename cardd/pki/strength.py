"""What every certificate of a chain must be, whoever issued it: readable, RSA of 2048 bits or more, no SHA-1.

The path verifier of the library lets an RSA key of 1024 bits pass in an end certificate, so this is ours to check.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.trust import TrustReason

MIN_RSA_BITS: Final = 2048

# PSS tells its hash in parameters, which the library reads.
STRONG_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
STRONG_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)


def weakness(certificate: x509.Certificate) -> TrustReason | None:
    """What forbids to rely on the certificate whatever its chain, or None.

    Returns:
        MALFORMED, WEAK_SIGNATURE, WEAK_KEY, UNSUPPORTED_KEY or None.
    """
    try:
        _ = (
            certificate.extensions,
            certificate.issuer,
            certificate.not_valid_after_utc,
            certificate.not_valid_before_utc,
        )
        if certificate.version is not x509.Version.v3 or not _whole_signature(certificate):
            return TrustReason.MALFORMED
        if not _strong_signature(certificate):
            return TrustReason.WEAK_SIGNATURE
        key = certificate.public_key()
    except READ_ERRORS:
        return TrustReason.MALFORMED
    if not isinstance(key, rsa.RSAPublicKey):
        return TrustReason.UNSUPPORTED_KEY
    return TrustReason.WEAK_KEY if key.key_size < MIN_RSA_BITS else None


def _whole_signature(certificate: x509.Certificate) -> bool:
    """Whether the signature's BIT STRING has no unused bits (X.690, 8.6.2.2).

    The library passes over them: with them, one certificate could show itself under several fingerprints.
    """
    return certificate.public_bytes(Encoding.DER)[-len(certificate.signature) - 1] == 0


def _strong_signature(certificate: x509.Certificate) -> bool:
    algorithm = certificate.signature_algorithm_oid
    if algorithm == SignatureAlgorithmOID.RSASSA_PSS:
        used = certificate.signature_hash_algorithm
        return used is not None and used.name in STRONG_HASHES
    return algorithm in STRONG_SIGNATURES
