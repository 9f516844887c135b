"""Cards of which only the answer to reset is simulated: for what must leave them alone."""

from __future__ import annotations

from cardsim.card import CardProtocol

VITALE_ATR = bytes.fromhex("3B751300004409EA9000")
"""A Vitale 2 with photograph, as users of pcsc-tools sent it in for its public list of answers to reset."""


class LookAlikeCard:
    """Answers to reset, and is mute afterwards; a ``SimulatedCard``.

    Args:
        atr: answer to reset.

    Attributes:
        commands: what it was sent all the same.
    """

    def __init__(self, atr: bytes) -> None:
        self.atr = atr
        self.protocol = CardProtocol.T0
        self.commands: list[bytes] = []

    def power_on(self) -> bytes:
        """Return the ATR."""
        return self.atr

    def power_off(self) -> None:
        """There is nothing to lose."""

    def transmit(self, command: bytes) -> bytes:
        """Keep the command, and stay mute."""
        self.commands.append(bytes(command))
        return b""


LOOK_ALIKES = {"vitale": VITALE_ATR}
"""Their names, which are taken where a profile's is, and their answers to reset."""
