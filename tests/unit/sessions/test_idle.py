"""One timer for the session that is due first, none where idleness ends nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from cardd.sessions.idle import Activity, Idle

PATIENCE = 20.0


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(eq=False)
class Used:
    activity: Activity


@dataclass
class Room:
    limit: float
    clock: Clock = field(default_factory=Clock)
    open: list[Used] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ended: asyncio.Queue[Used] = asyncio.Queue()
        self.idle = Idle(self.limit, lambda: self.open, self.end)

    def session(self) -> Used:
        self.open.append(Used(Activity(self.clock)))
        self.idle.look()
        return self.open[-1]

    def end(self, session: Used) -> None:
        self.open.remove(session)
        self.ended.put_nowait(session)


def test_a_use_counts_from_its_end_and_while_it_lasts_nothing_is_idle() -> None:
    clock = Clock()
    activity = Activity(clock)
    clock.seconds += 5
    assert activity.idle_seconds == 5
    with activity.use():
        clock.seconds += 50
        with activity.use():
            pass
        assert activity.idle_seconds == 0
    assert activity.idle_seconds == 0
    clock.seconds += 1
    assert activity.idle_seconds == 1


async def test_only_what_was_not_used_for_so_long_ends() -> None:
    room = Room(limit=60)
    first = room.session()
    room.clock.seconds += 59.99
    second = room.session()
    room.clock.seconds += 0.01
    room.idle.look()
    async with asyncio.timeout(PATIENCE):
        assert await room.ended.get() is first
    assert room.open == [second]
    assert room.idle._timer is not None
    room.idle.stop()


async def test_a_use_puts_the_end_off() -> None:
    room = Room(limit=60)
    session = room.session()
    room.clock.seconds += 60
    with session.activity.use():
        pass
    room.idle._over()
    assert room.open == [session]
    room.idle.stop()


async def test_no_timer_runs_where_it_is_off_or_nothing_is_open() -> None:
    off, empty = Room(limit=0), Room(limit=60)
    off.session()
    empty.idle.look()
    assert off.idle._timer is None
    assert empty.idle._timer is None
