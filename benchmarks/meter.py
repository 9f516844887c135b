"""What a card was made to do, read off the simulator's own trace: commands, bytes, and time by its timing model."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cardsim.card import CardProtocol
from cardsim.timing import Line, Work
from cardsim.trace import ExchangeFeed
from cardsim.trace.transcript import Entry


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost on the card's line.

    Args:
        commands: GET RESPONSE among them.
        sent, received: bytes of the APDUs, status words included.
        seconds: of line and card together; nothing of reader, driver or program.
    """

    commands: int = 0
    sent: int = 0
    received: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.commands + other.commands,
            self.sent + other.sent,
            self.received + other.received,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.commands - other.commands,
            self.sent - other.sent,
            self.received - other.received,
            self.seconds - other.seconds,
        )


class Meter:
    """Adds up what the card in one reader is asked, while its context lasts.

    Args:
        exchanges: of the reader.
        protocol: in which its card is spoken to.
    """

    def __init__(self, exchanges: ExchangeFeed, protocol: CardProtocol) -> None:
        self.total = Cost()
        """Since the beginning."""
        self._exchanges = exchanges
        self._protocol = protocol
        self._line: Line | None = None
        self._work = Work()

    def __enter__(self) -> Self:
        self._end = self._exchanges.watch(self._add)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _add(self, entry: Entry) -> None:
        if entry.control == "power-on" and self._line is None:
            # The one of the insertion; how often pcscd takes power away meanwhile depends on the machine's own speed.
            self._line = Line.of(entry.atr, self._protocol)
            self.total += Cost(seconds=self._line.reset_seconds)
        elif entry.control is None and self._line is not None:
            line = self._line.seconds_of(entry.command, entry.answer)
            seconds = line + self._work.seconds_of(entry.command, entry.answer)
            self.total += Cost(1, len(entry.command), len(entry.answer), seconds)
