"""The driver as the daemon finds it."""

from __future__ import annotations

from cardd_drivers.contactless.atr import recognise
from cardd_drivers.contactless.card import ContactlessCard
from cardd_drivers.contract import Card, Channel, MalformedCardData, Match, Memory, UnexpectedResponse
from cardd_drivers.ias_ecc.cps3 import CPS3
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import Files


class ContactlessDriver:
    """Drives the CPS3 that is held to a reader."""

    name = "contactless"

    def matches(self, atr: bytes) -> Match:
        """Judge an ATR by its historical bytes; sends nothing."""
        return recognise(atr)

    def probe(self, channel: Channel) -> bool:
        """Whether EF.SN holds a serial number of the CPS's issuer; one exchange.

        Raises:
            The channel's errors.
        """
        try:
            read_serial(Files(*CPS3.way(channel)))
        except (UnexpectedResponse, MalformedCardData):
            return False
        return True

    def open(self, channel: Channel, memory: Memory) -> Card:
        """A card on this channel; sends nothing."""
        return ContactlessCard(channel, memory)


driver = ContactlessDriver()
