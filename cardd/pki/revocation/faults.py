"""Why data about revocation is not used."""

from __future__ import annotations

import enum

from cardd.pki.errors import PkiError


class Fault(enum.StrEnum):
    """What is wrong with a CRL or an OCSP answer."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    WEAK_SIGNATURE = "weak-signature"
    UNKNOWN_ISSUER = "unknown-issuer"
    BAD_SIGNATURE = "bad-signature"
    FUTURE = "future"
    OLDER = "older"
    """The same issuer's newer data is known already."""
    NO_NEXT_UPDATE = "no-next-update"
    UNKNOWN_CRITICAL_EXTENSION = "unknown-critical-extension"
    INDIRECT = "indirect"
    PARTIAL = "partial"
    """It covers some reasons only, or no public-key certificates."""
    NOT_SUCCESSFUL = "not-successful"
    WRONG_CERTIFICATE = "wrong-certificate"
    WRONG_NONCE = "wrong-nonce"
    WRONG_RESPONDER = "wrong-responder"
    EXPIRED = "expired"


class DataRefused(PkiError):
    """A CRL or an OCSP answer that is not used.

    Args:
        fault: which fault.
        detail: a sentence for people, which names what to do where something can be done.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
