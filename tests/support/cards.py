"""A small card for tests of what stands between a card and a program."""

from __future__ import annotations

import threading

from cardsim.card import CardProtocol, SimulatedCard

# ISO 7816-3, 8.2: TD1 alone, offering T=1, then the check byte; and a card that offers T=0 by saying nothing.
ATR_T1 = bytes.fromhex("3B800181")
ATR_T0 = bytes.fromhex("3B00")


class EchoCard:
    """A card that answers each command with the command itself and 9000, and keeps what was asked of it.

    Args:
        protocol: what it speaks; its ATR says the same.
    """

    def __init__(self, protocol: CardProtocol = CardProtocol.T0) -> None:
        self._protocol = protocol
        self.commands: list[bytes] = []
        self.powered = False
        self.power_ups = 0
        # Clear it to hold the card in the middle of a computation.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.computing = threading.Event()

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return ATR_T0 if self._protocol is CardProtocol.T0 else ATR_T1

    @property
    def protocol(self) -> CardProtocol:
        """Transmission protocol."""
        return self._protocol

    def power_on(self) -> bytes:
        """Reset."""
        self.powered = True
        self.power_ups += 1
        return self.atr

    def power_off(self) -> None:
        """Lose power."""
        self.powered = False

    def transmit(self, command: bytes) -> bytes:
        """Answer with the command and 9000."""
        self.computing.set()
        self.may_answer.wait()
        self.commands.append(command)
        return command + b"\x90\x00"


class CardWithAtr:
    """A card that answers a reset otherwise than it was made to.

    Args:
        card: the card.
        atr: its answer to reset.
    """

    def __init__(self, card: SimulatedCard, atr: bytes) -> None:
        self._card = card
        self.atr = atr
        self.protocol = card.protocol

    def power_on(self) -> bytes:
        """Reset."""
        self._card.power_on()
        return self.atr

    def power_off(self) -> None:
        """Lose power."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """Answer as the card does."""
        return self._card.transmit(command)
