"""The holder is told of the journal: once a machine, by an agent that can, with an entry of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cardd.bus.names import AgentAbility
from cardd.bus.transport import RemoteMethod, connect
from cardd.bus.wire import variant
from cardd.client import Agent, CarddClient, ConsentRequest, JournalQuery, NoticeRequest, PinRequest, Session
from cardd.errors import InvalidArgument, NoAgent, UnknownOption
from tests.support.core import PATIENCE
from tests.support.running import Running, emptied, identified, running_cardd

RULES = """
[[rule]]
action = "sign"
key = "signature"
effect = "ask"
own-agent = true
"""
REGISTER = RemoteMethod("org.cardd1.Manager", "RegisterAgent", "oa{sv}")


class PinAlone(Agent):
    """Can be asked for a PIN, and keeps count."""

    def __init__(self) -> None:
        self.asked = 0

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        del request
        self.asked += 1
        return bytearray(b"1234")


class Full(PinAlone):
    """Can do everything; `shows` says what becomes of notices."""

    tells_last_try = True

    def __init__(self, *, shows: bool = True) -> None:
        super().__init__()
        self.shows = shows
        self.notices: list[NoticeRequest] = []
        self.told = asyncio.Event()

    async def confirm(self, request: ConsentRequest) -> bool | None:
        del request
        return True

    async def notify(self, notice: NoticeRequest) -> bool:
        self.notices.append(notice)
        self.told.set()
        return self.shows


@pytest.fixture
def cardd() -> Iterator[Running]:
    """A machine on which nobody was told yet."""
    with running_cardd(rules=RULES) as running:
        yield running


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        yield client


async def logged_in(cardd: Running, client: CarddClient, profile: str = "physician", **how: Any) -> Session:
    cardd.remove()
    await emptied(client)
    cardd.insert(profile)
    return await (await identified(client)).authenticate(**how)


async def entries(client: CarddClient, count: int) -> list[dict[str, Any]]:
    """The entries of holders told, once there are that many."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        query = JournalQuery(kinds=("holder-told",), follow=True)
        async for line in client.journal.query(query):
            found.append(json.loads(line))
            if len(found) == count:
                return found
    return found


async def test_each_holder_is_told_once_a_machine_and_it_is_written_down(cardd: Running, client: CarddClient) -> None:
    agent = Full()
    await client.register_agent(agent)
    await logged_in(cardd, client)
    await asyncio.wait_for(agent.told.wait(), PATIENCE)
    assert agent.notices == [NoticeRequest("journal", "Éloïse O'HARA-LEFÈVRE")]
    (entry,) = await entries(client, 1)
    assert entry["holder"]["id"]
    assert entry["caller"]["uid"] is not None
    file = cardd.folder / "told"
    assert entry["holder"]["id"] in file.read_text().split()
    assert file.stat().st_mode & 0o777 == 0o600
    # The same one again, also after a restart: nothing. Another one: told.
    await logged_in(cardd, client)
    cardd.cardd.stop()
    cardd.cardd.start()
    async with cardd.client() as later:
        agent.told.clear()
        await later.register_agent(agent)
        await logged_in(cardd, later)
        await logged_in(cardd, later, "nurse")
        await asyncio.wait_for(agent.told.wait(), PATIENCE)
        assert len(await entries(later, 2)) == 2
    assert len(agent.notices) == 2
    assert agent.notices[0].holder != agent.notices[1].holder


async def test_who_could_not_be_told_is_told_next_time(cardd: Running, client: CarddClient) -> None:
    await logged_in(cardd, client, pin=bytearray(b"1234"))  # no agent at all
    pin_alone, blind, able = PinAlone(), Full(shows=False), Full()
    await client.register_agent(pin_alone)  # none that can
    await logged_in(cardd, client)
    assert pin_alone.asked == 1
    await client.register_agent(blind)  # one that does not
    await logged_in(cardd, client)
    await asyncio.wait_for(blind.told.wait(), PATIENCE)
    await client.register_agent(able)
    await logged_in(cardd, client)
    await asyncio.wait_for(able.told.wait(), PATIENCE)
    assert len(await entries(client, 1)) == 1


async def test_a_question_goes_to_the_last_agent_that_can_put_it(cardd: Running, client: CarddClient) -> None:
    full, pin_alone = Full(), PinAlone()
    assert full.abilities == frozenset(AgentAbility)
    assert pin_alone.abilities == {AgentAbility.PIN}
    alone = await client.register_agent(pin_alone)
    session = await logged_in(cardd, client)
    with pytest.raises(NoAgent):  # it is never asked what it cannot answer
        await session.sign("signature", "RS256", bytes(32))
    await client.unregister_agent(alone)
    await client.register_agent(full)
    await client.register_agent(pin_alone)
    assert await session.sign("signature", "RS256", bytes(32))
    await logged_in(cardd, client)
    assert (full.asked, pin_alone.asked) == (0, 2)


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"colour": variant("s", "blue")}, UnknownOption, "colour"),
        ({"can": variant("as", ["pin", "sing"])}, InvalidArgument, "sing"),
        ({"can": variant("as", [])}, InvalidArgument, "can"),
        ({"can": variant("s", "pin")}, InvalidArgument, "can"),
    ],
)
async def test_what_an_agent_says_of_itself_is_checked(
    cardd: Running, options: dict[str, Any], error: type[Exception], named: str
) -> None:
    transport = await connect(cardd.bus.address)
    try:
        with pytest.raises(Exception, match=named) as caught:
            await transport.call("org.cardd1", "/org/cardd1", REGISTER, ("/agent", options))
        assert error.__name__ in getattr(caught.value, "name", "")
    finally:
        transport.close()
