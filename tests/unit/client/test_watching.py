"""Following the daemon over a real bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from dbus_next.signature import Variant

from cardd.client import CarddClient, events
from cardd.client.connection import Signal
from cardd.client.errors import ConnectionLost, DaemonNotRunning, EventsLost
from cardd.client.events import Event
from cardd.client.watching import Backlog
from tests.support.bus import PrivateBus
from tests.unit.client.fake import CARD, FakeDaemon


async def _take(happening: AsyncGenerator[Event, None], count: int) -> list[Event]:
    return [await anext(happening) for _ in range(count)]


def _kinds(told: list[Event]) -> list[str]:
    return [type(event).__name__ for event in told]


async def test_what_is_there_then_what_happens(client: CarddClient, daemon: FakeDaemon) -> None:
    async with aclosing(client.watch()) as happening:
        assert _kinds(await _take(happening, 3)) == ["ServiceStarted", "ReaderAdded", "CardInserted"]
        daemon.change(daemon.card_path, CARD, PinTriesLeft=Variant("i", 1))
        (changed,) = await _take(happening, 1)
        assert isinstance(changed, events.CardChanged)
        assert changed.card.pin_tries_left == 1
        await changed.card.authenticate(pin=bytearray(b"1234"))
        assert _kinds(await _take(happening, 3)) == ["CardChanged", "SessionStarted", "CardChanged"]
        daemon.withdraw()
        told = await _take(happening, 4)
        assert _kinds(told) == ["SessionEnded", "CardChanged", "ReaderChanged", "CardRemoved"]
        assert isinstance(told[0], events.SessionEnded)
        assert told[0].reason == "card-removed"


async def test_a_restart_is_followed(shared_bus: PrivateBus) -> None:
    async with await CarddClient.connect(shared_bus.address) as client:
        with FakeDaemon(shared_bus.address, card=False):
            happening = client.watch()
            assert _kinds(await _take(happening, 2)) == ["ServiceStarted", "ReaderAdded"]
        assert _kinds(await _take(happening, 2)) == ["ReaderRemoved", "ServiceStopped"]
        with FakeDaemon(shared_bus.address):
            assert _kinds(await _take(happening, 1)) == ["ServiceStarted"]
        await happening.aclose()


async def test_without_a_daemon_watching_fails_at_once(shared_bus: PrivateBus) -> None:
    async with await CarddClient.connect(shared_bus.address) as client:
        with pytest.raises(DaemonNotRunning):
            await anext(client.watch())


async def test_the_loss_of_the_bus_ends_the_watching() -> None:
    with PrivateBus() as bus, FakeDaemon(bus.address) as daemon:
        client = await CarddClient.connect(bus.address)
        async with aclosing(client.watch()) as happening:
            _, _, inserted = await _take(happening, 3)
            assert isinstance(inserted, events.CardInserted)
            session = await inserted.card.authenticate(pin=bytearray(b"1234"))
            await _take(happening, 2)
            daemon.forget_bus()
            bus.kill()
            with pytest.raises(ConnectionLost):
                await _take(happening, 10)
            assert await session.wait_ended() == "bus-lost"
            with pytest.raises(ConnectionLost):
                await session.get_holder()
        await client.close()


async def test_a_watcher_that_is_too_far_behind_is_told(client: CarddClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.client.watching._BACKLOG_MAX", 3)
    with Backlog(client._core.connection) as backlog:
        for _ in range(4):
            backlog._add(Signal(":1.1", "/", "org.example.I", "M", []))
        with pytest.raises(EventsLost):
            await backlog.next()


async def test_leaving_early_stops_listening(client: CarddClient) -> None:
    connection = client._core.connection
    listeners = (
        len(connection._signal_listeners), len(connection._owner_listeners), len(connection._lost_listeners)
    )  # fmt: skip
    async with aclosing(client.watch()) as happening:
        await anext(happening)
    assert (
        len(connection._signal_listeners), len(connection._owner_listeners), len(connection._lost_listeners)
    ) == listeners  # fmt: skip


async def test_waiting_for_a_card(shared_bus: PrivateBus) -> None:
    with FakeDaemon(shared_bus.address, card=False) as daemon:
        async with await CarddClient.connect(daemon.address) as client:
            waiting = asyncio.create_task(client.wait_for_card())
            path = await asyncio.to_thread(daemon.insert, State=Variant("s", "present"))
            daemon.change(path, CARD, State=Variant("s", "identified"))
            card = await waiting
            assert (card.path, card.state) == (path, "identified")
