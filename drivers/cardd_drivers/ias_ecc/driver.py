"""The driver as the daemon finds it."""

from __future__ import annotations

from cardd_drivers.contract import (
    Card,
    CardKind,
    CardReport,
    Channel,
    MalformedCardData,
    Match,
    Memory,
    UnexpectedResponse,
)
from cardd_drivers.ias_ecc.atr import recognise
from cardd_drivers.ias_ecc.card import IasEccCard
from cardd_drivers.ias_ecc.cps3 import CPS3
from cardd_drivers.ias_ecc.cps4 import CPS4
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import Files
from cardd_drivers.ias_ecc.generation import Generation
from cardd_drivers.ias_ecc.report import Reporter


class IasEccDriver:
    """Drives the contact CPS3 and the CPS4."""

    name = "ias-ecc"

    def matches(self, atr: bytes) -> Match:
        """Judge an ATR by its historical bytes; sends nothing."""
        return recognise(atr)[0]

    def probe(self, channel: Channel) -> bool:
        """Whether EF.SN holds a serial number of the CPS's issuer; one exchange where the MF is current after a
        reset, two where the application has to be selected.

        Raises:
            The channel's errors.
        """
        try:
            read_serial(Files(*_generation(channel).way(channel)))
        except (UnexpectedResponse, MalformedCardData):
            return False
        return True

    def open(self, channel: Channel, memory: Memory) -> Card:
        """A card on this channel; sends nothing."""
        return IasEccCard(channel, memory, _generation(channel))

    def report(self, channel: Channel, *, with_identity: bool) -> CardReport:
        """See `cardd_drivers.contract.CardReporter`."""
        return Reporter(channel, _generation(channel), with_identity=with_identity).report()


def _generation(channel: Channel) -> Generation:
    return CPS4 if recognise(channel.atr)[1] is CardKind.CPS4 else CPS3


driver = IasEccDriver()
