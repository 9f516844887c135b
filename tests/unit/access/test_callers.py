"""Facts are gathered once a connection."""

from __future__ import annotations

import asyncio

import pytest

from cardd.access.caller import Caller
from cardd.access.callers import Callers
from cardd.access.facts import CallerFacts, CallerUnknown
from cardd.errors import NotAuthorized
from tests.unit.access.support import facts

CALLER = facts().caller


class Gatherer:
    """Gathers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, caller: Caller) -> CallerFacts:
        self.asked.append(caller.name)
        self.begun.set()
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        return facts(caller.name)


async def test_once_for_all_calls_of_a_connection() -> None:
    gatherer = Gatherer()
    callers = Callers(gatherer)
    calls = [asyncio.create_task(callers.facts(CALLER)) for _ in range(5)]
    await gatherer.begun.wait()
    calls[0].cancel()
    gatherer.free.set()
    found = await asyncio.gather(*calls[1:])
    assert found == [facts()] * 4
    assert await callers.facts(CALLER) == facts()
    assert gatherer.asked == [":1.7"]
    assert callers.known(":1.7") == facts()
    assert callers.known(":1.8") is None


@pytest.mark.parametrize("failure", [CallerUnknown("it has ended"), RuntimeError("a defect")])
async def test_a_failure_is_not_kept(failure: Exception) -> None:
    gatherer = Gatherer()
    gatherer.free.set()
    gatherer.failure = failure
    callers = Callers(gatherer)
    with pytest.raises((NotAuthorized, RuntimeError)) as caught:
        await callers.facts(CALLER)
    assert isinstance(caught.value, NotAuthorized) is isinstance(failure, CallerUnknown)
    assert callers.known(":1.7") is None
    gatherer.failure = None
    assert await callers.facts(CALLER) == facts()


async def test_a_connection_that_leaves_is_forgotten() -> None:
    gatherer = Gatherer()
    callers = Callers(gatherer)
    call = asyncio.create_task(callers.facts(CALLER))
    await gatherer.begun.wait()
    callers.forget(":1.7")
    with pytest.raises(NotAuthorized, match="left the bus"):
        await call
    gatherer.free.set()
    await callers.facts(CALLER)
    assert gatherer.asked == [":1.7", ":1.7"]
    callers.forget(":1.7")
    callers.forget(":1.9")
    assert callers.known(":1.7") is None
