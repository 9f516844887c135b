"""The watch against a model of the world: whatever happens, in whatever order, it ends up knowing what is so."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cardd.readers.events import CardDeparted, CardInserted, PcscFound, PcscLost, ReaderAdded, ReaderRemoved
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import PcscStack
from cardd.readers.watch import Watch
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.unit.cards.support import SmallCard
from tests.unit.readers.support import PATIENCE, Recorder

NAMES = st.sampled_from(["Fictional 00 00", "Fictional 00 01", "Other 01 00"])


class WatchMachine(RuleBasedStateMachine):
    """Drives an in-process PC/SC; after each step the watch must come to know it."""

    def __init__(self) -> None:
        super().__init__()
        self.pcsc = InProcessPcsc()
        self.seen = Recorder()
        self.watch = Watch(PcscStack(self.pcsc), self.seen)
        self.alive = True
        self.readers: dict[str, InProcessReader] = {}
        self.cards: set[str] = set()
        self.watch.start()

    @rule(name=NAMES)
    def plug_in(self, name: str) -> None:
        if name not in self.readers:
            self.readers[name] = self.pcsc.add_reader(name)

    @rule(name=NAMES)
    def unplug(self, name: str) -> None:
        if self.readers.pop(name, None) is not None:
            self.pcsc.remove_reader(name)
            self.cards.discard(name)

    @rule(name=NAMES)
    def insert(self, name: str) -> None:
        if name in self.readers and name not in self.cards:
            self.readers[name].insert(SmallCard())
            self.cards.add(name)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if name in self.cards:
            self.readers[name].remove()
            self.cards.remove(name)

    @precondition(lambda self: self.alive)
    @rule(name=NAMES)
    def swap_counted(self, name: str) -> None:
        if name in self.cards:
            self.settle()
            before = self.open_insertions()[name]
            self.readers[name].swap(SmallCard("SERIAL-2"), counted=True)
            self.seen.until(lambda: self.open_insertions().get(name) not in (None, before))
            assert before.mark.reason is Departure.CARD_REMOVED

    @precondition(lambda self: self.alive)
    @rule(name=NAMES)
    def swap_uncounted_noticed_by_an_operation(self, name: str) -> None:
        if name in self.cards:
            self.settle()
            before = self.open_insertions()[name]
            self.readers[name].swap(SmallCard("SERIAL-2"), counted=False)
            before.mark.set(Departure.CARD_REMOVED)
            self.watch.look_again()
            self.seen.until(lambda: self.open_insertions().get(name) not in (None, before))

    @rule(name=NAMES)
    def reset_by_another_program(self, name: str) -> None:
        if name in self.cards and self.alive:
            self.readers[name].reset_by_other()

    @precondition(lambda self: self.alive)
    @rule()
    def service_dies(self) -> None:
        self.settle()
        before = list(self.open_insertions().values())
        self.pcsc.die()
        self.alive = False
        self.settle()
        assert all(insertion.mark.reason is Departure.PCSCD_LOST for insertion in before)

    @precondition(lambda self: not self.alive)
    @rule()
    def service_comes_back(self) -> None:
        self.pcsc.revive()
        self.alive = True
        self.watch.look_again()

    @rule()
    def settle(self) -> None:
        self.seen.until(self.knows_what_is_so)

    @invariant()
    def order_holds(self) -> None:
        self.open_insertions()

    def knows_what_is_so(self) -> bool:
        readers = set(self.readers) if self.alive else set()
        cards = self.cards if self.alive else set()
        return self.known_readers() == readers and set(self.open_insertions()) == cards

    def known_readers(self) -> set[str]:
        known: set[str] = set()
        for event in tuple(self.seen.events):
            match event:
                case ReaderAdded(reader):
                    assert reader not in known
                    known.add(reader)
                case ReaderRemoved(reader):
                    known.remove(reader)
        return known

    def open_insertions(self) -> dict[str, Insertion]:
        """Cards in readers by the events, whose order is checked on the way."""
        readers: set[str] = set()
        cards: dict[str, Insertion] = {}
        reachable: bool | None = None
        for event in tuple(self.seen.events):
            self._take(event, readers, cards)
            if isinstance(event, PcscLost | PcscFound):
                assert reachable is not isinstance(event, PcscFound)
                reachable = isinstance(event, PcscFound)
                assert not readers
        return cards

    @staticmethod
    def _take(event: Any, readers: set[str], cards: dict[str, Insertion]) -> None:
        match event:
            case ReaderAdded(reader):
                readers.add(reader)
            case ReaderRemoved(reader):
                assert reader not in cards
                readers.remove(reader)
            case CardInserted(insertion):
                assert insertion.reader in readers
                assert insertion.reader not in cards
                cards[insertion.reader] = insertion
            case CardDeparted(insertion):
                assert cards.pop(insertion.reader) is insertion
                assert insertion.mark.is_set

    def teardown(self) -> None:
        self.settle()
        assert self.watch.stop(PATIENCE)
        assert not self.open_insertions()
        self.pcsc.close()


TestWatchModel = WatchMachine.TestCase
TestWatchModel.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
