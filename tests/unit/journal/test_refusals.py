"""Refusals: the first in full, the rest summed up; a user cannot fill the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from cardd.journal.event import CallerRef, Detail, Event, Kind
from cardd.journal.link import Head
from cardd.journal.refusals import Allowance, Refusals
from tests.unit.journal.support import SteadyClock


class Paper:
    """A journal that only gathers."""

    def __init__(self) -> None:
        self.full: list[Event] = []
        self.sums: list[Event] = []

    async def record(self, event: Event) -> Head:
        self.full.append(event)
        return Head("0" * 32, len(self.full), "0" * 64)

    def note(self, event: Event) -> None:
        self.sums.append(event)


class Timers:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self._loop = asyncio.new_event_loop()

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        assert seconds == 60
        handle = asyncio.TimerHandle(0, call, (), self._loop)
        self.waiting.append(lambda: None if handle.cancelled() else call())
        return handle

    def window_over(self) -> None:
        due, self.waiting = self.waiting, []
        for call in due:
            call()

    def close(self) -> None:
        self._loop.close()


def refusal(uid: int | None, result: str = "NotAuthorized", pid: int = 1) -> Event:
    return Event(Kind.REFUSED, result, caller=None if uid is None else CallerRef(uid, pid))


def desk(users: int = 256) -> tuple[Refusals, Paper, Timers]:
    paper, timers = Paper(), Timers()
    return Refusals(paper, Allowance(3, 60, users), clock=SteadyClock(), later=timers.later), paper, timers


async def test_the_first_are_written_in_full_and_the_rest_summed_up_once_a_window() -> None:
    refusals, paper, timers = desk()
    heads = [await refusals.record(refusal(1000, pid=number)) for number in range(10)]
    await refusals.record(refusal(1000, "PinIncorrect"))
    assert [head is not None for head in heads] == [True] * 3 + [False] * 7
    assert not paper.sums
    timers.window_over()
    [summed] = paper.sums
    assert summed.kind is Kind.REFUSALS_SUMMED
    assert summed.caller == CallerRef(1000)
    assert summed.what[Detail.COUNT] == 8
    assert summed.what[Detail.ERRORS] == "NotAuthorized PinIncorrect"
    assert str(summed.what[Detail.FIRST]) < str(summed.what[Detail.LAST])
    timers.close()


async def test_while_it_goes_on_only_sums_are_written_and_after_a_quiet_window_it_begins_again() -> None:
    refusals, paper, timers = desk()
    for _ in range(5):
        for _ in range(20):
            await refusals.record(refusal(1000))
        timers.window_over()
    assert len(paper.full) == 3
    assert [one.what[Detail.COUNT] for one in paper.sums] == [17, 20, 20, 20, 20]
    timers.window_over()
    assert not timers.waiting
    assert await refusals.record(refusal(1000)) is not None
    timers.close()


async def test_users_are_counted_apart() -> None:
    refusals, paper, timers = desk()
    for _ in range(9):
        await refusals.record(refusal(1000))
    assert await refusals.record(refusal(1001)) is not None
    assert len(paper.full) == 4
    timers.close()


async def test_more_users_than_can_be_counted_share_one_count() -> None:
    refusals, paper, timers = desk(users=4)
    for uid in range(100_000, 100_100):
        await refusals.record(refusal(uid))
    assert len(paper.full) <= 4 + 3
    refusals.close()
    assert sum(int(one.what[Detail.COUNT]) for one in paper.sums) + len(paper.full) == 100
    timers.close()


async def test_closing_writes_what_was_counted_and_leaves_no_timer() -> None:
    refusals, paper, timers = desk()
    for _ in range(5):
        await refusals.record(refusal(1000))
    refusals.close()
    assert [one.what[Detail.COUNT] for one in paper.sums] == [2]
    timers.window_over()
    assert len(paper.sums) == 1
    timers.close()


@given(st.lists(st.sampled_from(["window", 1000, 1001, 1002, None]), max_size=200))
def test_every_refusal_is_written_or_counted_once_and_seldom_in_full(steps: list[str | int | None]) -> None:
    async def play() -> None:
        refusals, paper, timers = desk()
        refused, windows = 0, 1
        for step in steps:
            if step == "window":
                timers.window_over()
                windows += 1
            else:
                refused += 1
                await refusals.record(refusal(step if isinstance(step, int) else None))
        refusals.close()
        counted = sum(int(one.what[Detail.COUNT]) for one in paper.sums)
        assert len(paper.full) + counted == refused
        assert len(paper.full) + len(paper.sums) <= windows * 4 * 4
        timers.close()

    asyncio.run(play())


def test_what_is_no_refusal_is_summed_up_under_its_own_kind() -> None:
    paper, timers = Paper(), Timers()
    connections = Refusals(
        paper, Allowance(2, 60), summed=Kind.CALLER_CONNECTED, clock=SteadyClock(), later=timers.later
    )
    for pid in range(5):
        connections.note(Event(Kind.CALLER_CONNECTED, caller=CallerRef(1000, pid)))
    assert [event.caller for event in paper.sums] == [CallerRef(1000, 0), CallerRef(1000, 1)]
    timers.window_over()
    summed = paper.sums[-1]
    assert (summed.kind, summed.caller, summed.what[Detail.COUNT]) == (Kind.CALLER_CONNECTED, CallerRef(1000), 3)
    assert Detail.ERRORS not in summed.what
    connections.close()
    timers.close()
