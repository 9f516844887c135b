"""Ends sessions when their certificates' time is over: one timer, for the session that expires first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from cardd.sessions.session import Session

LOOK_AGAIN: Final = 3600.0
"""Seconds between two looks at the clock while a session is open: the loop's own clock stands still in suspend, and
does not follow the wall clock. A session that has expired serves nobody meanwhile; only `Ended` may come so late."""
_PAST: Final = 0.05
"""Seconds after a certificate's last moment, in which it is still valid."""


class Expiry:
    """Watches over the open sessions; no timer runs while there is none.

    Args:
        clock: the time, aware.
        sessions: those that are open now.
        expired: told of one whose time is over; ends it.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        sessions: Callable[[], Iterable[Session]],
        expired: Callable[[Session], None],
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """There is another session, or one less: set the timer anew."""
        self.stop()
        first = min((session.expires for session in self._sessions()), default=None)
        if first is not None:
            remaining = max((first - self._clock()).total_seconds(), 0) + _PAST
            self._timer = asyncio.get_running_loop().call_later(min(remaining, LOOK_AGAIN), self._over)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        now = self._clock()
        for session in tuple(self._sessions()):
            if now > session.expires:
                self._expired(session)
        self.look()
