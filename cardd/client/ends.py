"""Which sessions have ended, and why: told by the signal `Ended`, by the daemon's leaving, by the loss of the bus."""

from __future__ import annotations

import asyncio

_REMEMBERED = 256
"""Ends that nobody waits for are remembered up to this number, the oldest forgotten first."""


class EndLedger:
    """Futures of the ends of sessions, by the daemon's unique name and object path (which a restart may repeat)."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], asyncio.Future[str]] = {}

    def future(self, owner: str, path: str) -> asyncio.Future[str]:
        """Return the future that gets the reason; shield it before it is awaited, it is shared.

        Args:
            owner: unique name of the daemon's connection.
            path: of the session.
        """
        key = (owner, path)
        if key not in self._ends:
            self._forget_oldest()
            self._ends[key] = asyncio.get_running_loop().create_future()
        return self._ends[key]

    def reason(self, owner: str, path: str) -> str | None:
        """Return why the session ended, None while it is not known to have ended."""
        end = self._ends.get((owner, path))
        return end.result() if end is not None and end.done() else None

    def ended(self, owner: str, path: str, reason: str) -> None:
        """Note the end of one session; the first reason stays."""
        end = self.future(owner, path)
        if not end.done():
            end.set_result(reason)

    def all_ended(self, reason: str) -> None:
        """Note the end of every session that is being followed."""
        for end in self._ends.values():
            if not end.done():
                end.set_result(reason)

    def _forget_oldest(self) -> None:
        over = len(self._ends) - _REMEMBERED
        if over >= 0:
            for key in [key for key, end in self._ends.items() if end.done()][: over + 1]:
                del self._ends[key]
