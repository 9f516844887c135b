"""A reader with a loose contact or plug: what comes and goes many times a second is told when it has calmed down.

Departures are told at once, always, and end marks are set by the watch thread before anything comes here. Only arrivals
wait; so a card that is shown is there, and one that stays is shown, half a second late at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cardd.readers.events import Availability, CardDeparted, CardInserted, ReaderAdded, ReaderEvent, ReaderRemoved
from cardd.readers.insertion import Insertion

QUIET_SECONDS: Final = 0.5
"""Without any arrival or departure, after which a reader counts as calm again."""
_WINDOW: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Reader:
    listed: bool = False
    insertion: Insertion | None = None
    listed_told: bool = False
    insertion_told: Insertion | None = None
    arrivals: deque[float] = field(default_factory=deque)
    last: float = 0.0
    held_back: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def calm_and_gone(self) -> bool:
        """Nothing of it need be remembered once its arrivals are old."""
        return not self.listed and self.timer is None


class Damper:
    """Passes events on, but for arrivals at a reader that flaps. Belongs to the loop.

    Args:
        limit: arrivals at one reader, its own among them, in one second that are told; 0: any number.
        tell: gets the events, in their order.
    """

    def __init__(self, limit: int, tell: Callable[[ReaderEvent], None]) -> None:
        self._limit = limit
        self._tell = tell
        self._readers: dict[str, _Reader] = {}

    def handle(self, event: ReaderEvent) -> None:
        """Take an event of the watch thread."""
        if not self._limit:
            self._tell(event)
            return
        match event:
            case ReaderAdded():
                self._reader(event.reader).listed = True
                self._arrived(event.reader)
            case CardInserted():
                self._reader(event.insertion.reader).insertion = event.insertion
                self._arrived(event.insertion.reader)
            case CardDeparted():
                self._departed(event)
            case ReaderRemoved():
                self._removed(event)
            case Availability():
                if self._reader(event.insertion.reader).insertion_told is event.insertion:
                    self._tell(event)
            case _:
                self._tell(event)

    def stop(self) -> None:
        """Tell of nothing that was held back."""
        for reader in self._readers.values():
            if reader.timer is not None:
                reader.timer.cancel()
                reader.timer = None

    def _reader(self, name: str) -> _Reader:
        return self._readers.setdefault(name, _Reader())

    def _arrived(self, name: str) -> None:
        reader, loop = self._readers[name], asyncio.get_running_loop()
        now = reader.last = loop.time()
        while reader.arrivals and reader.arrivals[0] <= now - _WINDOW:
            reader.arrivals.popleft()
        if reader.timer is None and len(reader.arrivals) >= self._limit:
            log.warning("reader %r flaps: it is shown again when it is quiet", name)
            reader.timer = loop.call_later(QUIET_SECONDS, self._look, name)
        if reader.timer is not None:
            reader.held_back += 1
            return
        reader.arrivals.append(now)
        self._show(name, reader)

    def _departed(self, event: CardDeparted) -> None:
        reader = self._reader(event.insertion.reader)
        reader.last = asyncio.get_running_loop().time()
        if reader.insertion is event.insertion:
            reader.insertion = None
        if reader.insertion_told is event.insertion:
            reader.insertion_told = None
            self._tell(event)

    def _removed(self, event: ReaderRemoved) -> None:
        reader = self._reader(event.reader)
        reader.last = asyncio.get_running_loop().time()
        reader.listed = False
        if reader.listed_told:
            reader.listed_told = False
            self._tell(event)
        self._forget_old(reader.last)

    def _show(self, name: str, reader: _Reader) -> None:
        """Tell of what is there and was not told of."""
        if reader.listed and not reader.listed_told:
            reader.listed_told = True
            self._tell(ReaderAdded(name))
        if reader.insertion is not None and reader.insertion is not reader.insertion_told:
            reader.insertion_told = reader.insertion
            self._tell(CardInserted(reader.insertion))

    def _look(self, name: str) -> None:
        reader, loop = self._readers[name], asyncio.get_running_loop()
        left = reader.last + QUIET_SECONDS - loop.time()
        if left > 0:
            reader.timer = loop.call_later(left, self._look, name)
            return
        log.warning("reader %r is quiet again; %d arrivals were not shown", name, reader.held_back)
        reader.timer, reader.held_back = None, 0
        reader.arrivals.clear()
        self._show(name, reader)

    def _forget_old(self, now: float) -> None:
        old = [name for name, one in self._readers.items() if one.calm_and_gone and one.last < now - _WINDOW]
        for name in old:
            del self._readers[name]
