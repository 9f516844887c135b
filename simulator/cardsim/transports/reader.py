"""What every simulated reader offers to those who put cards in and take them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cardsim.card import SimulatedCard
    from cardsim.faults import FaultInjector
    from cardsim.trace import ExchangeFeed


class ReaderError(Exception):
    """A card cannot be inserted, or a reader not be reached; the message says why and what would help."""


class CardReader(Protocol):
    """One slot. Its methods may be called from any thread."""

    @property
    def name(self) -> str:
        """What people call it; unique among the readers of one simulator."""

    @property
    def card(self) -> SimulatedCard | None:
        """The card that is in it, as given to ``insert``."""

    @property
    def faults(self) -> FaultInjector:
        """The faults that strike the commands of whatever card is in it."""

    @property
    def exchanges(self) -> ExchangeFeed:
        """Tells what its cards are asked and answer."""

    def insert(self, card: SimulatedCard) -> None:
        """Put a card in and return once the reader has it.

        Raises: ``ReaderError`` when one is in already, or the reader cannot be reached.
        """

    def remove(self) -> None:
        """Take the card out; a reader without one stays as it is."""
