"""The proof that a card holds the key of a certificate: its signature over a fresh challenge."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.errors import ChallengeMismatch
from cardd.pki.strength import MIN_RSA_BITS

if TYPE_CHECKING:
    from cryptography import x509

MIN_CHALLENGE_BYTES: Final = 16


class ChallengeScheme(enum.StrEnum):
    """How the challenge is signed, by JOSE names (RFC 7518, 3.1)."""

    RS256 = "RS256"
    """RSASSA-PKCS1-v1_5 over SHA-256 of the challenge: INTERNAL AUTHENTICATE pads the DigestInfo that it is given."""


def verify_challenge(
    certificate: x509.Certificate,
    challenge: bytes,
    signature: bytes,
    scheme: ChallengeScheme = ChallengeScheme.RS256,
) -> None:
    """Check the card's answer to a challenge. Returns only when it holds.

    Args:
        certificate: Whose key the card must have.
        challenge: Fresh random bytes, at least 16.
        signature: The card's answer, as long as the modulus.
        scheme: How it was signed.

    Raises:
        ChallengeMismatch: The signature is not by this key over this challenge, or the key is no RSA key of 2048 bits
            or more.
        ValueError: The challenge is too short to prove anything.
    """
    if len(challenge) < MIN_CHALLENGE_BYTES:
        raise ValueError(f"a challenge has at least {MIN_CHALLENGE_BYTES} bytes")
    key = _key(certificate)
    try:
        match scheme:
            case ChallengeScheme.RS256:
                key.verify(signature, challenge, padding.PKCS1v15(), SHA256())
            case _:
                assert_never(scheme)  # a scheme without a check must not pass for checked
    except InvalidSignature:
        raise ChallengeMismatch("the card's answer is not by the key of its certificate") from None


def _key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    try:
        key = certificate.public_key()
    except READ_ERRORS as error:
        raise ChallengeMismatch("the certificate's key cannot be read") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        raise ChallengeMismatch(f"the certificate's key is not RSA of {MIN_RSA_BITS} bits or more")
    return key
