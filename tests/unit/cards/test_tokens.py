"""Token sources: found, refused, and kept off what a driver of our own has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from cardd.cards.connection import HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import VolatileMemory
from cardd.cards.roster import Roster
from cardd.cards.tokens import TokenWatch, make_sources
from cardd.readers.events import CardInserted, ReaderAdded, ReaderEvent
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import PcscStack
from cardd_drivers.contract import ReaderFailure
from cardd_drivers.token_source import OpenToken, SourceUnusable, TokenListener
from cardsim.transports.inprocess import InProcessPcsc
from tests.unit.cards.listening import PATIENCE, Listener
from tests.unit.cards.support import ATR, SmallDriver

READER = "Fictional Reader One 00 00"


class FakeToken:
    """A token that cannot be opened."""

    def __init__(self, place: str, pcsc_reader: str = "") -> None:
        self.place = place
        self.pcsc_reader = pcsc_reader

    def open(self, checkpoint: Callable[[], None], lost: Callable[[], None]) -> OpenToken:
        raise ReaderFailure(self.place)


class FakeSource:
    """Tells one list of tokens."""

    name, driver = "fake", "fake"

    def __init__(self, *tokens: FakeToken) -> None:
        self.tokens = tokens
        self.stopped = threading.Event()

    def watch(self, listener: TokenListener) -> None:
        listener.tokens_are(self.tokens)
        self.stopped.wait(PATIENCE)

    def stop(self) -> None:
        self.stopped.set()


class Broken(FakeSource):
    """Fails in the midst."""

    def watch(self, listener: TokenListener) -> None:
        listener.tokens_are(self.tokens)
        raise ZeroDivisionError


def roster() -> Roster:
    return Roster(
        PcscStack(InProcessPcsc()),
        Drivers([SmallDriver()]),
        Listener(),
        memory=VolatileMemory(),
        hold=HoldMode.SESSION,
        queue=8,
    )


async def told(*sources: FakeSource) -> list[ReaderEvent]:
    """What is told from the start of a watch to its stop."""
    events: list[ReaderEvent] = []
    first = threading.Event()

    def tell(event: ReaderEvent) -> None:
        events.append(event)
        if isinstance(event, CardInserted):
            first.set()

    watch = TokenWatch(sources, tell)
    watch.start()
    assert await asyncio.to_thread(first.wait, PATIENCE)
    await asyncio.to_thread(watch.stop)
    return events


@pytest.mark.parametrize("module_first", [True, False])
async def test_a_card_that_a_driver_of_our_own_knows_is_not_taken_twice(module_first: bool) -> None:
    token, *_ = [
        one.insertion for one in await told(FakeSource(FakeToken("Slot 0", READER))) if hasattr(one, "insertion")
    ]
    assert isinstance(token, Insertion)
    through_module = Insertion("Slot 0", b"", token=token.token)
    through_pcsc = Insertion(READER, ATR)
    there = roster()
    for insertion in (through_module, through_pcsc) if module_first else (through_pcsc, through_module):
        there.handle(ReaderAdded(insertion.reader))
        there.handle(CardInserted(insertion))
    assert [card.insertion for card in there.cards] == [through_pcsc]
    assert through_module.mark.reason is Departure.READER_REMOVED
    await there.stop()


async def test_a_token_elsewhere_is_a_card_beside_the_card() -> None:
    (inserted,) = [one for one in await told(FakeSource(FakeToken("Slot 0", "Other"))) if isinstance(one, CardInserted)]
    there = roster()
    for insertion in (Insertion(READER, ATR), Insertion("Slot 0", b"", token=inserted.insertion.token)):
        there.handle(ReaderAdded(insertion.reader))
        there.handle(CardInserted(insertion))
    assert len(tuple(there.cards)) == 2
    await there.stop()


async def test_a_source_that_fails_takes_its_tokens_along_and_no_others() -> None:
    events = await told(Broken(FakeToken("A")), FakeSource(FakeToken("B")))
    ends = {one.insertion.reader: one.insertion.mark.reason for one in events if isinstance(one, CardInserted)}
    assert ends["A"] is Departure.CARD_REMOVED
    assert ends.get("B", Departure.DAEMON_STOPPED) is Departure.DAEMON_STOPPED


@pytest.mark.parametrize(
    ("name", "problem"),
    [("nothing", "there is none; known are"), ("pkcs11", r"\[\[drivers.pkcs11\]\], table 1: module")],
)
def test_a_table_that_cannot_be_used_is_named(name: str, problem: str) -> None:
    with pytest.raises(SourceUnusable, match=problem):
        make_sources({name: [{}]})
