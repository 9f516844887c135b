"""Which certificate is for what: by key usage alone, whatever a token calls its objects (RFC 5280, 4.2.1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cardd_drivers.contract import KeyName


@dataclass(frozen=True, slots=True)
class TokenCertificate:
    """A certificate of a token.

    Args:
        key: id of its private key (CKA_ID).
        der: its bytes.
    """

    key: bytes
    der: bytes


def certificates_by_use(found: Iterable[TokenCertificate]) -> Mapping[KeyName, TokenCertificate]:
    """The certificate of each use; of several for one use, the one that is valid longest.

    A key with digitalSignature and nonRepudiation authenticates, and signs where no key is for signatures alone. What
    deciphers is a key with keyEncipherment; where none is, the authentication key, as on a CPS. What is no certificate,
    or none of an RSA key, is left out: the contract signs and deciphers with RSA.
    """
    by_use: dict[KeyName, tuple[tuple[bool, float], TokenCertificate]] = {}
    for one in found:
        certificate = _rsa_certificate(one.der)
        if certificate is None:
            continue
        until = certificate.not_valid_after_utc.timestamp()
        for use, alone in _uses(certificate).items():
            rank = (alone, until)
            if use not in by_use or rank > by_use[use][0]:
                by_use[use] = (rank, one)
    chosen = {use: one for use, (_, one) in by_use.items()}
    if KeyName.AUTHENTICATION in chosen:
        chosen.setdefault(KeyName.ENCRYPTION, chosen[KeyName.AUTHENTICATION])
    return chosen


def _uses(certificate: x509.Certificate) -> Mapping[KeyName, bool]:
    """Its uses, and whether it is for each of them rather than for the other way of signing too."""
    usage = _key_usage(certificate)
    if usage is None:
        return {}
    both = usage.digital_signature and usage.content_commitment
    uses: dict[KeyName, bool] = {}
    if usage.digital_signature:
        uses[KeyName.AUTHENTICATION] = not both
    if usage.content_commitment:
        uses[KeyName.SIGNATURE] = not both
    if usage.key_encipherment:
        uses[KeyName.ENCRYPTION] = True
    return uses


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """None for an authority's certificate, or what has no key usage: nothing says what its key is for."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if constraints.ca:
            return None
    except x509.ExtensionNotFound:
        pass
    except ValueError:
        return None
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _rsa_certificate(der: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        return certificate if isinstance(certificate.public_key(), RSAPublicKey) else None
    except Exception:  # whatever the parser thinks of a token's bytes, the other certificates count
        return None
