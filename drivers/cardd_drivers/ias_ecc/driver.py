"""The driver as the daemon finds it."""

from __future__ import annotations

from cardd_drivers.apdu import SHORT_LE_MAX
from cardd_drivers.contract import Card, Channel, MalformedCardData, Match, Memory, UnexpectedResponse
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc.atr import match
from cardd_drivers.ias_ecc.card import IasEccCard
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import Files


class IasEccDriver:
    """Drives the contact CPS3."""

    name = "ias-ecc"

    def matches(self, atr: bytes) -> Match:
        """Judge an ATR by its historical bytes; sends nothing."""
        return match(atr)

    def probe(self, channel: Channel) -> bool:
        """Whether EF.SN holds a serial number of the CPS's issuer; one exchange where the MF is current.

        Raises:
            The channel's errors.
        """
        try:
            read_serial(Files(Exchange(channel, SHORT_LE_MAX)))
        except (UnexpectedResponse, MalformedCardData):
            return False
        return True

    def open(self, channel: Channel, memory: Memory) -> Card:
        """A card on this channel; sends nothing."""
        return IasEccCard(channel, memory)


driver = IasEccDriver()
