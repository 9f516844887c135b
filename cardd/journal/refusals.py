"""Refusals, and what else any user can cause at will, rate limited: the first few of a user in full, then one entry a
minute that sums the rest up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cardd.journal.clock import Clock, SystemClock, time_text
from cardd.journal.event import OK, CallerRef, Detail, Event, Kind
from cardd.journal.link import Head

_ERRORS_NAMED = 8


class Recorder(Protocol):
    """What this needs of the journal."""

    async def record(self, event: Event) -> Head:
        """Write it down, now."""

    def note(self, event: Event) -> None:
        """Have it written."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a user may fill.

    Args:
        in_full: refusals of one user that are written one by one.
        window: seconds; after so long without a refusal a user's count begins again.
        users: users that are counted each for himself; the others share one count.
    """

    in_full: int = 10
    window: float = 60.0
    users: int = 256


@dataclass(slots=True)
class _Count:
    timer: asyncio.TimerHandle | None = None
    written: int = 0
    seen: int = 0
    """In this window."""
    summed: int = 0
    first: str = ""
    last: str = ""
    errors: set[str] = field(default_factory=set)


class Refusals:
    """Counts by uid, for that is the boundary: a user can have as many processes and units as he likes.

    Args:
        journal: where entries go.
        allowance: limits.
        summed: kind of the entries that sum up.
        clock: for the times in the sums.
        later: `loop.call_later`, or a test's own.
    """

    def __init__(
        self,
        journal: Recorder,
        allowance: Allowance | None = None,
        *,
        summed: Kind = Kind.REFUSALS_SUMMED,
        clock: Clock | None = None,
        later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
    ) -> None:
        self._journal = journal
        self._allowance = allowance or Allowance()
        self._summed = summed
        self._clock = clock or SystemClock()
        self._later = later or asyncio.get_running_loop().call_later
        self._counts: dict[int | None, _Count] = {}

    async def record(self, refusal: Event) -> Head | None:
        """Write a refusal down, or count it; gives the head where it was written in full. What is counted is written
        within the window: a crash loses at most that.

        Raises:
            JournalUnavailable: it should have been written and is not.
        """
        return await self._journal.record(refusal) if self._in_full(refusal) else None

    def note(self, event: Event) -> None:
        """As `record`, without waiting: for what is no refusal, and happened already."""
        if self._in_full(event):
            self._journal.note(event)

    def close(self) -> None:
        """Write what is counted and stop counting."""
        for key, count in self._counts.items():
            if count.timer is not None:
                count.timer.cancel()
            self._sum_up(key, count)
        self._counts.clear()

    def _in_full(self, event: Event) -> bool:
        """Whether it is to be written; otherwise it was counted."""
        key = self._key(event.caller)
        count = self._counts.setdefault(key, _Count())
        if count.timer is None:
            count.timer = self._later(self._allowance.window, lambda: self._window_over(key))
        count.seen += 1
        if count.written < self._allowance.in_full:
            count.written += 1
            return True
        now = time_text(self._clock.now().microseconds)
        count.summed += 1
        count.first = count.first or now
        count.last = now
        if event.result != OK and len(count.errors) < _ERRORS_NAMED:
            count.errors.add(event.result)
        return False

    def _key(self, caller: CallerRef | None) -> int | None:
        uid = None if caller is None else caller.uid
        if uid in self._counts or len(self._counts) < self._allowance.users:
            return uid
        return None

    def _window_over(self, key: int | None) -> None:
        count = self._counts[key]
        self._sum_up(key, count)
        if count.seen == 0:
            del self._counts[key]
            return
        count.seen = 0
        count.timer = self._later(self._allowance.window, lambda: self._window_over(key))

    def _sum_up(self, key: int | None, count: _Count) -> None:
        if count.summed:
            what: dict[Detail, str | int | bool] = {
                Detail.COUNT: count.summed,
                Detail.FIRST: count.first,
                Detail.LAST: count.last,
            }
            if count.errors:
                what[Detail.ERRORS] = " ".join(sorted(count.errors))[:256]
            caller = None if key is None else CallerRef(key)
            self._journal.note(Event(self._summed, caller=caller, what=what))
        count.summed, count.first, count.last = 0, "", ""
        count.errors.clear()
