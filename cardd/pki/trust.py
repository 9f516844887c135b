"""What is found out about a certificate: the answer to "may we believe it", with its reason."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime

from cardd.pki.revocation.finding import NOT_ASKED, RevocationFinding


class CertificateUse(enum.Enum):
    """What the certificate is shown for."""

    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"


class TrustState(enum.StrEnum):
    """The verdict."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class TrustReason(enum.StrEnum):
    """Why. `OK` goes with TRUSTED, every other one with UNTRUSTED."""

    OK = "ok"
    MALFORMED = "malformed"
    WEAK_SIGNATURE = "weak-signature"
    WEAK_KEY = "weak-key"
    UNSUPPORTED_KEY = "unsupported-key"
    NO_ROOTS = "no-roots"
    UNKNOWN_ISSUER = "unknown-issuer"
    BAD_SIGNATURE = "bad-signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    INVALID_PATH = "invalid-path"
    """The path breaks RFC 5280 otherwise: a CA as holder, path length, an unknown critical extension."""
    WRONG_KEY_USAGE = "wrong-key-usage"
    REVOKED = "revoked"
    """Its issuer, or an authority's above it, revoked it."""
    REVOCATION_UNKNOWN = "revocation-unknown"
    """Whether it was revoked is not known, or not by data as new as the policy wants."""
    UNPROVEN = "unproven"
    """The card's answer to a challenge is not by the key of its certificate."""
    BLOCKED = "blocked"
    """It, its card or its holder stands on the local block list."""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate of a chain.

    Args:
        subject: RFC 4514 text, for people; empty where it cannot be read. A holder's tells who it is: keep it off
            broadcasts and logs (`repr` leaves it out).
        fingerprint: SHA-256, 64 lower-case hexadecimal digits.
        not_before: First moment of validity, UTC.
        not_after: Last moment of validity, UTC.
    """

    subject: str = field(repr=False)
    fingerprint: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict on one certificate for one use at one moment.

    Args:
        state: Trusted or not.
        reason: Why.
        use: What it was judged for.
        chain: From the certificate up to its root; where not trusted, as far as it could be followed.
        simulator: Whether the chain ends at a root of the simulator, which proves nothing about a real person.
        checked_at: The moment judged, UTC.
        revocation: What is known about revocation, by which policy.
    """

    state: TrustState
    reason: TrustReason
    use: CertificateUse
    chain: tuple[ChainLink, ...]
    simulator: bool
    checked_at: datetime
    revocation: RevocationFinding = NOT_ASKED

    @property
    def anchor(self) -> ChainLink | None:
        """The root that the trust rests on; None where there is no trust."""
        return self.chain[-1] if self.state is TrustState.TRUSTED else None

    @property
    def expires(self) -> datetime | None:
        """The last moment at which every certificate of the chain is valid; None where there is no trust."""
        return min(link.not_after for link in self.chain) if self.state is TrustState.TRUSTED else None


def refused(trust: Trust, reason: TrustReason) -> Trust:
    """The verdict, made worse for a further reason."""
    return replace(trust, state=TrustState.UNTRUSTED, reason=reason)
