"""logind's word, by a stand-in on a real bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cardd.bus.logind import MANAGER, PATH, LoginManager, session_of
from cardd.bus.transport import connect
from tests.support.bus import PrivateBus
from tests.support.logind import PATIENCE, StandInLogind


class Told:
    """Keeps what it is told, in order."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[str] = asyncio.Queue()
        self.forgot = 0
        self.may_sleep = asyncio.Event()
        self.may_sleep.set()

    async def falls_asleep(self) -> None:
        self.news.put_nowait("falls asleep")
        await self.may_sleep.wait()
        self.news.put_nowait("let sleep")

    def awakes(self) -> None:
        self.news.put_nowait("awakes")

    def locked(self, session_id: str) -> None:
        self.news.put_nowait(f"locked {session_id}")

    def lock_wanted(self, session_id: str) -> None:
        self.news.put_nowait(f"lock wanted {session_id}")

    def unlocked(self, session_id: str) -> None:
        self.news.put_nowait(f"unlocked {session_id}")

    def switched_away(self, session_id: str) -> None:
        self.news.put_nowait(f"switched away {session_id}")

    def switched_to(self, session_id: str) -> None:
        self.news.put_nowait(f"switched to {session_id}")

    def nobody_known(self) -> None:
        self.forgot += 1

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.news.get()


@asynccontextmanager
async def listening(bus: PrivateBus, *, desks: bool = False) -> AsyncIterator[tuple[Told, LoginManager]]:
    told = Told()
    transport = await connect(bus.address)
    manager = LoginManager(transport, told, desks=desks)
    await manager.start()
    try:
        yield told, manager
    finally:
        manager.stop()
        transport.close()


async def until(condition: Callable[[], object], again: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await again()


async def test_the_machine_sleeps_only_when_the_listener_has_done() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus) as (told, _):
            await logind.inhibited()
            assert [(what, who, mode) for what, who, _, mode in logind.manager.asked] == [("sleep", "cardd", "delay")]
            told.may_sleep.clear()
            logind.prepare_for_sleep(about_to=True)
            assert await told.next() == "falls asleep"
            released = asyncio.create_task(logind.released())
            for _ in range(5):
                await asyncio.sleep(0)
            assert not released.done()
            told.may_sleep.set()
            await released
            assert await told.next() == "let sleep"


async def test_after_each_sleep_there_is_another_inhibitor() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus) as (told, _):
            for _ in range(3):
                await logind.inhibited()
                logind.prepare_for_sleep(about_to=True)
                await logind.released()
                logind.prepare_for_sleep(about_to=False)
                assert [await told.next() for _ in range(3)] == ["falls asleep", "let sleep", "awakes"]
            await logind.inhibited()
            assert len(logind.manager.held) == 4


async def test_a_daemon_that_stops_lets_the_machine_sleep() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus) as (_, manager):
            await logind.inhibited()
            manager.stop()
            await logind.released()


async def test_a_refused_inhibitor_is_said_and_sleep_is_told_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address, refuses=True) as logind, listening(bus) as (told, _):
            await until(lambda: "will not wait" in caplog.text, lambda: asyncio.sleep(0.01))
            logind.prepare_for_sleep(about_to=True)
            assert await told.next() == "falls asleep"


async def test_without_logind_it_is_said_once_and_one_that_comes_later_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with PrivateBus() as bus:
        async with listening(bus) as (told, _):
            await until(lambda: "no logind on this bus" in caplog.text, lambda: asyncio.sleep(0.01))
            async with StandInLogind(bus.address) as logind:
                await logind.inhibited()
                logind.prepare_for_sleep(about_to=True)
                assert await told.next() == "falls asleep"
        assert caplog.text.count("no logind on this bus") == 1


async def test_a_logind_that_ends_while_all_sleep_leaves_nobody_asleep() -> None:
    with PrivateBus() as bus:
        async with listening(bus) as (told, _):
            async with StandInLogind(bus.address) as logind:
                await logind.inhibited()
                logind.prepare_for_sleep(about_to=True)
                await logind.released()
            assert [await told.next() for _ in range(3)] == ["falls asleep", "let sleep", "awakes"]
            assert told.forgot
            async with StandInLogind(bus.address) as logind:
                await logind.inhibited()


async def test_nobody_else_sends_the_machine_to_sleep() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus) as (told, manager):
            await logind.inhibited()
            stranger = await connect(bus.address)
            stranger.send_signal(PATH, MANAGER, "PrepareForSleep", "b", [True])
            await stranger.flushed()
            await stranger.call_bus("GetId", "", (), "s")
            logind.prepare_for_sleep(about_to=False)
            manager.stop()
            stranger.close()
            assert told.news.empty()


async def test_locks_and_switches_are_told_with_the_login_sessions_name() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus, desks=True) as (told, _):
            logind.session_changed("_31", LockedHint=True)
            assert await told.next() == "locked 1"
            logind.session_changed("_31", LockedHint=False, Active=True)
            assert [await told.next() for _ in range(2)] == ["unlocked 1", "switched to 1"]
            logind.want_lock("c2")
            assert await told.next() == "lock wanted c2"
            logind.session_changed("_32", Active=False)
            assert await told.next() == "switched away 2"


async def test_where_desks_do_not_matter_their_signals_wake_nobody() -> None:
    with PrivateBus() as bus:
        async with StandInLogind(bus.address) as logind, listening(bus) as (told, _):
            await logind.inhibited()
            logind.session_changed("_31", LockedHint=True, Active=False)
            logind.prepare_for_sleep(about_to=True)
            assert await told.next() == "falls asleep"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/org/freedesktop/login1/session/_31", "1"),
        ("/org/freedesktop/login1/session/c2", "c2"),
        ("/org/freedesktop/login1/session/_3100", "100"),
        ("/org/freedesktop/login1/session/", None),
        ("/org/freedesktop/login1/session/_ff", None),
        ("/org/freedesktop/login1/seat/seat0", None),
    ],
)
def test_a_path_names_a_session(path: str, name: str | None) -> None:
    assert session_of(path) == name
