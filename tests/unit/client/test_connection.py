"""The connection: whose signals are believed, and what serving a call may tell."""

from __future__ import annotations

import asyncio
from typing import Any

from cardd.bus.message import Header, Kind
from cardd.bus.names import SERVICE, SESSION
from cardd.client import CarddClient
from cardd.client.connection import Connection, Signal, _NotingRule
from cardd.client.serving import IncomingCall
from tests.unit.client.fake import AGENT, FakeDaemon


def _received(connection: Connection, sender: str) -> list[Signal]:
    """What listeners get of a broadcast that the bus let through."""
    heard: list[Signal] = []
    stop = connection.listen(heard.append)
    rule = _NotingRule(SERVICE, SESSION, "Ended")
    receive = connection._receiver(rule)
    header = Header(Kind.SIGNAL, 0, 7, path="/org/cardd1/sessions/1", interface=SESSION, member="Ended", sender=sender)
    assert rule.matches(header)
    receive(["card-removed"])
    stop()
    return heard


async def test_a_signal_of_a_daemon_that_is_gone_is_dropped(client: CarddClient, daemon: FakeDaemon) -> None:
    connection = client._core.connection
    (heard,) = _received(connection, daemon.unique_name)
    assert (heard.sender, heard.path, heard.values) == (daemon.unique_name, "/org/cardd1/sessions/1", ["card-removed"])
    assert _received(connection, ":1.999") == []


async def test_what_a_handler_raises_is_told_by_its_kind_alone(client: CarddClient, daemon: FakeDaemon) -> None:
    async def serve(call: IncomingCall) -> tuple[Any, ...]:
        raise RuntimeError("1234")

    client._core.connection.served.add("/here", AGENT, {"Cancel": ("", "")}, serve)
    daemon.agents.append((client._core.connection._transport.unique_name, "/here"))
    reply = await asyncio.to_thread(daemon.ask_agent, "Cancel", "")
    assert reply.error_name == "org.cardd1.Error.AgentFailed"
    assert "RuntimeError" in reply.body[0]
    assert "1234" not in reply.body[0]
