"""Loading certificates: what the library raises on hostile bytes, in one place."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from cardd.pki.errors import UnreadableCertificates

READ_ERRORS: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What loading a certificate, or asking for a field of it, may raise: most fields are decoded only when asked for."""


def load_certificate(der: bytes) -> x509.Certificate:
    """One certificate in DER, from a card or a file.

    Raises:
        UnreadableCertificates: It is none. A certificate that loads may still be malformed further inside, which
            `TrustStore.verify` tells.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except READ_ERRORS:
        # From None: the library's text is about its parser, and may quote the bytes.
        raise UnreadableCertificates("not a certificate in DER") from None
