"""Readers and cards on the loop, fed by a real watch over an in-process PC/SC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from cardd.cards import roster
from cardd.cards.connection import HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import VolatileMemory
from cardd.cards.present import CardState, PresentCard
from cardd.cards.roster import Roster
from cardd.readers.events import ReaderEvent
from cardd.readers.insertion import Departure
from cardd.readers.stack import Disposition, PcscStack, Share
from cardd.readers.udev import DeviceEvent, ReaderFacts, UsbReader
from cardd.readers.watch import Watch
from cardd_drivers.contract import CardRemoved
from cardsim.transports.inprocess import InProcessPcsc
from tests.unit.cards.listening import PATIENCE, Listener
from tests.unit.cards.support import SmallCard, SmallDriver, sign, verify

NAME = "Fictional Reader One 00 00"


class Devices:
    """USB devices as a test says."""

    def __init__(self) -> None:
        self.devices: list[UsbReader] = []
        self.changed: Callable[[DeviceEvent], None] | None = None
        self.fails = False

    def usb_readers(self) -> Iterable[UsbReader]:
        if self.fails:
            raise OSError(5, "Input/output error")
        return self.devices

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        self.changed = changed
        return self.end

    def end(self) -> None:
        self.changed = None


class Scene:
    """A roster and the watch that feeds it."""

    def __init__(self, hold: HoldMode = HoldMode.SESSION) -> None:
        self.pcsc = InProcessPcsc()
        self.reader = self.pcsc.add_reader(NAME)
        self.stack = PcscStack(self.pcsc)
        self.listener = Listener()
        self.devices = Devices()
        self.roster = Roster(
            self.stack,
            Drivers([SmallDriver()]),
            self.listener,
            memory=VolatileMemory(),
            hold=hold,
            queue=8,
            devices=self.devices,
        )
        loop = asyncio.get_running_loop()

        def notify(event: ReaderEvent) -> None:
            loop.call_soon_threadsafe(self.roster.handle, event)

        self.watch = Watch(self.stack, notify)
        self.roster.watched_by(self.watch.look_again)
        self.watch.start()

    @property
    def card(self) -> PresentCard:
        """The one card that is in."""
        (card,) = self.roster.cards
        return card

    async def identified(self, card: SmallCard | None = None) -> PresentCard:
        """Insert a card and wait until it is known."""
        self.reader.insert(card or SmallCard())
        await self.listener.until(("card_changed", "identified"))
        return self.card


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(hold: HoldMode = HoldMode.SESSION) -> Scene:
        scenes.append(Scene(hold))
        return scenes[-1]

    yield make
    for scene in scenes:
        assert await asyncio.to_thread(scene.watch.stop, PATIENCE)
        assert await scene.roster.stop(PATIENCE)
        scene.pcsc.close()


async def test_a_card_comes_is_identified_and_goes(make: Callable[..., Scene]) -> None:
    scene = make()
    card = await scene.identified()
    (reader,) = scene.roster.readers
    assert reader.card is card
    scene.reader.remove()
    await scene.listener.until(("card_departed", "card-removed"))
    assert scene.listener.told == [
        ("reader_added", NAME),
        ("card_inserted", NAME),
        ("card_changed", "identified"),
        ("card_departed", "card-removed"),
    ]
    assert reader.card is None
    assert list(scene.roster.cards) == []


async def test_the_old_cards_departure_precedes_the_new_card(make: Callable[..., Scene]) -> None:
    scene = make()
    old = await scene.identified()
    scene.reader.swap(SmallCard("SERIAL-2"), counted=True)
    await scene.listener.until(("card_changed", "identified"), count=2)
    told = [what for what, _ in scene.listener.told]
    assert told.index("card_departed") < len(told) - 1 - told[::-1].index("card_inserted")
    assert scene.card is not old
    assert scene.card.identity is not None
    assert scene.card.identity.serial == "SERIAL-2"
    with pytest.raises(CardRemoved):
        await old.run(sign, caller="a")


async def test_an_uncounted_swap_is_found_by_the_next_operation(make: Callable[..., Scene]) -> None:
    scene = make()
    old = await scene.identified()
    await old.hold()
    await old.run(verify, caller="a")
    scene.reader.swap(SmallCard("SERIAL-2"), counted=False)
    with pytest.raises(CardRemoved):
        await old.run(sign, caller="a")
    await scene.listener.until(("card_departed", "card-removed"))
    await scene.listener.until(("card_changed", "identified"), count=2)
    assert scene.card.identity is not None
    assert scene.card.identity.serial == "SERIAL-2"


async def test_the_listener_hears_of_a_departure_before_pending_work_fails(make: Callable[..., Scene]) -> None:
    scene = make()
    simulated = SmallCard()
    card = await scene.identified(simulated)
    await card.hold()
    simulated.computing.clear()
    simulated.may_answer.clear()
    work = asyncio.ensure_future(card.run(sign, caller="a"))
    waiting = asyncio.ensure_future(card.run(sign, caller="b"))
    assert await asyncio.to_thread(simulated.computing.wait, PATIENCE)
    done: list[bool] = []
    scene.listener.at_departure = lambda _: done.append(waiting.done())
    scene.reader.remove()
    for task in (work, waiting):
        with pytest.raises(CardRemoved):
            await task
    await scene.listener.until(("card_departed", "card-removed"))
    assert done == [False]
    simulated.may_answer.set()


async def test_a_card_stuck_in_the_library_ends_for_its_callers_all_the_same(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make()
    card = await scene.identified()
    await card.hold()
    stuck, release = threading.Event(), threading.Event()
    transmit = scene.pcsc.SCardTransmit

    def never_returns(*arguments: Any) -> Any:
        stuck.set()
        release.wait()
        return transmit(*arguments)

    monkeypatch.setattr(scene.pcsc, "SCardTransmit", never_returns, raising=False)
    work = asyncio.ensure_future(card.run(sign, caller="a"))
    assert await asyncio.to_thread(stuck.wait, PATIENCE)
    scene.reader.remove()
    with pytest.raises(CardRemoved):
        await work
    monkeypatch.undo()
    scene.reader.insert(SmallCard("SERIAL-2"))
    # PC/SC lets nobody else at the reader as long as the stuck call has it.
    await scene.listener.until(("card_changed", "in-use"))
    release.set()
    await scene.listener.until(("card_changed", "identified"), count=2)


async def test_a_card_that_another_program_holds_is_tried_again_when_it_is_free(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.listener.until(("reader_added", NAME))
    simulated = SmallCard()
    connect = scene.pcsc.SCardConnect
    others = iter([scene.stack.establish()])
    held: list[Any] = []

    def other_is_faster(context: int, reader: str, share: int, protocols: int) -> Any:
        if (other := next(others, None)) is not None:
            held.append(other.connect(reader, Share.EXCLUSIVE))
        return connect(context, reader, share, protocols)

    scene.pcsc.__dict__["SCardConnect"] = other_is_faster
    scene.reader.insert(simulated)
    await scene.listener.until(("card_changed", "in-use"))
    held[0].disconnect(Disposition.LEAVE)
    await scene.listener.until(("card_changed", "identified"))


async def test_the_service_dies_and_comes_back(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.identified()
    scene.pcsc.die()
    await scene.listener.until(("card_departed", "pcscd-lost"), ("reader_removed", NAME))
    scene.pcsc.revive()
    await scene.listener.until(("card_changed", "identified"), count=2)
    assert scene.roster.pcsc_reachable


async def test_an_unplugged_reader_takes_its_card_along(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.identified()
    scene.pcsc.remove_reader(NAME)
    await scene.listener.until(("reader_removed", NAME))
    assert [what for what, _ in scene.listener.told][-2:] == ["card_departed", "reader_removed"]


async def test_facts_of_a_reader_come_from_udev_and_follow_it(make: Callable[..., Scene]) -> None:
    scene = make()
    device = UsbReader("04e6", "5790", "Fictional", "Reader One", "", "seat0")
    scene.devices.devices = [device]
    await scene.listener.until(("reader_changed", "04E6:5790"))
    (reader,) = scene.roster.readers
    assert reader.facts == ReaderFacts("04E6:5790", "seat0")
    scene.devices.devices = []
    assert scene.devices.changed is not None
    scene.devices.changed(DeviceEvent("/elsewhere", gone=True))
    await scene.listener.until(("reader_changed", "None"))


DEVICE = UsbReader("04e6", "5790", "Fictional", "Reader One", "", "seat0", "/devices/usb1/1-2")


async def known_to_udev(scene: Scene, *devices: UsbReader) -> PresentCard:
    """Insert a card into a reader that udev knows; wait until both are known."""
    scene.devices.devices = list(devices)
    card = await scene.identified()
    await scene.listener.until_true(lambda: any(what == "reader_changed" for what, _ in scene.listener.told))
    return card


def unplug(scene: Scene, device: UsbReader) -> None:
    """udev tells first: PC/SC has the reader still."""
    scene.devices.devices.remove(device)
    assert scene.devices.changed is not None
    scene.devices.changed(DeviceEvent(device.path, gone=True))


async def test_udev_is_believed_that_sees_the_reader_go_first(make: Callable[..., Scene]) -> None:
    scene = make()
    card = await known_to_udev(scene, DEVICE)
    unplug(scene, DEVICE)
    assert card.insertion.mark.reason is Departure.READER_REMOVED
    assert scene.listener.told[-1] == ("card_departed", "reader-removed")
    with pytest.raises(CardRemoved):
        await card.run(sign, caller="a")
    # PC/SC looks, as it is asked to, and still has reader and card: they are not told of again.
    looked = scene.watch.round
    await asyncio.to_thread(scene.watch.look_again)
    await scene.listener.until(("reader_changed", "None"))
    while scene.watch.round < looked + 2:
        await asyncio.sleep(0.01)
    assert list(scene.roster.cards) == []
    scene.pcsc.remove_reader(NAME)
    await scene.listener.until(("reader_removed", NAME))
    assert [what for what, _ in scene.listener.told].count("card_departed") == 1


async def test_a_reader_that_is_plugged_in_again_serves_again(make: Callable[..., Scene]) -> None:
    scene = make()
    await known_to_udev(scene, DEVICE)
    unplug(scene, DEVICE)
    scene.pcsc.remove_reader(NAME)
    await scene.listener.until(("reader_removed", NAME))
    scene.devices.devices.append(DEVICE)
    scene.reader = scene.pcsc.add_reader(NAME)
    scene.reader.insert(SmallCard())
    await scene.listener.until(("card_changed", "identified"), count=2)


async def test_pcsc_is_believed_in_the_end(make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """The device that went was another one after all."""
    monkeypatch.setattr(roster, "UNPLUGGED_SECONDS", 0.05)
    scene = make()
    old = await known_to_udev(scene, DEVICE)
    unplug(scene, DEVICE)
    await scene.listener.until(("card_changed", "identified"), count=2)
    assert scene.card.insertion is not old.insertion


async def test_of_two_of_a_kind_neither_is_ended_by_udev(make: Callable[..., Scene]) -> None:
    scene = make()
    twin = replace(DEVICE, path="/devices/usb1/1-3")
    card = await known_to_udev(scene, DEVICE, twin)
    unplug(scene, twin)
    unplug(scene, DEVICE)
    assert not card.insertion.mark.is_set


async def test_what_was_certain_stays_so_when_a_twin_is_plugged_in(make: Callable[..., Scene]) -> None:
    scene = make()
    card = await known_to_udev(scene, DEVICE)
    twin = replace(DEVICE, path="/devices/usb1/1-3", seat="seat-other")
    scene.devices.devices.append(twin)
    assert scene.devices.changed is not None
    scene.devices.changed(DeviceEvent(twin.path, gone=False))
    (reader,) = scene.roster.readers
    await scene.listener.until_true(lambda: reader.facts.seat is None)
    unplug(scene, twin)
    assert not card.insertion.mark.is_set
    unplug(scene, DEVICE)
    assert card.insertion.mark.reason is Departure.READER_REMOVED


async def test_udev_that_fails_costs_the_facts_alone(
    make: Callable[..., Scene], caplog: pytest.LogCaptureFixture
) -> None:
    scene = make()
    scene.devices.fails = True
    card = await scene.identified()
    assert card.state is CardState.IDENTIFIED
    assert "udev cannot be asked" in caplog.text


async def test_stopping_ends_every_card_and_resets_the_held_one(make: Callable[..., Scene]) -> None:
    scene = make()
    simulated = SmallCard()
    card = await scene.identified(simulated)
    await card.hold()
    await card.run(verify, caller="a")
    assert simulated.verified
    assert await scene.roster.stop(PATIENCE)
    assert not simulated.verified
    assert card.insertion.mark.reason is Departure.DAEMON_STOPPED
    assert scene.listener.told[-2:] == [("card_departed", "daemon-stopped"), ("reader_removed", NAME)]
    assert scene.devices.changed is None


async def test_a_kiosk_takes_the_card_before_others(make: Callable[..., Scene]) -> None:
    scene = make(HoldMode.INSERTION)
    card = await scene.identified()
    assert card.is_held
    with pytest.raises(Exception, match="SHARING_VIOLATION"):
        scene.stack.establish().connect(NAME, Share.SHARED)


async def test_ten_thousand_insertions_would_leave_nothing_behind(make: Callable[..., Scene]) -> None:
    scene = make()
    simulated = SmallCard()
    await scene.identified(simulated)
    threads = threading.active_count()
    for number in range(1, 30):
        scene.reader.remove()
        await scene.listener.until(("card_departed", "card-removed"), count=number)
        scene.reader.insert(simulated)
        await scene.listener.until(("card_changed", "identified"), count=number + 1)
    assert await asyncio.to_thread(scene.roster._workers.join, PATIENCE)
    assert len(scene.roster._tasks) == 0
    assert threading.active_count() <= threads + 3
