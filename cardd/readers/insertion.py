"""One stay of one card in one reader, and the mark that says it is over."""

from __future__ import annotations

import enum
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cardd_drivers.token_source import OpenToken


class Departure(enum.StrEnum):
    """Why an insertion is over; the names are those of the session's end."""

    CARD_REMOVED = "card-removed"
    READER_REMOVED = "reader-removed"
    CARD_RESET = "card-reset"
    PCSCD_LOST = "pcscd-lost"
    DAEMON_STOPPED = "daemon-stopped"
    SUSPEND = "suspend"
    """The machine goes to sleep; what is in the reader when it wakes is a new insertion."""

    @property
    def card_stays(self) -> bool:
        """The same card is still in the reader, as far as PC/SC told."""
        return self in (Departure.DAEMON_STOPPED, Departure.CARD_RESET, Departure.SUSPEND)


@dataclass(frozen=True, slots=True)
class Ending:
    """What an end mark holds once it is set.

    Args:
        reason: the first one that any witness gave.
        at: time.monotonic_ns() of the setting.
    """

    reason: Departure
    at: int


class EndMark:
    """Set once, by whichever thread learns first that the card is gone; read by any, without a lock."""

    __slots__ = ("_ending", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ending: Ending | None = None

    @property
    def ending(self) -> Ending | None:
        """Reason and time, or None while the card is there."""
        return self._ending

    @property
    def is_set(self) -> bool:
        """The insertion is over."""
        return self._ending is not None

    @property
    def reason(self) -> Departure | None:
        """Why it is over, or None while the card is there."""
        return None if self._ending is None else self._ending.reason

    def set(self, reason: Departure) -> bool:
        """Set the mark unless it is set already.

        Returns:
            Whether this call set it: the first reason wins.
        """
        # The lock stands between two setters only; one attribute, replaced whole, is what readers see.
        with self._lock:
            if self._ending is not None:
                return False
            self._ending = Ending(reason, time.monotonic_ns())
            return True

    def __repr__(self) -> str:
        """The reason, or that there is none."""
        return f"EndMark({self.reason or 'not set'})"


class TokenPlace(Protocol):
    """A token that is no PC/SC card, where it stays."""

    @property
    def driver(self) -> str:
        """Who speaks to it."""

    @property
    def pcsc_reader(self) -> str:
        """The PC/SC reader that it may be in, as `cardd_drivers.token_source.Token` has it."""

    def open(self, checkpoint: Callable[[], None]) -> OpenToken:
        """Connect to it; raises CardError."""


_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """One stay of a card in a reader; two insertions of the same card are different. Compared by identity.

    Args:
        reader: the PC/SC name.
        atr: answer to reset, 2 to 33 bytes; empty when the card is mute.
        counter: PC/SC's event counter of the reader while this card is in it (16 bits).
        number: unique in this process, increasing.
        mark: whether it is over.
        token: what is in the reader's place where it is no PC/SC card; None where it is one.
    """

    reader: str
    atr: bytes
    counter: int = 0
    number: int = field(default_factory=lambda: next(_numbers))
    mark: EndMark = field(default_factory=EndMark)
    token: TokenPlace | None = None
