"""What every simulated card is to a reader: power, an answer to reset, and answers to command APDUs."""

from __future__ import annotations

import enum
from typing import Protocol


class CardProtocol(enum.Enum):
    """Transmission protocols of ISO 7816-3."""

    T0 = "T=0"
    T1 = "T=1"


class SimulatedCard(Protocol):
    """A card as a reader sees it; the one seam between card operating systems and transports.

    Implementations may be called from several threads: each call is whole.
    """

    @property
    def atr(self) -> bytes:
        """Answer to reset (ISO 7816-3, 8), 2 to 33 bytes."""

    @property
    def protocol(self) -> CardProtocol:
        """The protocol in which the card is spoken to."""

    def power_on(self) -> bytes:
        """Cold or warm reset: everything volatile is lost. Returns the ATR."""

    def power_off(self) -> None:
        """Take the power away: everything volatile is lost, what is in EEPROM stays."""

    def transmit(self, command: bytes) -> bytes:
        """Answer one command APDU.

        Args:
            command: any byte string; a well-formed one is a short command APDU (ISO 7816-4, 5.2).

        Returns:
            Response data followed by SW1 SW2. A card without power is mute: no bytes at all. Never raises.
        """
