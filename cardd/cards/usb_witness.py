"""udev's word on the readers: what it knows of them, and that one was unplugged, which it may say before PC/SC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cardd.readers.udev import DeviceEvent, Devices, ReaderFacts, UsbReader, device_of, facts_of, open_devices

logger = logging.getLogger(__name__)


class UsbWitness:
    """Asks udev about the readers that PC/SC names, on another thread, and listens to it.

    A PC/SC name leads to a device by the device's own strings (`cardd.readers.udev`). Only where that is certain does
    the device's removal speak for the reader; else PC/SC is asked to look, and decides. Belongs to the loop.

    Args:
        devices: where USB devices come from; None for this machine's udev.
        learnt: called with a reader's name and what is known of it, each time that is asked.
        unplugged: called with the name of a reader whose device is gone.
        changed: called when any USB device came or went.
    """

    def __init__(
        self,
        devices: Devices | None,
        *,
        learnt: Callable[[str, ReaderFacts], None],
        unplugged: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._devices = devices
        self._learnt = learnt
        self._unplugged = unplugged
        self._changed = changed
        self._readers: dict[str, str | None] = {}  # PC/SC name: path of its device
        self._end_of_listening: Callable[[], None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._ask_again = False

    def start(self) -> None:
        """Begin to listen; on the loop."""
        if self._devices is None:
            self._devices = open_devices()
        try:
            self._end_of_listening = self._devices.on_change(self._happened)
        except OSError as error:
            logger.warning("udev does not tell of changes: %s", error)

    def stop(self) -> None:
        """Listen no more."""
        if self._end_of_listening is not None:
            self._end_of_listening()
            self._end_of_listening = None
        if self._asking is not None:
            self._asking.cancel()

    def reader_added(self, reader: str) -> None:
        """PC/SC has a reader of this name."""
        self._readers[reader] = None
        self._ask()

    def reader_removed(self, reader: str) -> None:
        """It has it no longer."""
        self._readers.pop(reader, None)

    def _happened(self, event: DeviceEvent) -> None:
        if event.gone:
            for reader in [name for name, path in self._readers.items() if path == event.path]:
                self._readers[reader] = None
                self._unplugged(reader)
        self._changed()
        self._ask()

    def _ask(self) -> None:
        """One question at a time, however much happens meanwhile."""
        self._ask_again = True
        if self._devices is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.get_running_loop().create_task(self._learn(self._devices))

    async def _learn(self, source: Devices) -> None:
        """Ask udev, on another thread: it reads many small files."""
        while self._ask_again:
            self._ask_again = False
            asked = tuple(self._readers)
            try:
                devices = tuple(await asyncio.to_thread(source.usb_readers))
            except OSError as error:
                logger.warning("udev cannot be asked: %s", error)
                return
            if self._ask_again:
                continue  # something came or went meanwhile: what was seen may be of before
            for reader in asked:
                self._learn_of(reader, devices)

    def _learn_of(self, reader: str, devices: tuple[UsbReader, ...]) -> None:
        if reader not in self._readers:
            return
        known = self._readers[reader]
        if known is None or all(device.path != known for device in devices):
            # What was certain stays so: a twin that is plugged in later is another reader's device.
            found = device_of(reader, devices)
            self._readers[reader] = None if found is None else found.path
        self._learnt(reader, facts_of(reader, devices))
