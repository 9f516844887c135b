"""Agents that lie, fall silent, or are not the holder's; applications that say hostile things or forge who they are."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

from cardd.client import Agent, CarddClient, ConsentRequest, Document, PinRequest, Session
from cardd.errors import (
    AgentFailed,
    ConsentNotAnswered,
    DescriptorUnusable,
    InvalidArgument,
    NoAgent,
    NotAuthorizedDismissed,
    PinFormat,
)
from tests.support.core import PATIENCE
from tests.support.running import Running, emptied, identified, running_cardd

RULES = """
[[rule]]
action = "sign"
key = "signature"
effect = "ask"
own-agent = true
consent = { mode = "session", uses = 2, seconds = 600 }
"""
DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(4)]
AGENT = "/org/example/agent"


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    """One second for an answer: the least that the configuration takes."""
    with running_cardd(rules=RULES, sections={"pin": "agent-timeout = 1\ndescriptor-timeout = 0.5"}) as running:
        yield running


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        cardd.insert()
        try:
            yield client
        finally:
            cardd.remove()


async def opened(client: CarddClient) -> Session:
    return await (await identified(client)).authenticate(pin=bytearray(b"1234"))


class Rude:
    """An agent below the client's library: answers whatever it likes.

    Args:
        answers: signature and values by method; None: no answer at all.
    """

    def __init__(self, bus: MessageBus, answers: dict[str, tuple[str, list[Any], list[int]] | None]) -> None:
        self._bus = bus
        self._answers = answers
        self.asked: list[str] = []
        self.cancelled = asyncio.Event()

    def __call__(self, message: Message) -> Message | bool:
        if message.interface != "org.cardd1.Agent":
            return False
        self.asked.append(message.member)
        if message.member == "Cancel":
            self.cancelled.set()
            return Message.new_method_return(message)
        answer = self._answers.get(message.member)
        if answer is None:
            return True  # handled, and never answered
        signature, values, descriptors = answer
        return Message.new_method_return(message, signature, values, descriptors)


@asynccontextmanager
async def raw_bus(cardd: Running) -> AsyncIterator[MessageBus]:
    """A connection without cardd's own library."""
    bus = await MessageBus(cardd.bus.address, negotiate_unix_fd=True).connect()
    try:
        yield bus
    finally:
        bus.disconnect()  # type: ignore[no-untyped-call]  # dbus_next has no types here


@asynccontextmanager
async def rude_agent(cardd: Running, **answers: tuple[str, list[Any], list[int]] | None) -> AsyncIterator[Rude]:
    async with raw_bus(cardd) as bus:
        rude = Rude(bus, answers)
        bus.add_message_handler(rude)
        named = ("org.cardd1", "/org/cardd1", "org.cardd1.Manager", "RegisterAgent")
        register = Message(*named, signature="oa{sv}", body=[AGENT, {}])
        reply = await bus.call(register)
        assert reply is not None
        assert reply.message_type is MessageType.METHOD_RETURN, reply.body
        yield rude


async def test_a_consent_that_is_never_answered_is_none_and_the_question_is_taken_back(
    cardd: Running, client: CarddClient
) -> None:
    session = await opened(client)
    async with rude_agent(cardd, Confirm=None) as rude:
        with pytest.raises(ConsentNotAnswered):
            await session.sign("signature", "RS256", DIGESTS[0])
        await asyncio.wait_for(rude.cancelled.wait(), PATIENCE)


async def test_a_pin_that_is_never_given_opens_nothing(cardd: Running, client: CarddClient) -> None:
    card = await identified(client)
    async with rude_agent(cardd, RequestPin=None) as rude:
        with pytest.raises(AgentFailed, match="1 seconds"):
            await card.authenticate()
        await asyncio.wait_for(rude.cancelled.wait(), PATIENCE)
    assert await client.sessions() == []


async def test_a_consent_of_another_form_is_none(cardd: Running, client: CarddClient) -> None:
    session = await opened(client)
    async with rude_agent(cardd, Confirm=("b", [True], [])):
        with pytest.raises(AgentFailed):
            await session.sign("signature", "RS256", DIGESTS[0])


@pytest.mark.parametrize("answer", [("s", ["1234"], []), ("", [], []), ("ay", [b"1234"], [])])
async def test_a_pin_that_is_no_descriptor_is_none(
    cardd: Running, client: CarddClient, answer: tuple[str, list[Any], list[int]]
) -> None:
    card = await identified(client)
    async with rude_agent(cardd, RequestPin=answer):
        with pytest.raises(AgentFailed) as caught:
            await card.authenticate()
    assert "1234" not in str(caught.value)


def _endless() -> int:
    """A pipe that somebody keeps open and never writes to."""
    reading, _kept = os.pipe()
    return reading


def _flood() -> int:
    return os.open("/dev/zero", os.O_RDONLY)


def _writable_end() -> int:
    _kept, writing = os.pipe()
    return writing


def _folder() -> int:
    return os.open("/", os.O_RDONLY)


@pytest.mark.parametrize("descriptor", [_endless, _flood, _writable_end, _folder])
async def test_a_descriptor_that_holds_no_pin_costs_no_try(
    cardd: Running, client: CarddClient, descriptor: Callable[[], int]
) -> None:
    card = await identified(client)
    before = card.pin_tries_left
    async with rude_agent(cardd, RequestPin=("h", [0], [descriptor()])):
        with pytest.raises((DescriptorUnusable, AgentFailed, PinFormat)):
            await card.authenticate()
    (card,) = await client.cards()
    assert card.pin_tries_left == before


# Registers an agent that says yes to everything, as another user.
_STRANGER = """
import asyncio, sys
from cardd.client import Agent, CarddClient
class Yes(Agent):
    async def request_pin(self, request):
        print("asked", flush=True)
        return bytearray(b"1234")
    async def confirm(self, request):
        print("asked", flush=True)
        return True
async def main():
    async with await CarddClient.connect(sys.argv[1]) as client:
        await client.register_agent(Yes())
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can be played by root alone")
async def test_another_users_agent_is_never_asked(cardd: Running, client: CarddClient) -> None:
    session = await opened(client)
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable, "-c", _STRANGER]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, cardd.bus.address], stdin=pipe, stdout=pipe, text=True) as stranger:
        assert stranger.stdout is not None
        assert await asyncio.to_thread(stranger.stdout.readline) == "ready\n"
        with pytest.raises(NoAgent):
            await session.sign("signature", "RS256", DIGESTS[0])
        said, _ = await asyncio.to_thread(stranger.communicate)
    assert "asked" not in said


class Yes(Agent):
    """The holder who agrees, and keeps what was shown."""

    def __init__(self) -> None:
        self.requests: list[ConsentRequest] = []

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        del request
        return None

    async def confirm(self, request: ConsentRequest) -> bool | None:
        self.requests.append(request)
        return True


async def test_one_consent_for_a_session_is_good_for_so_many_uses(client: CarddClient) -> None:
    session, holder = await opened(client), Yes()
    await client.register_agent(holder)
    said = Document(consent="session", count=2)
    for number in range(3):
        await session.sign("signature", "RS256", DIGESTS[number], document=said)
    assert [(request.mode, request.uses, request.seconds) for request in holder.requests] == [("session", 2, 600.0)] * 2
    assert holder.requests[0].job != holder.requests[1].job
    assert holder.requests[1].digest == DIGESTS[2].hex()


@pytest.mark.parametrize(
    "title",
    ["\x1b]0;owned\x07" * 9000, "\u202e" * 60_000, "\n" * 100_000, "Ordonnance" + "\u00a0" * 100_000 + "virement"],
    ids=["terminal escapes", "bidi", "lines", "a wall of nothing"],
)
async def test_a_hostile_title_is_one_short_line(client: CarddClient, title: str) -> None:
    session, holder = await opened(client), Yes()
    await client.register_agent(holder)
    await session.sign("signature", "RS256", DIGESTS[0], document=Document(title=title))
    shown = holder.requests[0].title
    assert len(shown) <= 120
    assert all(character.isprintable() for character in shown)
    assert "�" in shown or "…" in shown, "something was left out, and that shows"


async def test_a_megabyte_of_title_is_refused_and_costs_nobody_else_anything(
    cardd: Running, client: CarddClient
) -> None:
    session, holder = await opened(client), Yes()
    await client.register_agent(holder)
    title = "x" * 1_000_000
    with pytest.raises(InvalidArgument, match="262144"):
        await session.sign("signature", "RS256", DIGESTS[0], document=Document(title=title))
    async with raw_bus(cardd) as bus:  # an application that does without the client's library
        body = ["signature", "RS256", DIGESTS[0], {"title": Variant("s", title)}]
        sign = Message("org.cardd1", session.path, "org.cardd1.Session", "Sign", signature="ssaya{sv}", body=body)
        reply = await bus.call(sign)
        assert reply is not None
        assert reply.error_name == "org.freedesktop.DBus.Error.LimitsExceeded"
    assert holder.requests == []
    assert await session.sign("signature", "RS256", DIGESTS[0])


async def test_a_pin_agent_that_closes_the_question(client: CarddClient) -> None:
    await client.register_agent(Yes())
    with pytest.raises(NotAuthorizedDismissed):
        await (await identified(client)).authenticate()


async def test_who_calls_is_the_buss_word_whatever_a_message_says(cardd: Running, client: CarddClient) -> None:
    """A sender in the message, and facts as options, are the caller's own words."""
    other = (await client.access.who_am_i())["connection"]
    async with raw_bus(cardd) as bus:
        forged = Message("org.cardd1", "/org/cardd1", "org.cardd1.Manager", "WhoAmI", signature="a{sv}", body=[{}])
        forged.sender = str(other)
        reply = await bus.call(forged)
        assert reply is not None
        assert reply.body[0]["connection"].value == bus.unique_name != other
        for claim in ({"uid": Variant("u", 0)}, {"connection": Variant("s", other)}):
            said = Message("org.cardd1", "/org/cardd1", "org.cardd1.Manager", "WhoAmI", signature="a{sv}", body=[claim])
            reply = await bus.call(said)
            assert reply is not None
            assert reply.error_name == "org.cardd1.Error.UnknownOption"
