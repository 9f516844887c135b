"""A card that takes its time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cardsim.timing.line import Line
from cardsim.timing.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import CardProtocol, SimulatedCard


class VirtualTime:
    """Adds up what was waited for, without waiting."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.seconds += seconds


class TimedCard:
    """A card on a line, as slow as a real one; a ``SimulatedCard`` that wraps another.

    Args:
        card: the card.
        line: its line; None: as its answer to reset has it.
        work: its own work.
        wait: lets time pass: ``time.sleep``, or the ``wait`` of a ``VirtualTime``.
    """

    def __init__(
        self,
        card: SimulatedCard,
        *,
        line: Line | None = None,
        work: Work | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.card = card
        self.line = line or Line.of(card.atr, card.protocol)
        self.work = work or Work()
        self._wait = wait

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self.card.atr

    @property
    def protocol(self) -> CardProtocol:
        """Transmission protocol."""
        return self.card.protocol

    def power_on(self) -> bytes:
        """Reset; takes as long as the answer to reset is."""
        atr = self.card.power_on()
        self._wait(self.line.reset_seconds)
        return atr

    def power_off(self) -> None:
        """Take the power away, at once."""
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """Answer a command, after the time that line and work take."""
        answer = self.card.transmit(command)
        if answer:  # a card without power is silent at once
            self._wait(self.line.seconds_of(command, answer) + self.work.seconds_of(command, answer))
        return answer
