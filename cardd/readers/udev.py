"""What udev knows of a reader: USB ids and seat. A second witness of readers that come and go.

A PC/SC name does not say which USB device it stands for; the attribute that would (SCARD_ATTR_CHANNEL_ID) needs a
connection to the reader. The CCID driver makes the name of the device's own strings, "VENDOR PRODUCT [INTERFACE]
(SERIAL) NN MM", so these are compared. Where more than one device fits, only what they have in common is told; where
none does, nothing. That a device was unplugged speaks for its reader only where exactly one device has just these
strings: of two of a kind without serial numbers nobody can say which it was, and PC/SC alone decides.
GUESS: other drivers name readers alike; one reader of each of Debian's drivers would settle it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

_SMART_CARD_CLASS = ":0b"
"""USB interface class 0Bh (smart card), as udev lists it in ID_USB_INTERFACES."""
_USB_ID = re.compile(r"[0-9a-fA-F]{4}")
_SEAT = re.compile(r"seat[A-Za-z0-9_-]{1,240}")
_DEFAULT_SEAT = "seat0"
_SERIAL = re.compile(r"\(([^()]*)\) [0-9A-F]{2} [0-9A-F]{2}$")
_DECORATION = re.compile(r"(?: \[[^\[\]]*\])?(?: \([^()]*\))? [0-9A-F]{2} [0-9A-F]{2}$")
"""What pcscd adds to a driver's name of a reader: interface, serial number, numbers of the reader and its slot."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """What is known of a reader beside its name.

    Args:
        usb_ids: "VVVV:PPPP", hexadecimal; None when unknown or not on USB.
        seat: name of the seat; None when unknown.
    """

    usb_ids: str | None = None
    seat: str | None = None


NOTHING_KNOWN = ReaderFacts()


@dataclass(frozen=True, slots=True)
class UsbReader:
    """A USB device with a smart card interface, every value checked.

    Args:
        vendor, product: four hexadecimal digits.
        manufacturer, model: the device's own strings, possibly empty.
        serial: its own serial number, possibly empty.
        seat: name of its seat.
        path: where sysfs has it (DEVPATH); no other device is there as long as this one is plugged in.
    """

    vendor: str
    product: str
    manufacturer: str
    model: str
    serial: str
    seat: str
    path: str = ""

    @property
    def facts(self) -> ReaderFacts:
        """What is told of it."""
        return ReaderFacts(f"{self.vendor}:{self.product}".upper(), self.seat)


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A USB device came or went.

    Args:
        path: as `UsbReader.path`.
        gone: it was unplugged.
    """

    path: str
    gone: bool


class Devices(Protocol):
    """Where USB devices come from."""

    def usb_readers(self) -> Iterable[UsbReader]:
        """Those with a smart card interface that are plugged in now."""

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        """Call `changed` on the running loop when a USB device comes or goes; returns what ends that."""


def facts_of(reader: str, devices: Iterable[UsbReader]) -> ReaderFacts:
    """What is known of a reader by its PC/SC name."""
    fitting = [device for device in devices if _fits(reader, device)]
    serial = _SERIAL.search(reader)
    if serial is not None:
        fitting = [device for device in fitting if device.serial == serial[1]] or fitting
    known = {device.facts for device in fitting}
    ids, seats = {facts.usb_ids for facts in known}, {facts.seat for facts in known}
    return ReaderFacts(ids.pop() if len(ids) == 1 else None, seats.pop() if len(seats) == 1 else None)


def device_of(reader: str, devices: Iterable[UsbReader]) -> UsbReader | None:
    """The device that a reader is, None where that is not certain: no device has just the strings of its PC/SC name, or
    several have. A device's serial number stands in the name if there is one."""
    serial = _SERIAL.search(reader)
    named = (_words(_DECORATION.sub("", reader)), "" if serial is None else serial[1])
    fitting = [one for one in devices if one.model and (_words(f"{one.manufacturer} {one.model}"), one.serial) == named]
    return fitting[0] if len(fitting) == 1 else None


def _fits(reader: str, device: UsbReader) -> bool:
    words = _words(f"{device.manufacturer} {device.model}")
    return bool(_words(device.model)) and _words(reader)[: len(words)] == words


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def usb_reader(properties: Any, attributes: Any, path: str = "") -> UsbReader | None:
    """A smart card reader from a device's udev properties and sysfs attributes, or None when it is none.

    Both are hostile: a device chooses its strings.

    Args:
        properties: get(name) -> str or None.
        attributes: get(name) -> bytes or None.
        path: the kernel's, who chooses it.
    """
    interfaces = str(properties.get("ID_USB_INTERFACES") or "")
    vendor, product = (str(properties.get(name) or "") for name in ("ID_VENDOR_ID", "ID_MODEL_ID"))
    if _SMART_CARD_CLASS not in interfaces or not _USB_ID.fullmatch(vendor) or not _USB_ID.fullmatch(product):
        return None
    seat = str(properties.get("ID_SEAT") or _DEFAULT_SEAT)
    manufacturer, model, serial = (_text(attributes.get(name)) for name in ("manufacturer", "product", "serial"))
    seat = seat if _SEAT.fullmatch(seat) else _DEFAULT_SEAT
    return UsbReader(vendor, product, manufacturer, model, serial, seat, path)


def _text(value: bytes | None) -> str:
    return (value or b"")[:256].decode("utf-8", "replace").strip()


def open_devices() -> Devices:
    """The machine's devices; none at all where udev or its library is missing."""
    try:
        return Udev()
    except (ImportError, OSError) as error:
        logger.info("no udev here (%s): readers have neither USB ids nor seat", error)
        return NoDevices()


class NoDevices:
    """A machine without udev."""

    def usb_readers(self) -> Iterable[UsbReader]:
        """None."""
        return ()

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        """Nothing changes."""
        del changed
        return lambda: None


class Udev:
    """Devices by libudev.

    Raises:
        ImportError, OSError: the library is not there.
    """

    def __init__(self) -> None:
        import pyudev  # noqa: PLC0415  # loads libudev, which may be missing

        self._pyudev = pyudev
        self._context = pyudev.Context()

    def usb_readers(self) -> Iterable[UsbReader]:
        """Those with a smart card interface that are plugged in now."""
        devices = self._context.list_devices(subsystem="usb", DEVTYPE="usb_device")
        found = (usb_reader(device.properties, device.attributes, device.device_path) for device in devices)
        return [reader for reader in found if reader is not None]

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        """Listen to udev's own events, which it sends when its rules have run."""
        import asyncio  # noqa: PLC0415

        monitor = self._pyudev.Monitor.from_netlink(self._context)
        monitor.filter_by(subsystem="usb", device_type="usb_device")
        monitor.start()
        loop, descriptor = asyncio.get_running_loop(), monitor.fileno()

        def read() -> None:
            while (device := monitor.poll(timeout=0)) is not None:
                if device.action in ("add", "remove", "bind", "unbind"):
                    changed(DeviceEvent(device.device_path, gone=device.action == "remove"))

        def end() -> None:
            loop.remove_reader(descriptor)

        loop.add_reader(descriptor, read)
        return end
