"""What the watch thread tells, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

from cardd.readers.insertion import Insertion


@dataclass(frozen=True, slots=True)
class ReaderAdded:
    """A reader appeared. Args: reader: its PC/SC name."""

    reader: str


@dataclass(frozen=True, slots=True)
class ReaderRemoved:
    """A reader went away; the card in it departed before. Args: reader: its PC/SC name."""

    reader: str


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A card is in a reader. Args: insertion: new, its mark not yet set when this was made."""

    insertion: Insertion


@dataclass(frozen=True, slots=True)
class CardDeparted:
    """An insertion is over; its mark was set before. Args: insertion: told of once by `CardInserted`."""

    insertion: Insertion


@dataclass(frozen=True, slots=True)
class Availability:
    """How programs hold the card, this daemon among them, as PC/SC's reader state shows it.

    Args:
        insertion: the card.
        exclusive: one program holds it for itself.
        in_use: one or more programs hold it together.
    """

    insertion: Insertion
    exclusive: bool
    in_use: bool


@dataclass(frozen=True, slots=True)
class PcscLost:
    """The PC/SC service is not reachable. Every card and reader has departed before."""


@dataclass(frozen=True, slots=True)
class PcscFound:
    """The PC/SC service is reachable; readers and cards follow."""


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A connection to a token ended by itself: whatever it was logged in for. Args: insertion: the token's stay."""

    insertion: Insertion


ReaderEvent = (
    ReaderAdded | ReaderRemoved | CardInserted | CardDeparted | Availability | PcscLost | PcscFound | ConnectionLost
)
