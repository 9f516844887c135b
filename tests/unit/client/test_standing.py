"""An agent that stays while daemons come and go, over a real bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest

from cardd.client import Agent, CarddClient, PinRequest, standing
from cardd.client.errors import ConnectionLost
from cardd.errors import CarddError, NotAuthorized
from tests.support.bus import PrivateBus
from tests.unit.client.fake import FakeDaemon, Refusal

CARD_PATH = "/org/cardd1/cards/1"


class Silent(Agent):
    """Closes each question."""

    async def request_pin(self, request: PinRequest) -> None:
        del request


class Standing:
    """A client whose agent stays, and what was told of it."""

    def __init__(self, client: CarddClient) -> None:
        self.client = client
        self._told: asyncio.Queue[str | None] = asyncio.Queue()
        self.task: asyncio.Task[NoReturn] = asyncio.create_task(client.keep_agent(Silent(), self._tell))

    def _tell(self, failure: CarddError | None) -> None:
        self._told.put_nowait(None if failure is None else failure.short_name)

    async def told(self) -> str | None:
        """What came of the next registration: None, or the name of the failure."""
        async with asyncio.timeout(20):
            return await self._told.get()

    def nothing_told(self) -> bool:
        return self._told.empty()


@asynccontextmanager
async def standing_at(address: str) -> AsyncIterator[Standing]:
    async with await CarddClient.connect(address) as client:
        agent = Standing(client)
        try:
            yield agent
        finally:
            agent.task.cancel()
            await asyncio.wait([agent.task])


def asks(daemon: FakeDaemon) -> str | None:
    """How the agent that is registered with a daemon answers it."""
    return daemon.ask_agent("RequestPin", "oa{sv}", CARD_PATH, {}).error_name


async def test_each_daemon_that_comes_can_ask(shared_bus: PrivateBus) -> None:
    with FakeDaemon(shared_bus.address) as first:
        async with standing_at(shared_bus.address) as agent:
            assert await agent.told() is None
            assert await asyncio.to_thread(asks, first) == "org.cardd1.Error.NotAuthorizedDismissed"
            first.release_name()
            with FakeDaemon(shared_bus.address) as second:
                assert await agent.told() is None
                assert len(second.agents) == 1
                assert await asyncio.to_thread(asks, second) == "org.cardd1.Error.NotAuthorizedDismissed"
                # The path of before is served no more.
                first.agents, second.agents = second.agents, first.agents
                assert await asyncio.to_thread(asks, second) == "org.freedesktop.DBus.Error.UnknownObject"


async def test_a_daemon_that_is_not_there_is_waited_for(shared_bus: PrivateBus) -> None:
    async with standing_at(shared_bus.address) as agent:
        assert await agent.told() == "DaemonNotRunning"
        with FakeDaemon(shared_bus.address) as daemon:
            assert await agent.told() is None
            assert len(daemon.agents) == 1


async def test_a_daemon_that_was_stopped_is_not_started(
    shared_bus: PrivateBus, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing_at(shared_bus.address) as agent:
        assert await agent.told() is None
        gone = asyncio.Event()
        connection = agent.client._core.connection
        monkeypatch.setattr(connection, "ensure_owner", lambda: pytest.fail("it would be started"))
        connection.on_owner_change(lambda owner: gone.set())
        daemon.release_name()
        await gone.wait()
        assert agent.nothing_told()
        with FakeDaemon(shared_bus.address):
            assert await agent.told() is None


async def test_one_that_does_not_answer_is_asked_again(
    shared_bus: PrivateBus, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "_RETRY", 0.01)
    daemon.failures["RegisterAgent"] = Refusal("org.freedesktop.DBus.Error.NoReply")
    async with standing_at(shared_bus.address) as agent:
        assert await agent.told() == "NoReply"
        daemon.failures.clear()
        while (told := await agent.told()) is not None:
            assert told == "NoReply"
        assert len(daemon.agents) == 1


async def test_a_refusal_ends_it(shared_bus: PrivateBus, daemon: FakeDaemon) -> None:
    daemon.failures["RegisterAgent"] = Refusal("NotAuthorized", reason="so")
    async with standing_at(shared_bus.address) as agent:
        with pytest.raises(NotAuthorized):
            await agent.task


async def test_the_loss_of_the_bus_ends_it() -> None:
    with PrivateBus() as bus, FakeDaemon(bus.address) as daemon:
        async with standing_at(bus.address) as agent:
            assert await agent.told() is None
            daemon.forget_bus()
            bus.kill()
            with pytest.raises(ConnectionLost):
                await agent.task
