"""The order of work for one card: authentication first, then users and their connections in turn. Pure of threads."""

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
"""Jobs of other priorities that may go ahead of a waiting one in a row."""


class FairQueue(Generic[J]):
    """Jobs in the order of priority; within one priority the users take turns, of each user the connections, and each
    connection's jobs are done in its own order.

    So neither many jobs nor many connections give anybody more than a user's share of a card.

    Args:
        bound: jobs of one priority that may wait, housekeeping not counted: whoever wants to authenticate is not
            refused because others have much to sign. One connection may have half of them, one user seven eighths, so
            that neither can keep the others out.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lanes: dict[Priority, _Lane[J]] = {one: _Lane() for one in Priority}
        self._passed_over = dict.fromkeys(Priority, 0)

    def __len__(self) -> int:
        """Jobs that wait."""
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, job: J, caller: str, priority: Priority, user: int | None = None) -> None:
        """Add a job.

        Args:
            job: what is to be done.
            caller: the connection whose turn it takes.
            priority: what it goes before.
            user: uid of the caller; None: the daemon itself.

        Raises:
            QueueFull: too many wait, in all, of this user or of this connection.
        """
        lane = self._lanes[priority]
        if priority is not Priority.HOUSEKEEPING and (
            len(lane) >= self._bound
            or lane.of_user(user) >= max(1, self._bound * 7 // 8)
            or lane.of_caller(user, caller) >= max(1, self._bound // 2)
        ):
            raise QueueFull
        lane.put(job, user, caller)

    def take(self) -> J | None:
        """The job whose turn it is, or None."""
        waiting = [one for one in Priority if self._lanes[one]]
        if not waiting:
            return None
        neglected = max(waiting, key=self._passed_over.__getitem__)
        chosen = neglected if self._passed_over[neglected] >= PREFERRED_MOST else waiting[0]
        for one in waiting:
            self._passed_over[one] = 0 if one is chosen else self._passed_over[one] + 1
        return self._lanes[chosen].take()

    def discard(self, job: J) -> bool:
        """Take a job back; whether it was still waiting."""
        return any(lane.discard(job) for lane in self._lanes.values())

    def drain(self) -> list[J]:
        """Take everything."""
        drained: list[J] = []
        while (job := self.take()) is not None:
            drained.append(job)
        return drained


class _Lane(Generic[J]):
    """The jobs of one priority: by user, then by connection; in each, whose turn is next comes first."""

    def __init__(self) -> None:
        self._users: OrderedDict[int | None, OrderedDict[str, deque[J]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(self.of_user(user) for user in self._users)

    def of_user(self, user: int | None) -> int:
        """How many jobs of a user wait."""
        callers = self._users.get(user)
        return 0 if callers is None else sum(len(jobs) for jobs in callers.values())

    def of_caller(self, user: int | None, caller: str) -> int:
        """How many jobs of a connection wait."""
        callers = self._users.get(user)
        return 0 if callers is None else len(callers.get(caller, ()))

    def put(self, job: J, user: int | None, caller: str) -> None:
        """Add one behind the others of its connection."""
        self._users.setdefault(user, OrderedDict()).setdefault(caller, deque()).append(job)

    def take(self) -> J:
        """The next one; its user and its connection go to the end of their rounds. There must be one."""
        user, callers = next(iter(self._users.items()))
        caller, jobs = next(iter(callers.items()))
        job = jobs.popleft()
        callers.move_to_end(caller)
        self._users.move_to_end(user)
        self._forget_if_done(user, caller)
        return job

    def discard(self, job: J) -> bool:
        """Take a job back; whether it was here."""
        for user, callers in self._users.items():
            for caller, jobs in callers.items():
                if job in jobs:
                    jobs.remove(job)
                    self._forget_if_done(user, caller)
                    return True
        return False

    def _forget_if_done(self, user: int | None, caller: str) -> None:
        callers = self._users[user]
        if not callers[caller]:
            del callers[caller]
        if not callers:
            del self._users[user]
