"""What udev knows of a reader."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.readers.udev import (
    NOTHING_KNOWN,
    DeviceEvent,
    NoDevices,
    ReaderFacts,
    Udev,
    UsbReader,
    device_of,
    facts_of,
    open_devices,
    usb_reader,
)

DEVICE = UsbReader("04e6", "5790", "Fictional", "Reader One", "SER123", "seat0", "/devices/usb1/1-2")
NAME = "Fictional Reader One [CCID Interface] (SER123) 00 00"
PROPERTIES = {"ID_USB_INTERFACES": ":0b0000:", "ID_VENDOR_ID": "04e6", "ID_MODEL_ID": "5790"}
ATTRIBUTES = {"manufacturer": b"Fictional", "product": b"Reader One", "serial": b"SER123"}


def test_a_name_made_of_the_devices_strings_is_that_device() -> None:
    assert facts_of(NAME, [DEVICE]) == ReaderFacts("04E6:5790", "seat0")


def test_no_device_no_facts() -> None:
    assert facts_of(NAME, []) == NOTHING_KNOWN


@pytest.mark.parametrize(
    "name", ["Virtual PCD 00 00", "Fictional Reader 00 00", "Other Fictional Reader One 00 00", ""]
)
def test_another_name_is_another_device(name: str) -> None:
    assert facts_of(name, [DEVICE]) == NOTHING_KNOWN


def test_a_device_without_strings_is_nobody() -> None:
    assert facts_of(NAME, [replace(DEVICE, manufacturer="", model="")]) == NOTHING_KNOWN


def test_of_two_of_a_kind_the_serial_number_decides() -> None:
    other = replace(DEVICE, serial="SER124", seat="seat-other")
    assert facts_of(NAME, [other, DEVICE]) == ReaderFacts("04E6:5790", "seat0")


def test_of_two_that_cannot_be_told_apart_only_what_they_share_is_told() -> None:
    name = "Fictional Reader One 00 00"
    assert facts_of(name, [DEVICE, replace(DEVICE, seat="seat-other")]) == ReaderFacts("04E6:5790", None)
    assert facts_of(name, [DEVICE, replace(DEVICE, product="5791")]) == ReaderFacts(None, "seat0")


TWIN = replace(DEVICE, path="/devices/usb1/1-3")
NAMELESS = replace(DEVICE, serial="")


@pytest.mark.parametrize(
    ("name", "devices", "certain"),
    [
        (NAME, [DEVICE], True),
        ("Fictional Reader One [CCID Interface] (SER123) 00 01", [DEVICE], True),  # its second slot
        ("Fictional Reader One (SER123) 0A 00", [DEVICE], True),
        ("Fictional Reader One 00 00", [NAMELESS], True),
        (NAME, [DEVICE, replace(TWIN, serial="SER124")], True),
        (NAME, [DEVICE, replace(TWIN, serial="")], True),
        (NAME, [], False),
        (NAME, [DEVICE, TWIN], False),  # two of a kind with one serial number: somebody imitates
        ("Fictional Reader One 00 00", [NAMELESS, replace(TWIN, serial="")], False),
        ("Fictional Reader One 00 00", [DEVICE], False),  # its own name would show its serial number
        (NAME, [replace(DEVICE, serial="SER124")], False),
        ("Fictional Reader One Plus 00 00", [NAMELESS], False),  # another model, of which this is the beginning
        ("Fictional Reader One", [replace(DEVICE, manufacturer="", model="")], False),
        ("00 00", [replace(DEVICE, manufacturer="", model="", serial="")], False),
    ],
)
def test_a_removal_speaks_for_a_reader_only_where_it_is_certain_which_it_was(
    name: str, devices: list[UsbReader], *, certain: bool
) -> None:
    found = device_of(name, devices)
    assert found == (devices[0] if certain else None)
    assert device_of(name, reversed(devices)) == found


def test_a_device_is_read_from_its_properties_and_attributes() -> None:
    assert usb_reader(PROPERTIES, ATTRIBUTES, DEVICE.path) == DEVICE
    assert usb_reader({**PROPERTIES, "ID_SEAT": "seat-kiosk"}, ATTRIBUTES, DEVICE.path) == replace(
        DEVICE, seat="seat-kiosk"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"ID_USB_INTERFACES": ":030101:"},
        {"ID_USB_INTERFACES": None},
        {"ID_VENDOR_ID": "04e6\n"},
        {"ID_VENDOR_ID": "<x>"},
        {"ID_MODEL_ID": ""},
    ],
)
def test_what_is_no_smart_card_reader_or_has_no_ids_is_left_out(wrong: dict[str, str | None]) -> None:
    assert usb_reader({**PROPERTIES, **wrong}, ATTRIBUTES) is None


def test_a_hostile_seat_is_the_default_one() -> None:
    device = usb_reader({**PROPERTIES, "ID_SEAT": "seat0\nseat1"}, ATTRIBUTES)
    assert device is not None
    assert device.seat == "seat0"


@given(st.dictionaries(st.sampled_from(["manufacturer", "product", "serial"]), st.binary(max_size=600)), st.text())
def test_hostile_strings_do_no_harm(strings: dict[str, bytes], name: str) -> None:
    device = usb_reader(PROPERTIES, strings)
    assert device is not None
    assert facts_of(name, [device]) in (NOTHING_KNOWN, device.facts)
    assert device_of(name, [device]) in (None, device)


def test_a_machine_without_udev_has_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", None)
    devices = open_devices()
    assert isinstance(devices, NoDevices)
    assert list(devices.usb_readers()) == []
    devices.on_change(lambda event: None)()


class FakeMonitor:
    """As pyudev's."""

    def __init__(self) -> None:
        import os

        self.reading, self.writing = os.pipe()
        self.pending: list[Any] = []
        self.filter: dict[str, str] = {}

    def filter_by(self, **filters: str) -> None:
        self.filter = filters

    def start(self) -> None:
        assert self.filter == {"subsystem": "usb", "device_type": "usb_device"}

    def fileno(self) -> int:
        return self.reading

    def poll(self, timeout: float) -> Any:
        assert timeout == 0
        return self.pending.pop(0) if self.pending else None


@pytest.fixture
def udev(monkeypatch: pytest.MonkeyPatch) -> tuple[Udev, FakeMonitor]:
    monitor = FakeMonitor()
    device = SimpleNamespace(properties=PROPERTIES, attributes=ATTRIBUTES, device_path=DEVICE.path)
    context = SimpleNamespace(
        list_devices=lambda **_: [device, SimpleNamespace(properties={}, attributes={}, device_path="/x")]
    )
    fake = SimpleNamespace(Context=lambda: context, Monitor=SimpleNamespace(from_netlink=lambda _: monitor))
    monkeypatch.setitem(sys.modules, "pyudev", fake)
    return Udev(), monitor


def test_smart_card_readers_are_listed(udev: tuple[Udev, FakeMonitor]) -> None:
    assert list(udev[0].usb_readers()) == [DEVICE]


async def test_a_device_that_comes_or_goes_is_told(udev: tuple[Udev, FakeMonitor]) -> None:
    import os

    devices, monitor = udev
    told: asyncio.Queue[DeviceEvent] = asyncio.Queue()
    end: Callable[[], None] = devices.on_change(told.put_nowait)
    actions = ("change", "add", "unbind", "remove")
    monitor.pending = [SimpleNamespace(action=action, device_path=f"/{action}") for action in actions]
    os.write(monitor.writing, b"x")
    async with asyncio.timeout(20):
        events = [await told.get() for _ in range(3)]
    assert [(event.path, event.gone) for event in events] == [("/add", False), ("/unbind", False), ("/remove", True)]
    assert monitor.pending == []
    end()
    assert not asyncio.get_running_loop().remove_reader(monitor.reading)
    os.close(monitor.reading)
    os.close(monitor.writing)
