"""Where those who want to see a reader's exchanges get them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cardsim.trace.mask import Mask
from cardsim.trace.transcript import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    Watcher = Callable[[Entry], None]


class ExchangeFeed:
    """The exchanges of whatever card is in one reader, secrets hidden. Its methods may be called from any thread.

    Args:
        clock: seconds; entries count from the feed's beginning.
        mask: what is hidden; None: what always is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, mask: Mask | None = None) -> None:
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._watchers: list[Watcher] = []
        # Follows the card even while nobody watches, so that whoever comes later gets no secret that began before.
        self._mask = mask or Mask()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have ``watcher`` called with each entry from now on, on the card's thread: it must not wait.

        Returns: ends it.
        """
        with self._lock:
            self._watchers.append(watcher)

        def end() -> None:
            with self._lock:
                self._watchers.remove(watcher)

        return end

    def control(self, what: str, atr: bytes = b"") -> None:
        """Tell of something done to the card: ``insert``, ``remove``, ``power-on``, ``power-off``."""
        with self._lock:
            self._mask.reset()
            self._tell(Entry(self._now(), what, atr))

    def exchange(self, command: bytes, answer: bytes) -> None:
        """Tell of a command and its answer (empty: none came)."""
        with self._lock:
            hidden, shown, masked = self._mask.hide(command, answer)
            self._tell(Entry(self._now(), command=hidden, answer=shown, masked=masked))

    def _now(self) -> float:
        return self._clock() - self._began

    def _tell(self, entry: Entry) -> None:
        for watcher in self._watchers:
            watcher(entry)
