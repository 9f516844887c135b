"""Many calls at once, a bus that is slow, and what leaves first."""

import asyncio
from typing import Any

import pytest

from cardd.bus.failures import RemoteError
from cardd.bus.matching import MatchRule
from cardd.bus.transport import Transport
from cardd.errors import SessionEnded
from tests.support.bus import PrivateBus
from tests.support.gadget import ECHO, GUARDED, NAME, PATH, SERVICE, Gadget, Served

TICKED = MatchRule(SERVICE, NAME, "Ticked")
ENDED = MatchRule(SERVICE, NAME, "Ended")


async def test_500_pipelined_calls_of_5_kb() -> None:
    """In dbus-next the socket fills (EAGAIN) and the connection dies; 120 calls of 1 kB suffice.

    The system bus lets a connection have 128 calls under way; this one allows more, so that ours is what is tested.
    """
    with PrivateBus(limits={"max_replies_per_connection": 1000}) as bus:
        async with Served(bus.address) as served:
            client = await served.client()
            calls = [served.call(client, ECHO, bytes([number % 256]) * 5000) for number in range(500)]
            results = await asyncio.gather(*calls)
            assert results == [[bytes([number % 256]) * 5000] for number in range(500)]
            assert not served.transport.lost.is_set()


async def test_20_connections_pipeline(served: Served) -> None:
    clients = [await served.client() for _ in range(20)]
    calls = [served.call(client, ECHO, bytes(5000)) for client in clients for _ in range(50)]
    assert await asyncio.gather(*calls) == [[bytes(5000)]] * 1000


async def test_a_bus_that_stands_still_for_a_while(bus: PrivateBus, served: Served) -> None:
    client = await served.client()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await client.subscribe(TICKED, "ay", lambda values: heard.put_nowait(values[0]))
    bus.stop()
    for number in range(100):
        assert served.tree.emit(PATH, Gadget.ticked, bytes([number]) * 50_000)
    assert served.transport._writer.waiting_bytes > 1_000_000
    bus.resume()
    for number in range(100):
        assert (await heard.get())[0] == number
    assert not served.transport.lost.is_set()


async def fill(bus: PrivateBus, served: Served) -> None:
    """Stop the bus and send until messages wait."""
    bus.stop()
    while not served.transport._writer.waiting_bytes:
        served.tree.emit(PATH, Gadget.ticked, bytes(100_000))


async def outcome(client: Transport, served: Served, order: list[str]) -> None:
    try:
        await served.call(client, GUARDED, 10)
    except RemoteError as error:
        order.append(error.name.rsplit(".", 1)[1])
    else:
        order.append("result")


async def test_never_a_result_after_the_end(bus: PrivateBus, served: Served) -> None:
    """Results that were there before the end, and still wait when it comes, do not leave; `Ended` does first."""
    client = await served.client()
    await served.call(client, ECHO, b"x")
    order: list[str] = []
    await client.subscribe(ENDED, "s", lambda values: order.append(f"Ended {values[0]}"))
    calling = [asyncio.ensure_future(outcome(client, served, order)) for _ in range(5)]
    handled = asyncio.Event()
    guarded, left = Gadget.guarded, 5

    async def count(self: Gadget, call: Any, size: int) -> bytes:
        nonlocal left
        left -= 1
        if not left:
            await fill(bus, served)
            handled.set()
        elif not handled.is_set():
            await handled.wait()
        return await guarded(self, call, size)

    served.gadget.guarded = count.__get__(served.gadget)  # type: ignore[method-assign]  # a handler that waits
    await handled.wait()
    while served.dispatcher._ledger.calls:
        await asyncio.sleep(0)
    assert served.transport._writer.waiting_bytes
    served.gadget.end = SessionEnded(reason="card-removed")
    served.tree.emit(PATH, Gadget.ended, "card-removed", urgent=True)
    bus.resume()
    await asyncio.gather(*calling)
    assert order == ["Ended card-removed", *["SessionEnded"] * 5]


async def test_a_result_that_counts_arrives(served: Served) -> None:
    order: list[str] = []
    await outcome(await served.client(), served, order)
    assert order == ["result"]


async def test_the_end_is_looked_for_when_the_reply_leaves_not_when_it_is_made(served: Served) -> None:
    client = await served.client()
    served.gadget.end = SessionEnded(reason="suspend")
    with pytest.raises(RemoteError) as caught:
        await served.call(client, GUARDED, 10)
    assert caught.value.fields == {"reason": "suspend"}
