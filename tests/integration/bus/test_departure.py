"""Callers that leave, and what the service hears of it."""

import asyncio

from cardd.bus.message import Flag
from tests.support.gadget import ECHO, PATH, SERVICE, WAIT, Served, null


async def test_a_departed_callers_handler_is_cancelled(served: Served) -> None:
    """In dbus-next it runs on."""
    client, other = await served.client(), await served.client()
    departed: asyncio.Queue[str] = asyncio.Queue()
    served.dispatcher.on_departed(departed.put_nowait)
    await client.call(SERVICE, PATH, WAIT, (null(),), flags=Flag.NO_REPLY_EXPECTED)
    await served.gadget.started.wait()
    client.close()
    await served.gadget.cancelled.wait()
    assert await departed.get() == client.unique_name
    assert served.dispatcher._ledger.calls <= 1
    assert await served.call(other, ECHO, b"x") == [b"x"]


async def test_only_the_departed_callers_handlers_are(served: Served) -> None:
    leaving, staying = await served.client(), await served.client()
    waiting = asyncio.ensure_future(served.call(staying, WAIT, null()))
    await served.gadget.started.wait()
    served.gadget.started.clear()
    await leaving.call(SERVICE, PATH, WAIT, (null(),), flags=Flag.NO_REPLY_EXPECTED)
    await served.gadget.started.wait()
    leaving.close()
    await served.gadget.cancelled.wait()
    served.gadget.release.set()
    assert await waiting == []


async def test_a_caller_that_leaves_at_once(served: Served) -> None:
    """Before the bus could say who it was: nobody is answered, nothing is kept."""
    other = await served.client()
    departed: asyncio.Queue[str] = asyncio.Queue()
    served.dispatcher.on_departed(departed.put_nowait)
    for _ in range(20):
        client = await served.client()
        await client.call(SERVICE, PATH, WAIT, (null(),), flags=Flag.NO_REPLY_EXPECTED)
        client.close()
        assert await departed.get() == client.unique_name
    assert await served.call(other, ECHO, b"x") == [b"x"]
    while served.dispatcher._ledger.calls:
        await asyncio.sleep(0)
    assert set(served.dispatcher._works) == set()
    assert set(served.dispatcher._peers._peers) == {other.unique_name}


async def test_nothing_is_kept_of_the_departed(served: Served) -> None:
    departed: asyncio.Queue[str] = asyncio.Queue()
    served.dispatcher.on_departed(departed.put_nowait)
    for _ in range(10):
        client = await served.client()
        await served.call(client, ECHO, b"x")
        assert served.dispatcher._peers.known(client.unique_name)
        client.close()
        await departed.get()
        assert served.dispatcher._peers.known(client.unique_name) is None
    assert not served.dispatcher._peers._peers
    assert not served.dispatcher._ledger._by_sender


async def test_one_who_hears_of_it_and_fails_harms_nobody(served: Served) -> None:
    departed: asyncio.Queue[str] = asyncio.Queue()

    def fail(_: str) -> None:
        raise RuntimeError("mistake")

    served.dispatcher.on_departed(fail)
    served.dispatcher.on_departed(departed.put_nowait)
    client = await served.client()
    await served.call(client, ECHO, b"x")
    client.close()
    assert await departed.get() == client.unique_name
