"""What callers get: results, errors by name, and never a traceback."""

import asyncio
import os
from typing import Any

import pytest

from cardd.bus.failures import RemoteError
from cardd.bus.framing import Incoming
from cardd.bus.interface import Call
from cardd.bus.limits import Limits
from cardd.bus.message import Flag, Kind, parse_preamble
from cardd.bus.outgoing import Outgoing
from cardd.bus.transport import RemoteMethod, Transport
from cardd.errors import SessionEnded
from tests.support.bus import PrivateBus
from tests.support.gadget import (
    ECHO,
    FAIL,
    GUARDED,
    NAME,
    PATH,
    ROOT,
    SECRET,
    SERVICE,
    WAIT,
    Gadget,
    Served,
    null,
    open_descriptors,
)

DBUS = "org.freedesktop.DBus.Error"
PROPERTIES = "org.freedesktop.DBus.Properties"


async def refusal(client: Transport, path: str, method: RemoteMethod, *values: object) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await client.call(SERVICE, path, method, values)
    return caught.value


async def test_a_result(served: Served) -> None:
    assert await served.call(await served.client(), ECHO, b"data") == [b"data"]


async def test_a_handler_is_told_who_calls(served: Served) -> None:
    """dbus-next hands the caller to no method."""
    client = await served.client()
    assert await served.call(client, RemoteMethod(NAME, "WhoAmI", "", "su")) == [client.unique_name, os.getuid()]
    await client.call(SERVICE, PATH, ECHO, (b"",), flags=Flag.ALLOW_INTERACTIVE_AUTHORIZATION)
    (call,) = served.gadget.calls
    assert (call.path, call.interface, call.member, call.no_reply, call.interactive) == (
        PATH,
        NAME,
        "Echo",
        False,
        True,
    )
    assert call.sender == client.unique_name
    assert call.caller.pid == os.getpid()


async def test_the_bus_is_asked_once_a_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = served.transport.call_bus

    async def counting(member: str, takes: str, values: Any, returns: str) -> list[Any]:
        asked.append(member)
        return await ask(member, takes, values, returns)

    monkeypatch.setattr(served.transport, "call_bus", counting)
    client = await served.client()
    for _ in range(3):
        await asyncio.gather(*(served.call(client, ECHO, b"x") for _ in range(5)))
    assert asked == ["GetConnectionCredentials"]


async def test_calls_start_in_the_order_in_which_they_came(served: Served) -> None:
    client = await served.client()
    await asyncio.gather(*(served.call(client, ECHO, bytes([number])) for number in range(40)))
    assert [call.member for call in served.gadget.calls] == ["Echo"] * 40
    results = await asyncio.gather(*(served.call(client, ECHO, bytes([number])) for number in range(40)))
    assert results == [[bytes([number])] for number in range(40)]


@pytest.mark.parametrize(
    ("path", "method", "name"),
    [
        (f"{ROOT}/two", ECHO, f"{DBUS}.UnknownObject"),
        (ROOT, ECHO, f"{DBUS}.UnknownInterface"),
        (PATH, RemoteMethod("org.example.Other", "Echo", "ay"), f"{DBUS}.UnknownInterface"),
        (PATH, RemoteMethod(NAME, "Other", "ay"), f"{DBUS}.UnknownMethod"),
        (PATH, RemoteMethod(PROPERTIES, "Other", "ay"), f"{DBUS}.UnknownMethod"),
        (
            PATH,
            RemoteMethod("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "ay"),
            f"{DBUS}.UnknownInterface",
        ),
    ],
)
async def test_what_is_not_there(served: Served, path: str, method: RemoteMethod, name: str) -> None:
    error = await refusal(await served.client(), path, method, b"")
    assert error.name == name


async def test_a_wrong_signature(served: Served) -> None:
    error = await refusal(await served.client(), PATH, RemoteMethod(NAME, "Echo", "s"), SECRET)
    assert error.name == f"{DBUS}.InvalidArgs"
    assert error.message == "Echo takes (ay), not (s)"


async def test_calls_without_an_interface(served: Served) -> None:
    """They fail in dbus-next; the specification allows them."""
    client = await served.client()
    none: Any = None
    assert await client.call(SERVICE, PATH, RemoteMethod(none, "Echo", "ay", "ay"), (b"x",)) == [b"x"]
    assert await client.call(SERVICE, PATH, RemoteMethod(none, "Ping")) == []
    error = await refusal(client, PATH, RemoteMethod(none, "Other"))
    assert error.name == f"{DBUS}.UnknownMethod"


async def test_one_of_ours(served: Served) -> None:
    error = await refusal(await served.client(), PATH, RemoteMethod(NAME, "FailAsForeseen"))
    assert error.name == "org.cardd1.Error.PinIncorrect"
    assert error.message == "The PIN is wrong; tries left: 2."
    assert error.fields == {"tries_left": 2}


async def test_an_unforeseen_failure_tells_nothing_but_a_reference(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """dbus-next sends the traceback, with the values in it, to the caller and to the log."""
    error = await refusal(await served.client(), PATH, FAIL, SECRET)
    assert error.name == "org.cardd1.Error.Internal"
    assert error.fields == {"reference": "ref-1"}
    assert "Traceback" not in error.message
    assert "ref-1" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "gadget.py" in caplog.text
    assert SECRET not in caplog.text + error.message


@pytest.mark.parametrize(
    ("member", "returns"),
    [("WrongType", "s"), ("HoldsNul", "s"), ("TooFew", "ss"), ("FailUnspeakably", ""), ("GuardFails", "")],
)
async def test_a_handler_that_breaks_its_word(
    served: Served, member: str, returns: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await served.client()
    error = await refusal(client, PATH, RemoteMethod(NAME, member, "", returns))
    assert error.name == "org.cardd1.Error.Internal"
    assert SECRET not in caplog.text
    assert await served.call(client, ECHO, b"still there") == [b"still there"]


async def test_a_property_that_fails(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    client = await served.client()
    (found,) = await client.call(SERVICE, PATH, RemoteMethod(PROPERTIES, "GetAll", "s", "a{sv}"), (NAME,))
    assert {name: value.value for name, value in found.items()} == {"Level": 1}
    error = await refusal(client, PATH, RemoteMethod(PROPERTIES, "Get", "ss", "v"), NAME, "Broken")
    assert error.name == "org.cardd1.Error.Internal"
    assert SECRET not in caplog.text + error.message


async def test_an_object_that_was_there_can_say_why_it_is_not(bus: PrivateBus) -> None:
    def missing(path: str) -> SessionEnded | None:
        return SessionEnded(reason="card-removed") if path == f"{ROOT}/old" else None

    async with Served(bus.address, missing=missing) as served:
        client = await served.client()
        error = await refusal(client, f"{ROOT}/old", ECHO, b"")
        assert error.name == "org.cardd1.Error.SessionEnded"
        error = await refusal(client, f"{ROOT}/never", ECHO, b"")
        assert error.name == f"{DBUS}.UnknownObject"


async def test_a_call_that_wants_no_reply_is_done(served: Served) -> None:
    client = await served.client()
    answered: list[int] = []

    def note(message: Incoming) -> None:
        answered.append(message.header.reply_serial)

    client._on_answer = note  # type: ignore[method-assign]  # to see that nothing comes
    await client.call(SERVICE, PATH, FAIL, ("x",), flags=Flag.NO_REPLY_EXPECTED)
    await client.call(SERVICE, PATH, ECHO, (b"x",), flags=Flag.NO_REPLY_EXPECTED)
    await served.gadget.called.wait()
    assert served.gadget.calls[0].no_reply
    del client._on_answer
    assert await served.call(client, ECHO, b"y") == [b"y"]
    assert answered == []


async def test_a_message_beyond_the_limit(served: Served) -> None:
    """dbus-next has no cap: the body would be held and decoded."""
    client = await served.client(Limits(message_bytes=8 << 20))
    before = open_descriptors()
    for size in (256 * 1024, 4 << 20):
        error = await refusal(client, PATH, RemoteMethod(NAME, "FailWithDescriptor", "hay"), null(), bytes(size))
        assert error.name == f"{DBUS}.LimitsExceeded"
    assert open_descriptors() <= before
    assert await served.call(client, ECHO, bytes(200_000)) == [bytes(200_000)]


async def test_an_answer_beyond_the_limit(served: Served) -> None:
    error = await refusal(await served.client(), PATH, GUARDED, 300_000)
    assert error.name == f"{DBUS}.LimitsExceeded"


async def test_calls_under_way_are_bounded(bus: PrivateBus) -> None:
    async with Served(bus.address, limits=Limits(calls_per_connection=3)) as served:
        greedy, modest = await served.client(), await served.client()
        waiting = [asyncio.ensure_future(served.call(greedy, WAIT, null())) for _ in range(3)]
        await served.gadget.started.wait()
        error = await refusal(greedy, PATH, ECHO, b"")
        assert error.name == f"{DBUS}.LimitsExceeded"
        assert await served.call(modest, ECHO, b"x") == [b"x"]
        served.gadget.release.set()
        await asyncio.gather(*waiting)
        assert await served.call(greedy, ECHO, b"x") == [b"x"]


async def test_stopping_answers_what_is_under_way(served: Served) -> None:
    client = await served.client()
    waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
    await served.gadget.started.wait()
    await served.dispatcher.stop()
    with pytest.raises(RemoteError) as caught:
        await waiting
    assert caught.value.name == "org.cardd1.Error.Cancelled"
    assert served.gadget.cancelled.is_set()
    error = await refusal(client, PATH, ECHO, b"")
    assert error.name == "org.cardd1.Error.Cancelled"


async def test_a_slow_handler_holds_up_nobody(served: Served) -> None:
    client = await served.client()
    waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
    await served.gadget.started.wait()
    assert await served.call(client, ECHO, b"x") == [b"x"]
    served.gadget.release.set()
    assert await waiting == []


async def test_changes_are_told_before_the_reply(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the reply finds the new value."""
    sent: list[int] = []
    send = served.transport.send

    def note(message: Outgoing, *, urgent: bool = False) -> bool:
        sent.append(parse_preamble(message.data).kind)
        return send(message, urgent=urgent)

    async def change(self: Gadget, call: Call, data: bytes) -> bytes:
        monkeypatch.setattr(served.transport, "send", note)
        served.tree.changed(PATH, Gadget, "Level")
        return data

    monkeypatch.setattr(served.gadget, "echo", change.__get__(served.gadget))
    await served.call(await served.client(), ECHO, b"x")
    assert sent == [Kind.SIGNAL, Kind.METHOD_RETURN]
