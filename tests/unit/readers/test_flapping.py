"""Arrivals at a reader that flaps wait until it is quiet; departures never do."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.readers import flapping
from cardd.readers.events import (
    Availability,
    CardDeparted,
    CardInserted,
    PcscFound,
    ReaderAdded,
    ReaderEvent,
    ReaderRemoved,
)
from cardd.readers.flapping import Damper
from cardd.readers.insertion import Departure, Insertion

READER = "Fictional Reader 00 00"
PATIENCE = 20.0


class Scene:
    """A damper, what went in and what came out."""

    def __init__(self, limit: int) -> None:
        self.told: list[ReaderEvent] = []
        self.changed = asyncio.Event()
        self.damper = Damper(limit, self._take)
        self.insertion: Insertion | None = None
        self.listed = False

    def _take(self, event: ReaderEvent) -> None:
        self.told.append(event)
        self.changed.set()

    def plug(self) -> None:
        self.listed = True
        self.damper.handle(ReaderAdded(READER))

    def unplug(self) -> None:
        self.remove()
        self.listed = False
        self.damper.handle(ReaderRemoved(READER))

    def insert(self) -> None:
        self.insertion = Insertion(READER, b"\x3b\x00")
        self.damper.handle(CardInserted(self.insertion))

    def remove(self) -> None:
        insertion, self.insertion = self.insertion, None
        if insertion is not None:
            insertion.mark.set(Departure.CARD_REMOVED)
            self.damper.handle(CardDeparted(insertion))

    def shown(self) -> tuple[bool, Insertion | None]:
        """What somebody who hears what is told takes to be there; checks that it makes sense."""
        listed, insertion = False, None
        for event in self.told:
            match event:
                case ReaderAdded():
                    assert not listed
                    listed = True
                case ReaderRemoved():
                    assert listed
                    assert insertion is None
                    listed = False
                case CardInserted():
                    assert listed
                    assert insertion is None
                    insertion = event.insertion
                case CardDeparted():
                    assert insertion is event.insertion
                    insertion = None
                case _:
                    pass
        return listed, insertion

    async def until_calm(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.shown() != (self.listed, self.insertion):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(autouse=True)
def _short_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flapping, "QUIET_SECONDS", 0.05)


async def test_a_user_who_inserts_and_removes_is_told_at_once() -> None:
    scene = Scene(limit=20)
    scene.plug()
    for _ in range(5):
        scene.insert()
        assert scene.shown() == (True, scene.insertion)
        scene.remove()
        assert scene.shown() == (True, None)
    assert len(scene.told) == 11


async def test_a_card_that_flaps_is_told_so_often_and_again_when_it_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    scene = Scene(limit=20)
    scene.plug()
    for _ in range(500):
        scene.insert()
        scene.remove()
    scene.insert()
    assert sum(isinstance(event, CardInserted) for event in scene.told) == 19
    assert scene.shown() == (True, None)
    await scene.until_calm()
    assert sum(isinstance(event, CardInserted) for event in scene.told) == 20
    assert "482 arrivals were not shown" in caplog.text
    assert caplog.text.count("flaps") == 1


async def test_a_reader_that_flaps_is_told_so_often_and_again_when_it_stays() -> None:
    scene = Scene(limit=20)
    for _ in range(200):
        scene.plug()
        scene.insert()
        scene.unplug()
    assert len(scene.told) == 40
    assert scene.shown() == (False, None)
    scene.plug()
    scene.insert()
    await scene.until_calm()
    assert scene.shown() == (True, scene.insertion)


async def test_a_departure_of_what_is_shown_never_waits() -> None:
    scene = Scene(limit=3)
    scene.plug()
    scene.insert()
    scene.remove()
    scene.insert()
    scene.remove()
    scene.insert()  # held back
    held = scene.insertion
    await scene.until_calm()
    assert held is not None
    scene.remove()
    assert scene.told[-1] == CardDeparted(held)


async def test_what_was_never_shown_does_not_depart() -> None:
    scene = Scene(limit=1)
    scene.plug()
    scene.insert()
    scene.remove()
    assert scene.told == [ReaderAdded(READER)]
    scene.damper.handle(Availability(Insertion(READER, b"\x3b\x00"), exclusive=True, in_use=False))
    assert scene.told == [ReaderAdded(READER)]


async def test_other_readers_and_the_service_are_none_of_its_business() -> None:
    scene = Scene(limit=1)
    scene.plug()
    scene.insert()
    scene.damper.handle(ReaderAdded("Another 00 00"))
    scene.damper.handle(PcscFound())
    assert scene.told == [ReaderAdded(READER), ReaderAdded("Another 00 00"), PcscFound()]


async def test_without_a_limit_everything_passes() -> None:
    scene = Scene(limit=0)
    scene.plug()
    for _ in range(100):
        scene.insert()
        scene.remove()
    assert len(scene.told) == 201


async def test_readers_of_ever_new_names_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flapping, "_WINDOW", 0.0)
    damper = Damper(20, lambda event: None)
    for number in range(100):
        damper.handle(ReaderAdded(f"Reader {number}"))
        damper.handle(ReaderRemoved(f"Reader {number}"))
        await asyncio.sleep(0.001)
    assert len(damper._readers) < 100


ACTIONS = st.lists(st.sampled_from(["plug", "unplug", "insert", "remove", "wait"]), max_size=60)


@given(actions=ACTIONS, limit=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_what_is_told_makes_sense_and_ends_with_what_is_there(actions: list[str], limit: int) -> None:
    async def play() -> None:
        scene = Scene(limit)
        for action in actions:
            if action == "wait":
                await asyncio.sleep(0.001)
            elif action == "plug" and not scene.listed:
                scene.plug()
            elif action == "unplug" and scene.listed:
                scene.unplug()
            elif action == "insert" and scene.listed and scene.insertion is None:
                scene.insert()
            elif action == "remove":
                scene.remove()
            listed, insertion = scene.shown()
            assert listed <= scene.listed
            assert insertion in (None, scene.insertion)
        await scene.until_calm()
        scene.damper.stop()

    asyncio.run(play())
