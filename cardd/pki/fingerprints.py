"""SHA-256 fingerprints of certificates, as the issuer publishes them and administrators copy them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256

from cardd.pki.errors import InvalidFingerprint

if TYPE_CHECKING:
    from cryptography import x509

_DIGITS: Final = re.compile(r"[0-9a-f]{64}")


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate's DER: 64 lower-case hexadecimal digits."""
    return certificate.fingerprint(SHA256()).hex()


def parse_fingerprint(text: str) -> str:
    """A fingerprint as people write it: either case, colons or spaces allowed.

    Returns:
        64 lower-case hexadecimal digits.

    Raises:
        InvalidFingerprint: It is none.
    """
    digits = text.replace(":", "").replace(" ", "").lower()
    if _DIGITS.fullmatch(digits) is None:
        raise InvalidFingerprint("a SHA-256 fingerprint has 64 hexadecimal digits, with or without colons")
    return digits


def shown(fingerprint: str) -> str:
    """A fingerprint as openssl prints it, to compare by eye: upper case, colons between octets."""
    return ":".join(fingerprint[start : start + 2] for start in range(0, len(fingerprint), 2)).upper()
