"""The bus dies, freezes, or was never there."""

import asyncio
from pathlib import Path

import pytest

from cardd.bus.failures import BusLost, BusUnavailable, CallTimedOut, NameTaken, RemoteError
from cardd.bus.limits import Limits
from cardd.bus.transport import connect
from tests.support.bus import OPEN_POLICY, PrivateBus
from tests.support.gadget import ECHO, PATH, SERVICE, WAIT, Gadget, Served, null, open_descriptors


async def test_the_bus_daemon_is_killed(bus: PrivateBus, served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """In dbus-next a dead bus swallows signals in silence."""
    client = await served.client()
    waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
    await served.gadget.started.wait()
    told = asyncio.Event()
    served.transport.on_lost(told.set)
    bus.kill()
    await served.transport.lost.wait()
    assert "closed the connection" in served.transport.lost_reason
    await told.wait()
    await served.gadget.cancelled.wait()
    with pytest.raises(BusLost):
        await waiting
    with pytest.raises(BusLost):
        await served.transport.call_bus("GetId", "", (), "s")
    assert not served.tree.emit(PATH, Gadget.ended, "x")
    assert not served.tree.emit(PATH, Gadget.ended, "x", urgent=True)
    assert caplog.text.count("messages are dropped") == 1
    late = asyncio.Event()
    served.transport.on_lost(late.set)
    await late.wait()


async def test_nothing_stays_open_when_the_bus_dies() -> None:
    before = open_descriptors()
    with PrivateBus() as bus:
        async with Served(bus.address) as served:
            client = await served.client()
            waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
            await served.gadget.started.wait()
            bus.kill()
            await served.transport.lost.wait()
            await served.gadget.cancelled.wait()
            await asyncio.gather(waiting, return_exceptions=True)
    assert open_descriptors() <= before


async def test_a_bus_that_reads_no_more_is_lost(bus: PrivateBus) -> None:
    async with Served(bus.address, limits=Limits(queue_bytes=1_000_000)) as served:
        bus.stop()
        sent = 0
        while served.tree.emit(PATH, Gadget.ticked, bytes(50_000)):
            sent += 1
            assert sent < 1000
        assert "does not read" in served.transport.lost_reason
        assert served.transport.lost.is_set()


async def test_a_peer_that_does_not_answer(served: Served) -> None:
    client = await served.client()
    before = open_descriptors()
    with pytest.raises(CallTimedOut):
        await client.call(SERVICE, PATH, WAIT, (null(),), timeout=0.01)
    served.gadget.release.set()
    assert await served.call(client, ECHO, b"x") == [b"x"]
    assert not client._pending
    assert open_descriptors() <= before


async def test_giving_up_an_answer(served: Served) -> None:
    client = await served.client()
    waiting = asyncio.ensure_future(served.call(client, WAIT, null()))
    await served.gadget.started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not client._pending


async def test_a_name_that_is_taken(bus: PrivateBus, served: Served) -> None:
    other = await connect(bus.address)
    with pytest.raises(NameTaken, match=SERVICE):
        await other.request_name(SERVICE)
    other.close()


async def test_no_bus_there(tmp_path: Path) -> None:
    with pytest.raises(BusUnavailable, match="no message bus"):
        await connect(f"unix:path={tmp_path}/nothing")


@pytest.mark.parametrize("address", ["nonsense", "tcp:host=localhost,port=1", "unix:path"])
async def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(BusUnavailable):
        await connect(address)


async def test_the_second_address_is_tried(bus: PrivateBus, tmp_path: Path) -> None:
    transport = await connect(f"unix:path={tmp_path}/nothing;{bus.address}")
    assert transport.unique_name.startswith(":")
    transport.close()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([b"REJECTED EXTERNAL\r\n"], "REJECTED"),
        ([b"HELLO\r\n"], "HELLO"),
        ([b"\xff\r\n"], "decode"),
        ([b"x" * 20_000], "does not speak the authentication protocol"),
        ([b"OK 1\r\nAGREE_UNIX_FD\r\n"], "does not speak the authentication protocol"),
        ([b"OK 1\r\n", b"ERROR no descriptors\r\n"], "ERROR"),
        ([b"OK 1\r\n", None], "closed the connection"),
    ],
)
async def test_something_that_is_no_bus(tmp_path: Path, answers: list[bytes | None], problem: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readline()
            if answer is None:
                writer.close()
                return
            writer.write(answer)
        await reader.read()
        writer.close()

    before = open_descriptors()
    async with await asyncio.start_unix_server(serve, tmp_path / "socket"):
        with pytest.raises(BusUnavailable, match=problem):
            await connect(f"unix:path={tmp_path}/socket")
    assert open_descriptors() <= before + 1  # the other end may not be closed yet


async def test_a_policy_that_refuses_the_name() -> None:
    with PrivateBus(policy=OPEN_POLICY + "<policy context='mandatory'><deny own='*'/></policy>") as bus:
        transport = await connect(bus.address)
        with pytest.raises(RemoteError, match="AccessDenied"):
            await transport.request_name(SERVICE)
        transport.close()


async def test_flushing_waits_for_the_bus(bus: PrivateBus, served: Served) -> None:
    bus.stop()
    while not served.transport._writer.waiting_bytes:
        served.tree.emit(PATH, Gadget.ticked, bytes(50_000))
    flushing = asyncio.ensure_future(served.transport.flushed())
    await asyncio.sleep(0)
    assert not flushing.done()
    bus.resume()
    await flushing
    assert not served.transport._writer.waiting_bytes
