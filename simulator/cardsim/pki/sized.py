"""Certificates of a wanted size: real ones have 1.2 to 2 KiB, and reading them is most of what a new card costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

Extensions = list[tuple[x509.ExtensionType, bool]]
"""Extensions, each with its criticality."""

_OPTIONAL = (x509.FreshestCRL, x509.AuthorityInformationAccess, x509.CertificatePolicies, x509.CRLDistributionPoints)
"""What a smaller certificate goes without, in this order."""
# Of two lengths: a DER length that grows by a byte leaves a size out with one of them, and not with the other.
_FILLERS = (x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), x509.ObjectIdentifier("1.3.6.1.4.1.55555.1.1"))
_FILLER_OVERHEAD_MAX = 40


class CertificateSizeError(ValueError):
    """A certificate cannot have the wanted size.

    Args:
        wanted: bytes.
        least: bytes that this holder's certificate has at least.
    """

    def __init__(self, wanted: int, least: int) -> None:
        super().__init__(f"certificates.size: no certificate of {wanted} bytes: this holder's has {least} at least")


def sized(sign: Callable[[Extensions], x509.Certificate], extensions: Extensions, size: int) -> x509.Certificate:
    """A certificate of exactly ``size`` bytes: optional extensions are left out, or an unknown one fills it up.

    Args:
        sign: makes the certificate with the extensions it is given; the rest of it always has the same length.
        extensions: all that the certificate has by itself.
        size: bytes of its DER.

    Raises:
        CertificateSizeError: it is larger even without what is optional.
    """
    chosen, least = extensions, 0
    for left_out in (None, *_OPTIONAL):
        chosen = [item for item in chosen if left_out is None or not isinstance(item[0], left_out)]
        certificate = sign(chosen)
        least = _size(certificate)
        if least == size:
            return certificate
        for filled in _filled(chosen, size - least):
            certificate = sign(filled)
            if _size(certificate) == size:
                return certificate
    raise CertificateSizeError(size, least)


def _filled(extensions: Extensions, room: int) -> Iterator[Extensions]:
    """The extensions with each filler that could fill ``room`` bytes."""
    for length in range(max(room - _FILLER_OVERHEAD_MAX, 0), room):
        for identifier in _FILLERS:
            yield [*extensions, (x509.UnrecognizedExtension(identifier, bytes(length)), False)]


def _size(certificate: x509.Certificate) -> int:
    return len(certificate.public_bytes(Encoding.DER))
