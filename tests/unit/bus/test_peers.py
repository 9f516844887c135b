"""Who calls: asked once, in order, forgotten."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from cardd.access.caller import Caller
from cardd.bus.failures import CallTimedOut
from cardd.bus.matching import MatchRule
from cardd.bus.peers import Peers
from cardd.bus.wire import variant

FACTS = {"UnixUserID": variant("u", 1000), "ProcessID": variant("u", 42), "UnixGroupIDs": variant("au", [1000, 27])}
CALLER = Caller(":1.5", 1000, 42, (1000, 27))


class Bus:
    """The part of the transport that is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, asyncio.Future[list[Any]]]] = []
        self.changed: Callable[[list[Any]], None] | None = None

    async def call_bus(self, member: str, takes: str, values: Sequence[Any], returns: str) -> list[Any]:
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.asked.append((values[0], answer))
        return await answer

    async def subscribe(self, rule: MatchRule, signature: str, receive: Callable[[list[Any]], None]) -> None:
        assert (rule.member, signature) == ("NameOwnerChanged", "sss")
        self.changed = receive

    def leaves(self, name: str) -> None:
        assert self.changed is not None
        self.changed([name, name, ""])


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def peers(bus: Bus) -> Peers:
    found = Peers(bus)  # type: ignore[arg-type]  # the part of it that is used
    await found.start()
    return found


async def test_all_who_wait_are_told_in_order(bus: Bus, peers: Peers) -> None:
    told: list[tuple[int, Caller | None]] = []

    def tell(number: int, caller: Caller | None) -> None:
        told.append((number, caller))

    for number in range(3):
        peers.identify(":1.5", partial(tell, number))
    await asyncio.sleep(0)
    ((name, answer),) = bus.asked
    assert name == ":1.5"
    answer.set_result([FACTS])
    await asyncio.sleep(0)
    assert told == [(0, CALLER), (1, CALLER), (2, CALLER)]
    peers.identify(":1.5", partial(tell, 3))
    assert told[-1] == (3, CALLER)
    assert peers.known(":1.5") == CALLER
    assert len(bus.asked) == 1


async def test_one_who_has_left_is_told_of_to_nobody(bus: Bus, peers: Peers) -> None:
    told: list[Caller | None] = []
    departed: list[str] = []
    peers.on_departure(departed.append)
    peers.identify(":1.5", told.append)
    await asyncio.sleep(0)
    bus.leaves(":1.5")
    bus.asked[0][1].set_result([FACTS])
    await asyncio.sleep(0)
    assert told == []
    assert departed == [":1.5"]
    assert peers.known(":1.5") is None


@pytest.mark.parametrize("facts", [{}, {"UnixUserID": variant("s", "root")}, {"ProcessID": variant("u", 1)}])
async def test_a_bus_that_does_not_say_which_user(bus: Bus, peers: Peers, facts: dict[str, Any]) -> None:
    told: list[Caller | None] = []
    peers.identify(":1.5", told.append)
    await asyncio.sleep(0)
    bus.asked[0][1].set_result([facts])
    await asyncio.sleep(0)
    assert told == [None]


async def test_a_bus_that_does_not_answer_is_asked_again(bus: Bus, peers: Peers) -> None:
    told: list[Caller | None] = []
    peers.identify(":1.5", told.append)
    await asyncio.sleep(0)
    bus.asked[0][1].set_exception(CallTimedOut("no answer"))
    await asyncio.sleep(0)
    assert told == [None]
    peers.identify(":1.5", told.append)
    await asyncio.sleep(0)
    bus.asked[1][1].set_result([{"UnixUserID": variant("u", 0)}])
    await asyncio.sleep(0)
    assert told == [None, Caller(":1.5", 0)]


async def test_arrivals_are_no_departures(bus: Bus, peers: Peers) -> None:
    departed: list[str] = []
    peers.on_departure(departed.append)
    assert bus.changed is not None
    bus.changed([":1.5", "", ":1.5"])
    assert departed == []


async def test_an_arrival_is_told_once_and_before_those_who_wait(bus: Bus, peers: Peers) -> None:
    told: list[object] = []

    def fail(_: Caller) -> None:
        raise RuntimeError("mistake")

    peers.on_arrival(fail)
    peers.on_arrival(told.append)
    for number in range(2):
        peers.identify(":1.5", partial(lambda number, _: told.append(number), number))
    await asyncio.sleep(0)
    bus.asked[0][1].set_result([FACTS])
    await asyncio.sleep(0)
    assert told == [CALLER, 0, 1]
    peers.identify(":1.5", lambda _: told.append(2))
    assert told == [CALLER, 0, 1, 2]


async def test_one_whom_the_bus_does_not_know_has_not_arrived(bus: Bus, peers: Peers) -> None:
    told: list[Caller] = []
    peers.on_arrival(told.append)
    peers.identify(":1.5", lambda _: None)
    await asyncio.sleep(0)
    bus.asked[0][1].set_exception(CallTimedOut("no answer"))
    await asyncio.sleep(0)
    assert told == []
    peers.identify(":1.5", lambda _: None)
    await asyncio.sleep(0)
    bus.asked[1][1].set_result([FACTS])
    await asyncio.sleep(0)
    assert told == [CALLER]
