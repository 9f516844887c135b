"""udev sees a reader unplugged before PC/SC does: the session ends, and the card is not shown again meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from cardd.errors import SessionEnded
from cardd.journal import Detail, Kind
from cardd.readers import udev
from cardd.readers.udev import DeviceEvent, UsbReader
from cardd.sessions.states import EndReason
from tests.support.core import HOLDER, READER, card_of, running_core

DEVICE = UsbReader("04e6", "5790", "Test", "Reader", "", "seat0", "/devices/usb1/1-2")


class OneReader:
    """udev, as far as it is asked here."""

    def __init__(self) -> None:
        self.changed: Callable[[DeviceEvent], None] = lambda event: None

    def usb_readers(self) -> Iterable[UsbReader]:
        return (DEVICE,)

    def on_change(self, changed: Callable[[DeviceEvent], None]) -> Callable[[], None]:
        self.changed = changed
        return lambda: None


async def test_the_session_ends_by_udevs_word_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = OneReader()
    monkeypatch.setattr("cardd.cards.usb_witness.open_devices", lambda: machine)
    assert udev.device_of(READER, [DEVICE]) is DEVICE
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await core.until(lambda: ("reader-changed", READER) in core.heard.news)
        machine.changed(DeviceEvent(DEVICE.path, gone=True))
        assert core.heard.ends() == [EndReason.READER_REMOVED], "PC/SC has reader and card still"
        assert core.pcsc.readers()[0].card is not None
        with pytest.raises(SessionEnded, match="reader-removed"):
            await session.sign(HOLDER, "signature", "RS256", bytes(32))
        core.pcsc.remove_reader(READER)
        await core.until(lambda: ("reader-removed", READER) in core.heard.news)
        assert [what for what, _ in core.heard.news].count("card-added") == 1
        departed = [event.what[Detail.REASON] for event in core.journal.events if event.kind is Kind.CARD_DEPARTED]
        assert departed == ["reader-removed"]
