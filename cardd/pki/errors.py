"""What can go wrong when trust is configured, and when a card proves its key.

A certificate that is not trusted is no error: it is a `Trust`.
"""

from __future__ import annotations


class PkiError(Exception):
    """Base of this folder's errors."""


class InvalidFingerprint(PkiError):
    """A text that is no SHA-256 fingerprint: 64 hexadecimal digits, colons and spaces between them aside."""


class UnreadableCertificates(PkiError):
    """A file that holds no certificate, holds a broken one, or is too large."""


class TrustDirectoryUnusable(PkiError):
    """The trust directory cannot be used: missing, not a directory, or others than root may write to it."""


class ChallengeMismatch(PkiError):
    """The signature over the challenge is not by the certificate's key: another card, or a card renewed in silence."""
