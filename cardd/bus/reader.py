"""org.cardd1.Reader: a reader that is plugged in."""

from __future__ import annotations

import re

from cardd.bus import names
from cardd.bus.interface import Interface, dbus_property
from cardd.cards.roster import PresentReader

_SAFE = re.compile(r"[A-Za-z0-9]")


def reader_path(name: str) -> str:
    """Where a reader stands: its PC/SC name, with every byte that a path cannot hold as _xx (sd_bus_path_encode)."""
    encoded = "".join(
        one if _SAFE.fullmatch(one) else "".join(f"_{byte:02x}" for byte in one.encode("utf-8", "surrogateescape"))
        for one in name
    )
    return f"{names.READERS}/{encoded or '_'}"


class ReaderInterface(Interface):
    """Stands at /org/cardd1/readers/NAME."""

    name = names.READER

    def __init__(self, reader: PresentReader) -> None:
        super().__init__()
        self._reader = reader

    @dbus_property("s", name="Name", emits="const")
    def reader_name(self) -> str:
        """As PC/SC gives it; bytes that are no UTF-8 are replaced."""
        return self._reader.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    @dbus_property("s")
    def usb_ids(self) -> str:
        """VVVV:PPPP, or empty."""
        return self._reader.facts.usb_ids or ""

    @dbus_property("s")
    def seat(self) -> str:
        """The seat, or empty."""
        return self._reader.facts.seat or ""

    @dbus_property("b")
    def pin_pad(self) -> bool:
        """Whether PINs are typed on it."""
        return self._reader.has_pin_pad

    @dbus_property("b")
    def contactless(self) -> bool:
        """Whether cards are held to it."""
        return self._reader.contactless

    @dbus_property("o")
    def card(self) -> str:
        """The card in it, or / ."""
        card = self._reader.card
        return names.NO_OBJECT if card is None else f"{names.CARDS}/{card.insertion.number}"
