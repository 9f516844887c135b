"""What udev is asked, and when it speaks for a reader."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable

import pytest

from cardd.cards.usb_witness import UsbWitness
from cardd.readers.udev import NOTHING_KNOWN, DeviceEvent, ReaderFacts, UsbReader

NAME = "Fictional Reader One 00 00"
SECOND_SLOT = "Fictional Reader One 00 01"
DEVICE = UsbReader("04e6", "5790", "Fictional", "Reader One", "", "seat0", "/devices/usb1/1-2")
PATIENCE = 20.0


class Machine:
    """udev as a test says, and what the witness tells."""

    def __init__(self) -> None:
        self.devices: list[UsbReader] = [DEVICE]
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.refuses = False
        self.happen: Callable[[DeviceEvent], None] = lambda event: None
        self.learnt: list[tuple[str, ReaderFacts]] = []
        self.unplugged: list[str] = []
        self.changes = 0
        self.witness = UsbWitness(self, learnt=self._learn, unplugged=self.unplugged.append, changed=self._change)

    def usb_readers(self) -> Iterable[UsbReader]:
        self.asked += 1
        seen = list(self.devices)
        self.may_answer.wait(PATIENCE)
        return seen

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        if self.refuses:
            raise OSError(1, "Operation not permitted")
        self.happen = changed
        return lambda: setattr(self, "happen", lambda event: None)

    def _learn(self, reader: str, facts: ReaderFacts) -> None:
        self.learnt.append((reader, facts))

    def _change(self) -> None:
        self.changes += 1

    async def answered(self) -> None:
        """Wait until what was asked is learnt."""
        assert self.witness._asking is not None
        await asyncio.wait_for(asyncio.shield(self.witness._asking), PATIENCE)


async def test_every_slot_of_an_unplugged_reader_is_told() -> None:
    machine = Machine()
    machine.witness.start()
    for name in (NAME, SECOND_SLOT, "Another 00 00"):
        machine.witness.reader_added(name)
    await machine.answered()
    assert dict(machine.learnt) == {NAME: DEVICE.facts, SECOND_SLOT: DEVICE.facts, "Another 00 00": NOTHING_KNOWN}
    machine.happen(DeviceEvent("/devices/usb1/1-9", gone=True))
    machine.happen(DeviceEvent(DEVICE.path, gone=False))
    assert machine.unplugged == []
    machine.happen(DeviceEvent(DEVICE.path, gone=True))
    machine.happen(DeviceEvent(DEVICE.path, gone=True))
    assert machine.unplugged == [NAME, SECOND_SLOT]
    assert machine.changes == 4
    machine.witness.stop()


async def test_a_flood_of_devices_asks_udev_one_question_at_a_time() -> None:
    machine = Machine()
    machine.witness.start()
    machine.may_answer.clear()
    machine.witness.reader_added(NAME)
    await asyncio.sleep(0)
    for number in range(1000):
        machine.happen(DeviceEvent(f"/devices/usb1/1-{number}", gone=bool(number % 2)))
        await asyncio.sleep(0)
    machine.may_answer.set()
    await machine.answered()
    assert machine.asked == 2
    assert machine.learnt == [(NAME, DEVICE.facts)]
    machine.witness.stop()


async def test_what_was_seen_before_an_event_is_not_believed() -> None:
    machine = Machine()
    machine.witness.start()
    machine.may_answer.clear()
    machine.witness.reader_added(NAME)
    while not machine.asked:
        await asyncio.sleep(0.001)
    machine.devices.clear()
    machine.happen(DeviceEvent(DEVICE.path, gone=True))
    machine.may_answer.set()
    await machine.answered()
    assert machine.learnt == [(NAME, NOTHING_KNOWN)]
    machine.witness.stop()


async def test_a_reader_that_is_gone_is_asked_about_no_more() -> None:
    machine = Machine()
    machine.witness.start()
    machine.witness.reader_added(NAME)
    await machine.answered()
    machine.witness.reader_removed(NAME)
    machine.happen(DeviceEvent(DEVICE.path, gone=True))
    assert machine.unplugged == []
    machine.witness.stop()


async def test_a_udev_that_tells_of_no_changes_is_said(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.refuses = True
    machine.witness.start()
    assert "udev does not tell of changes" in caplog.text
    machine.witness.reader_added(NAME)
    await machine.answered()
    assert machine.learnt == [(NAME, DEVICE.facts)]
    machine.witness.stop()
