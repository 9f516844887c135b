"""Agents: who may ask them, how a question ends."""

from __future__ import annotations

import asyncio
import os

import pytest
from dbus_next.constants import MessageType
from dbus_next.signature import Variant

from cardd import errors
from cardd.client import Agent, CarddClient, PinPurpose, PinRequest
from cardd.client.agent import PreparedAnswers, refuse_stranger
from tests.unit.client.fake import FakeDaemon, Refusal

CARD_PATH = "/org/cardd1/cards/1"


class PatientAgent(Agent):
    """Waits until it is cancelled, or fails, or answers."""

    def __init__(self, answer: bytes | Exception | None = None) -> None:
        self.answer = answer
        self.asked = asyncio.Event()
        self.cancelled = False

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        self.asked.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return bytearray(self.answer)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return None


def _request(purpose: str) -> PinRequest:
    return PinRequest(CARD_PATH, purpose, 4, 8, 3, "", "")


@pytest.mark.parametrize(("sender", "owner"), [(":1.6", ":1.5"), (":1.5", None), ("org.cardd1", ":1.5")])
def test_only_the_daemon_may_ask(sender: str, owner: str | None) -> None:
    with pytest.raises(errors.NotAuthorized):
        refuse_stranger(sender, owner)


async def test_a_stranger_on_the_bus_gets_nothing(client: CarddClient, daemon: FakeDaemon) -> None:
    agent = PatientAgent(b"1234")
    await client.register_agent(agent)
    with FakeDaemon(daemon.address, reader=False, card=False) as stranger:
        stranger.agents = daemon.agents
        reply = await asyncio.to_thread(stranger.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {})
    assert reply.error_name == "org.cardd1.Error.NotAuthorized"
    assert not agent.asked.is_set()


async def test_cancel_ends_the_question(client: CarddClient, daemon: FakeDaemon) -> None:
    agent = PatientAgent()
    await client.register_agent(agent)
    asking = asyncio.create_task(asyncio.to_thread(daemon.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {}))
    await agent.asked.wait()
    await asyncio.to_thread(daemon.ask_agent, "Cancel", "")
    reply = await asking
    assert reply.error_name == "org.cardd1.Error.Cancelled"
    assert agent.cancelled


async def test_closing_the_client_ends_the_question(daemon: FakeDaemon) -> None:
    agent = PatientAgent()
    async with await CarddClient.connect(daemon.address) as client:
        await client.register_agent(agent)
        asking = asyncio.create_task(asyncio.to_thread(daemon.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {}))
        await agent.asked.wait()
    assert (await asking).message_type is MessageType.ERROR
    assert agent.cancelled


async def test_an_agent_that_raises_tells_only_the_kind(client: CarddClient, daemon: FakeDaemon) -> None:
    await client.register_agent(PatientAgent(ValueError("1234 is what the user typed")))
    reply = await asyncio.to_thread(daemon.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {})
    assert reply.error_name == "org.cardd1.Error.AgentFailed"
    assert "ValueError" in reply.body[0]
    assert "1234" not in reply.body[0]


@pytest.mark.parametrize(
    ("member", "signature", "values", "error"),
    [
        ("RequestPin", "s", ["x"], "org.freedesktop.DBus.Error.InvalidArgs"),
        ("Guess", "", [], "org.freedesktop.DBus.Error.UnknownMethod"),
        ("RequestPin", "oa{sv}", [CARD_PATH, {"minimum": Variant("s", "x")}], "org.cardd1.ClientError.UnexpectedReply"),
    ],
)
async def test_a_question_that_cannot_be_understood(
    client: CarddClient, daemon: FakeDaemon, member: str, signature: str, values: list[object], error: str
) -> None:
    await client.register_agent(PatientAgent(b"1234"))
    reply = await asyncio.to_thread(daemon.ask_agent, member, signature, *values)
    assert reply.error_name == error


async def test_the_agent_registered_last_is_found_and_withdrawn(client: CarddClient, daemon: FakeDaemon) -> None:
    first, second = PatientAgent(b"1111"), PatientAgent(b"2222")
    await client.register_agent(first)
    registration = await client.register_agent(second)
    reply = await asyncio.to_thread(daemon.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {})
    with open(reply.unix_fds[0], "rb") as reading:
        assert reading.read() == b"2222"
    await client.unregister_agent(registration)
    reply = await asyncio.to_thread(daemon.ask_agent, "RequestPin", "oa{sv}", CARD_PATH, {})
    os.close(reply.unix_fds[0])
    assert first.asked.is_set()


async def test_an_agent_that_the_daemon_refuses_is_taken_away(client: CarddClient, daemon: FakeDaemon) -> None:
    daemon.failures["RegisterAgent"] = Refusal("AgentFailed", reason="too many")
    with pytest.raises(errors.AgentFailed):
        await client.register_agent(PatientAgent())
    assert not client._core.connection.served._objects


async def test_prepared_answers_are_given_once() -> None:
    agent = PreparedAnswers({PinPurpose.CHANGE_CURRENT: bytearray(b"1234")})
    assert await agent.request_pin(_request("change-current")) == bytearray(b"1234")
    assert await agent.request_pin(_request("change-current")) is None
    assert await agent.request_pin(_request("a purpose of a later version")) is None
