"""The life of a card in a reader, as one table: `TRANSITIONS`, line by line the one of docs/sessions.md.

Every change of state goes through `advance`; what is not in the table cannot happen. A session is open while its card
is authenticated, and no longer.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class State(enum.StrEnum):
    """Where a card in a reader stands."""

    PRESENT = "present"
    IDENTIFIED = "identified"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    AUTHENTICATING = "authenticating"
    AUTHENTICATED = "authenticated"
    DEPARTED = "departed"


class Event(enum.StrEnum):
    """What can happen to it."""

    NAMED = "named"
    """The card said who it is."""
    CHAIN_ACCEPTED = "chain-accepted"
    CHAIN_REFUSED = "chain-refused"
    PIN_OFFERED = "pin-offered"
    PROVEN = "proven"
    """PIN verified and fresh challenge answered."""
    REFUSED = "refused"
    """PIN wrong, proof failed, card held by another program."""
    SESSION_ENDED = "session-ended"
    """The session ended while the card stays."""
    GONE = "gone"
    """Card, reader or PC/SC service gone, or the daemon stops."""


class EndReason(enum.StrEnum):
    """Why a session ended, as the `Ended` signal says it. The first one that any witness gives counts."""

    CARD_REMOVED = "card-removed"
    """Out of its reader, or another card in its place."""
    READER_REMOVED = "reader-removed"
    """Unplugged, or it does not answer PC/SC any more."""
    CARD_RESET = "card-reset"
    """The card lost the PIN, or the connection that kept it from other programs."""
    PCSCD_LOST = "pcscd-lost"
    SUSPEND = "suspend"
    """The machine is about to sleep."""
    LOCKED = "locked"
    """The owner's login session was locked or left, where the configuration says that this ends it."""
    REVOKED = "revoked"
    """Its token or its certificate was revoked, or the card was blocked."""
    EXPIRED = "expired"
    """Its token's or its certificate's time is over."""
    IDLE = "idle"
    """Unused for as long as the configuration allows."""
    ENDED_BY_USER = "ended-by-user"
    DAEMON_STOPPED = "daemon-stopped"


class IllegalTransitionError(Exception):
    """A defect of the daemon: the table has no such line."""


TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.PRESENT, Event.NAMED): State.IDENTIFIED,
        (State.PRESENT, Event.GONE): State.DEPARTED,
        (State.IDENTIFIED, Event.CHAIN_ACCEPTED): State.TRUSTED,
        (State.IDENTIFIED, Event.CHAIN_REFUSED): State.UNTRUSTED,
        (State.IDENTIFIED, Event.GONE): State.DEPARTED,
        # Named again: the card turned out to be another one than remembered. Judged again: other authorities, CRLs or
        # blocked cards, or a certificate's time came or went.
        (State.UNTRUSTED, Event.NAMED): State.IDENTIFIED,
        (State.UNTRUSTED, Event.CHAIN_ACCEPTED): State.TRUSTED,
        (State.UNTRUSTED, Event.CHAIN_REFUSED): State.UNTRUSTED,
        (State.UNTRUSTED, Event.GONE): State.DEPARTED,
        (State.TRUSTED, Event.NAMED): State.IDENTIFIED,
        (State.TRUSTED, Event.CHAIN_ACCEPTED): State.TRUSTED,
        (State.TRUSTED, Event.CHAIN_REFUSED): State.UNTRUSTED,
        (State.TRUSTED, Event.PIN_OFFERED): State.AUTHENTICATING,
        (State.TRUSTED, Event.GONE): State.DEPARTED,
        (State.AUTHENTICATING, Event.REFUSED): State.TRUSTED,
        (State.AUTHENTICATING, Event.PROVEN): State.AUTHENTICATED,
        (State.AUTHENTICATING, Event.GONE): State.DEPARTED,
        # Where the end is that the card is not believed any more, it is judged at once.
        (State.AUTHENTICATED, Event.SESSION_ENDED): State.TRUSTED,
        (State.AUTHENTICATED, Event.GONE): State.DEPARTED,
    }
)


def advance(state: State, event: Event) -> State:
    """The state after an event.

    Raises:
        IllegalTransitionError: the table does not allow it.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(f"{event} cannot happen while {state}") from None
