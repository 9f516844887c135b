"""What is found out about the revocation of a chain, and by which policy."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


class RevocationMode(enum.StrEnum):
    """How old the data may be that a verdict rests on."""

    STRICT = "strict"
    """Not past its nextUpdate."""
    GRACE = "grace"
    """Past it by a period at most: an authority's server, or the line to it, may be down for some days."""
    OFFLINE = "offline"
    """However old, and none at all is accepted too; what is known to be revoked is refused all the same."""


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """A mode with its period.

    Args:
        mode: which.
        grace: counts in mode `GRACE` alone.
    """

    mode: RevocationMode = RevocationMode.GRACE
    grace: timedelta = timedelta(days=7)

    @property
    def needs_data(self) -> bool:
        """Whether nothing is trusted about which there are no data."""
        return self.mode is not RevocationMode.OFFLINE

    def accepts(self, next_update: datetime, now: datetime) -> bool:
        """Whether data may be relied on at a moment.

        Args:
            next_update: when the data's issuer said that there would be newer data.
            now: the moment.
        """
        match self.mode:
            case RevocationMode.STRICT:
                return now <= next_update
            case RevocationMode.GRACE:
                return now <= next_update + self.grace
            case RevocationMode.OFFLINE:
                return True


class Revocation(enum.StrEnum):
    """What is known."""

    NOT_ASKED = "not-asked"
    """Nothing was looked at: the certificate is not trusted for another reason, or nobody told this daemon to look."""
    GOOD = "good"
    STALE = "stale"
    """Not revoked by data that is past its nextUpdate; the policy accepts that."""
    UNKNOWN = "unknown"
    """No data, or none that the policy accepts."""
    REVOKED = "revoked"


class RevocationSource(enum.StrEnum):
    """Where the data came from."""

    CRL = "crl"
    DELTA_CRL = "delta-crl"
    """A CRL, brought up to date by its delta CRL."""
    OCSP = "ocsp"


@dataclass(frozen=True, slots=True)
class RevocationFinding:
    """The answer for a whole chain; where certificates differ, for the one about which the least is known.

    Args:
        state: what is known.
        policy: which policy decided; None where nothing was asked.
        source: where the data came from; None where there is none.
        as_of: thisUpdate of the data, UTC.
        next_update: its nextUpdate, UTC.
        revoked_at: when the certificate was revoked, UTC; None where it was not.
        reason: why it was revoked, by its name in RFC 5280, 5.3.1 ("keyCompromise"); empty where that is not said.
    """

    state: Revocation
    policy: RevocationPolicy | None = None
    source: RevocationSource | None = None
    as_of: datetime | None = None
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""


NOT_ASKED: Final = RevocationFinding(Revocation.NOT_ASKED)
