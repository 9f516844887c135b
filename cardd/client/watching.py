"""How `CarddClient.watch` follows the daemon: a backlog of what came, and the mirror that it is applied to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cardd.client.connection import Connection, Signal
from cardd.client.errors import ClientError, ConnectionLost, EventsLost
from cardd.client.events import Event
from cardd.client.mirror import Mirror

_BACKLOG_MAX = 10_000
"""Signals that a watcher may be behind."""


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """Another connection owns org.cardd1 now; None: no one."""

    owner: str | None


class Backlog:
    """What came and was not yet read, from the moment that the block is entered.

    Args:
        connection: whose signals are gathered.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._items: deque[Signal | OwnerChange] = deque()
        self._overrun = False
        self._lost = False
        self._wake = asyncio.Event()
        self._stop: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self._stop = [
            self._connection.listen(self._add),
            self._connection.on_owner_change(lambda owner: self._add(OwnerChange(owner))),
            self._connection.on_lost(self._note_lost),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stop in self._stop:
            stop()

    def clear(self) -> None:
        """Forget what came so far: what the daemon is asked next holds it already."""
        self._items.clear()
        self._overrun = False

    async def next(self) -> Signal | OwnerChange:
        """Return what came next, in order.

        Raises:
            EventsLost: too much came at once.
            ConnectionLost: nothing more will come.
        """
        while not self._items:
            if self._lost:
                raise ConnectionLost
            self._wake.clear()
            await self._wake.wait()
        if self._overrun:
            raise EventsLost
        return self._items.popleft()

    def _add(self, item: Signal | OwnerChange) -> None:
        if len(self._items) >= _BACKLOG_MAX:
            self._overrun = True
        else:
            self._items.append(item)
        self._wake.set()

    def _note_lost(self) -> None:
        self._lost = True
        self._wake.set()


TakeMirror = Callable[[], Awaitable[Mirror]]
"""Asks the daemon for all its objects."""


async def watch(connection: Connection, take_mirror: TakeMirror) -> AsyncGenerator[Event, None]:
    """Yield what is there, then what happens.

    Args:
        connection: to the bus.
        take_mirror: asks the daemon for all its objects. What it signals between the question and the answer is
            applied again afterwards: that changes nothing that lasts.

    Raises:
        ClientError: as `CarddClient.watch` says.
    """
    with Backlog(connection) as backlog:
        mirror: Mirror | None
        mirror = first = await take_mirror()
        for event in first.beginning():
            yield event
        while True:
            match await backlog.next():
                case OwnerChange(owner) if mirror is None or owner != mirror.owner:
                    for event in mirror.end() if mirror is not None else ():
                        yield event
                    mirror = fresh = None if owner is None else await _mirror_if_alive(take_mirror, backlog)
                    for event in fresh.beginning() if fresh is not None else ():
                        yield event
                case Signal() as signal if mirror is not None and signal.sender == mirror.owner:
                    for event in mirror.apply(signal):
                        yield event


async def _mirror_if_alive(take_mirror: TakeMirror, backlog: Backlog) -> Mirror | None:
    backlog.clear()
    try:
        return await take_mirror()
    except ConnectionLost:
        raise
    except ClientError:
        return None  # gone again before it answered: its next start is told in its turn
