"""A recording that answers as the recorded card did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim.card import CardProtocol
from cardsim.timing.line import offers_t1
from cardsim.trace import Mask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cardsim.trace import Entry

# More of what came before tells no better which of several answers is meant.
_LONGEST_MEMORY = 32
# ISO 7816-4, 5.6: no precise diagnosis.
_NOT_RECORDED = b"\x6f\x00"


@dataclass(frozen=True, slots=True)
class _Exchange:
    command: bytes
    answer: bytes
    first: bool
    """The first one after a reset."""


class ReplayedCard:
    """Answers a command with the recorded answer to it; a ``SimulatedCard``.

    Where a command was recorded several times, that one counts before which the card had been asked what it has been
    asked now, for the longest stretch (a READ BINARY after the same SELECT); of equals the next in the recording. A
    command that was never recorded gets 6F00. A hidden PIN is right whatever it is; hidden data comes back as zeros.
    A signature of a fresh challenge cannot be replayed.

    Args:
        entries: the recording.
        atr: answer to reset, where the recording has none.

    Raises: ``ValueError``: nothing was recorded, or no ATR is known.
    """

    def __init__(self, entries: Iterable[Entry], atr: bytes = b"") -> None:
        self._exchanges: list[_Exchange] = []
        self._atr = atr
        first = True
        for entry in entries:
            if entry.control is not None:
                self._atr = self._atr or entry.atr
                first = True
            elif entry.answer:  # a card that was mute or taken out teaches nothing
                self._exchanges.append(_Exchange(entry.command, entry.answer, first))
                first = False
        if not self._exchanges:
            raise ValueError("the recording has no exchange that was answered")
        if not self._atr:
            raise ValueError("the recording tells no answer to reset: give one (--atr)")
        self._mask = Mask()
        self._powered = False
        self._next = 0
        self._asked: list[bytes] = []
        self.not_recorded = 0

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._atr

    @property
    def protocol(self) -> CardProtocol:
        """T=1 where the card offers it."""
        return CardProtocol.T1 if offers_t1(self._atr) else CardProtocol.T0

    def power_on(self) -> bytes:
        """Begin anew; which part of the recording follows, the commands will tell."""
        self._powered = True
        self._asked = []
        return self._atr

    def power_off(self) -> None:
        """Fall silent."""
        self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """Answer as recorded."""
        if not self._powered:
            return b""
        hidden, _, _ = self._mask.hide(command, b"")
        found = [at for at, each in enumerate(self._exchanges) if each.command in (command, hidden)]
        if not found:
            self.not_recorded += 1
            self._remember(hidden)
            return _NOT_RECORDED
        best = max(found, key=lambda at: (self._agreement(at), at >= self._next, -abs(at - self._next)))
        self._next = best + 1
        self._remember(self._exchanges[best].command)
        return self._exchanges[best].answer

    def _remember(self, command: bytes) -> None:
        self._asked = [*self._asked[1 - _LONGEST_MEMORY :], command]

    def _agreement(self, at: int) -> int:
        """How many commands before that place, back to the reset before it, are those that were asked last."""
        agreed = 0
        for asked in reversed(self._asked):
            if self._exchanges[at].first or self._exchanges[at - 1].command != asked:
                return agreed
            at -= 1
            agreed += 1
        return agreed + self._exchanges[at].first
