"""Ends sessions that were not used for long: one timer for the session that is due first, none where that is off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


def boot_seconds() -> float:
    """A clock that is never set and goes on in suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Activity:
    """When something was used last.

    Args:
        clock: seconds, never set back.
    """

    def __init__(self, clock: Callable[[], float] = boot_seconds) -> None:
        self._clock = clock
        self._last = clock()
        self._under_way = 0

    @property
    def idle_seconds(self) -> float:
        """Since the last use; 0 during one."""
        return 0.0 if self._under_way else self._clock() - self._last

    @contextmanager
    def use(self) -> Iterator[None]:
        """It is used meanwhile."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._last = self._clock()


class Usable(Protocol):
    """A session."""

    @property
    def activity(self) -> Activity:
        """When it was used last."""


S = TypeVar("S", bound=Usable)


class Idle(Generic[S]):
    """Watches over the open sessions.

    Args:
        limit: seconds without use after which a session ends; 0: never.
        sessions: those that are open now.
        expired: told of one that was not used for so long; ends it.
    """

    def __init__(self, limit: float, sessions: Callable[[], Iterable[S]], expired: Callable[[S], None]) -> None:
        self._limit = limit
        self._sessions = sessions
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """There is another session, or one less: set the timer anew."""
        self.stop()
        longest = max((session.activity.idle_seconds for session in self._sessions()), default=None)
        if self._limit and longest is not None:
            self._timer = asyncio.get_running_loop().call_later(max(self._limit - longest, 0), self._over)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        for session in tuple(self._sessions()):
            if session.activity.idle_seconds >= self._limit:
                self._expired(session)
        self.look()
