"""The order of work for one card: authentication first, then the callers in turn. Pure of threads."""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from typing import Generic, TypeVar

J = TypeVar("J")


class Priority(enum.IntEnum):
    """What goes first."""

    HOUSEKEEPING = 0
    """Giving a hold back: never refused, or a verified PIN would outlive its session."""
    AUTHENTICATION = 1
    NORMAL = 2


class QueueFull(Exception):
    """The card has too much to do already."""


PREFERRED_MOST = 8
"""Jobs of a higher priority that may go ahead of a waiting one in a row."""


class FairQueue(Generic[J]):
    """Jobs in the order of priority; within one priority the callers take turns, each in its own order.

    Args:
        bound: jobs that may wait, housekeeping not counted. One caller may have half of them, so that no caller alone
            can keep the others out.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lanes: dict[Priority, OrderedDict[str, deque[J]]] = {one: OrderedDict() for one in Priority}
        self._preferred = 0

    def __len__(self) -> int:
        """Jobs that wait."""
        return sum(len(jobs) for lane in self._lanes.values() for jobs in lane.values())

    def put(self, job: J, caller: str, priority: Priority) -> None:
        """Add a job.

        Raises:
            QueueFull: too many wait, in all or of this caller.
        """
        if priority is not Priority.HOUSEKEEPING:
            counted = [self._lanes[one] for one in (Priority.AUTHENTICATION, Priority.NORMAL)]
            total = sum(len(jobs) for lane in counted for jobs in lane.values())
            own = sum(len(lane.get(caller, ())) for lane in counted)
            if total >= self._bound or own >= max(1, self._bound // 2):
                raise QueueFull
        self._lanes[priority].setdefault(caller, deque()).append(job)

    def take(self) -> J | None:
        """The job whose turn it is, or None."""
        waiting = [one for one in Priority if self._lanes[one]]
        if not waiting:
            return None
        chosen = waiting[0]
        if len(waiting) > 1 and self._preferred >= PREFERRED_MOST:
            chosen = waiting[-1]
        self._preferred = self._preferred + 1 if chosen is not waiting[-1] else 0
        return self._take_from(self._lanes[chosen])

    def discard(self, job: J) -> bool:
        """Take a job back; whether it was still waiting."""
        for lane in self._lanes.values():
            for caller, jobs in lane.items():
                if job in jobs:
                    jobs.remove(job)
                    if not jobs:
                        del lane[caller]
                    return True
        return False

    def drain(self) -> list[J]:
        """Take everything."""
        drained: list[J] = []
        while (job := self.take()) is not None:
            drained.append(job)
        return drained

    @staticmethod
    def _take_from(lane: OrderedDict[str, deque[J]]) -> J:
        caller, jobs = next(iter(lane.items()))
        job = jobs.popleft()
        del lane[caller]
        if jobs:  # to the end of the round
            lane[caller] = jobs
        return job
