"""A channel straight to a simulated card, without reader or PC/SC: exact and countable."""

from __future__ import annotations

from cardd_drivers.apdu import Command, Response
from cardd_drivers.contract import CardMute, CardRemoved, Transport
from cardsim.card import CardProtocol, SimulatedCard
from tests.support.replay import encode


class DirectChannel:
    """The way to a simulated card from one reset on.

    Args:
        card: the card; it is reset here.
        remove_at: pull the card out before this command, counted from 0.
    """

    def __init__(self, card: SimulatedCard, remove_at: int | None = None) -> None:
        self._card = card
        self.remove_at = remove_at
        self.atr = card.power_on()
        self.transport = Transport.T0 if card.protocol is CardProtocol.T0 else Transport.T1
        self.sent: list[bytes] = []
        self.commands: list[Command] = []

    def transmit(self, command: Command) -> Response:
        """Send one command, count it."""
        if self.remove_at is not None and len(self.sent) >= self.remove_at:
            self._card.power_off()
            raise CardRemoved
        raw = encode(command)
        self.sent.append(raw)
        self.commands.append(command)
        answer = self._card.transmit(raw)
        if len(answer) < 2:
            raise CardMute
        return Response.parse(answer)

    def count(self) -> int:
        """Commands since the last count."""
        count = len(self.sent)
        self.sent.clear()
        return count
