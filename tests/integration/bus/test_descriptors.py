"""Whatever happens to a call, no descriptor stays open.

In dbus-next they leak for an unknown method, a wrong signature and a raising handler, and those that a handler returns
are never closed.
"""

import asyncio
import os
from typing import Any

import pytest

from cardd.bus.failures import BadReply, RemoteError
from cardd.bus.framing import Incoming
from cardd.bus.interface import Call, OwnedFd
from cardd.bus.limits import Limits
from cardd.bus.message import Header, Kind
from cardd.bus.outgoing import Outgoing
from cardd.bus.transport import RemoteMethod, Transport
from cardd.bus.wire import encode_body
from tests.support.bus import PrivateBus
from tests.support.gadget import ECHO, NAME, PATH, ROOT, SERVICE, WAIT, Gadget, Served, null, open_descriptors, send_raw


async def fails(client: Transport, path: str, method: RemoteMethod, *values: object) -> str:
    with pytest.raises(RemoteError) as caught:
        await client.call(SERVICE, path, method, values)
    return caught.value.name


async def settled(expected: int) -> bool:
    """Whether the number of open descriptors comes down to what is expected (those of a call close after its reply)."""
    for _ in range(1000):
        if open_descriptors() == expected:
            return True
        await asyncio.sleep(0)
    return False


async def test_a_thousand_descriptors_for_an_unknown_method(served: Served) -> None:
    client = await served.client()
    await served.call(client, RemoteMethod(NAME, "WhoAmI", "", "su"))
    before = open_descriptors()
    unknown = RemoteMethod(NAME, "NoSuchMethod", "h")
    for _ in range(10):
        errors = await asyncio.gather(*(fails(client, PATH, unknown, null()) for _ in range(100)))
        assert set(errors) == {"org.freedesktop.DBus.Error.UnknownMethod"}
    assert open_descriptors() <= before


@pytest.mark.parametrize(
    ("path", "member", "takes", "values"),
    [
        (f"{ROOT}/no", "KeepDescriptor", "h", ()),
        (PATH, "KeepDescriptor", "hs", ("x",)),
        (PATH, "FailWithDescriptor", "ha{sv}", ({},)),
        (PATH, "EchoDescriptor", "hh", (None,)),
    ],
)
async def test_a_call_that_fails(served: Served, path: str, member: str, takes: str, values: tuple[Any, ...]) -> None:
    client = await served.client()
    before = open_descriptors()
    given = [null() if value is None else value for value in values]
    await fails(client, path, RemoteMethod(NAME, member, takes), null(), *given)
    assert await settled(before)


async def test_more_descriptors_than_arguments(served: Served) -> None:
    """A message may carry some that its body does not name."""
    client = await served.client()
    before = open_descriptors()
    send_raw(client, "KeepDescriptor", "h", encode_body("h", [null()])[0], [null(), null(), null()])
    await served.gadget.called.wait()
    served.gadget.kept.pop().close()
    assert await settled(before)


async def test_a_descriptor_that_was_not_sent(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    send_raw(client, "KeepDescriptor", "h", b"\5\0\0\0", [null()])
    assert await served.call(client, ECHO, b"x") == [b"x"]
    assert not served.gadget.kept
    assert await settled(before)


async def test_two_arguments_that_name_one_descriptor(served: Served) -> None:
    """Neither the handler nor the cleaning afterwards closes one that is not its own."""
    client = await served.client()
    before = open_descriptors()
    send_raw(client, "KeepTwo", "hh", bytes(8), [null()])
    await served.gadget.called.wait()
    first, second = served.gadget.kept
    assert os.fstat(first.fileno()).st_rdev == os.fstat(second.fileno()).st_rdev
    assert first.fileno() != second.fileno()
    first.close()
    second.close()
    assert await settled(before)


async def test_a_descriptor_that_is_given_back(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    ends = os.pipe2(os.O_CLOEXEC)
    (back,) = await served.call(client, RemoteMethod(NAME, "EchoDescriptor", "h", "h"), OwnedFd(ends[1]))
    os.write(back.fileno(), b"through")
    assert os.read(ends[0], 100) == b"through"
    back.close()
    os.close(ends[0])
    assert await settled(before)


async def test_a_descriptor_that_is_given_back_while_the_bus_stands_still(
    bus: PrivateBus, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is over long before its reply leaves with the descriptor that it came with."""
    client = await served.client()
    before = open_descriptors()

    async def stop_and_echo(self: Gadget, call: Call, file: OwnedFd) -> OwnedFd:
        bus.stop()
        while not served.transport._writer.waiting_bytes:
            served.tree.emit(PATH, Gadget.ticked, bytes(100_000))
        self.called.set()
        return file

    monkeypatch.setattr(served.gadget, "echo_descriptor", stop_and_echo.__get__(served.gadget))
    calling = asyncio.ensure_future(served.call(client, RemoteMethod(NAME, "EchoDescriptor", "h", "h"), null()))
    await served.gadget.called.wait()
    while served.dispatcher._ledger.calls:
        await asyncio.sleep(0)
    bus.resume()
    (back,) = await calling
    os.fstat(back.fileno())
    back.close()
    assert await settled(before)


async def test_descriptors_that_are_returned(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    for _ in range(50):
        (given,) = await served.call(client, RemoteMethod(NAME, "GiveDescriptor", "", "h"))
        given.close()
    assert await settled(before)


async def test_a_descriptor_beside_a_mistake(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    assert await fails(client, PATH, RemoteMethod(NAME, "GiveDescriptorBadly", "", "hs")) == "org.cardd1.Error.Internal"
    assert await settled(before)


async def test_an_answer_with_a_descriptor_that_nobody_expects(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    with pytest.raises(BadReply):
        await served.call(client, RemoteMethod(NAME, "GiveDescriptor", "", "s"))
    assert await settled(before)


async def test_a_descriptor_that_the_handler_takes(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    await served.call(client, RemoteMethod(NAME, "KeepDescriptor", "h"), null())
    (kept,) = served.gadget.kept
    os.fstat(kept.fileno())
    kept.close()
    assert await settled(before)


async def test_a_caller_that_leaves(served: Served) -> None:
    before = open_descriptors()
    client = await served.client()
    waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
    await served.gadget.started.wait()
    client.close()
    await served.gadget.cancelled.wait()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await settled(before)


async def test_descriptors_under_way_are_bounded(bus: PrivateBus) -> None:
    async with Served(bus.address, limits=Limits(descriptors_per_connection=2)) as served:
        client = await served.client()
        waiting = [asyncio.ensure_future(served.call(client, WAIT, null())) for _ in range(2)]
        await served.gadget.started.wait()
        before = open_descriptors()
        assert await fails(client, PATH, WAIT, null()) == "org.freedesktop.DBus.Error.LimitsExceeded"
        assert await settled(before)
        served.gadget.release.set()
        await asyncio.gather(*waiting)
        await served.call(client, RemoteMethod(NAME, "KeepDescriptor", "h"), null())


async def asked(client: Transport) -> tuple[asyncio.Future[list[Any]], asyncio.Future[Incoming], Header]:
    """A call that nobody answers, what waits for its answer, and the header that an answer would have."""
    method = RemoteMethod(NAME, "Wait", "", "h")
    calling = asyncio.ensure_future(client.call(client.unique_name, PATH, method))
    client.on_call = Incoming.close
    await asyncio.sleep(0)
    ((serial, pending),) = client._pending.items()
    header = Header(Kind.METHOD_RETURN, 1, 1, reply_serial=serial, sender=client.unique_name, signature="h", unix_fds=2)
    return calling, pending.answer, header


async def test_an_answer_with_more_descriptors_than_it_names(served: Served) -> None:
    calling, answer, header = await asked(await served.client())
    named, other = null(), null()
    answer.set_result(Incoming(header, ord("l"), bytes(4), 100, descriptors=[named, other]))
    assert await calling == [named]
    assert other.closed
    named.close()


async def test_an_answer_that_comes_while_it_is_given_up(served: Served) -> None:
    calling, answer, header = await asked(await served.client())
    descriptors = [null(), null()]
    answer.set_result(Incoming(header, ord("l"), bytes(4), 100, descriptors=descriptors))
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert all(one.closed for one in descriptors)


async def test_what_waits_when_the_connection_ends(bus: PrivateBus, served: Served) -> None:
    bus.stop()
    while not served.transport._writer.waiting_bytes:
        served.tree.emit(PATH, Gadget.ticked, bytes(100_000))
    descriptor = null()
    served.transport.send(Outgoing(b"reply", [descriptor]))
    assert not descriptor.closed
    served.transport.close()
    assert descriptor.closed
