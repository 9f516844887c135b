"""What `CarddClient.watch` tells. Who a card belongs to is no event: ask `Card.get_holder`."""

from __future__ import annotations

from dataclasses import dataclass

from cardd.client.objects import Card, Reader, Session
from cardd.client.values import Service


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    """The daemon runs: what is there follows as events of its own."""

    service: Service


@dataclass(frozen=True, slots=True)
class ServiceChanged:
    """The daemon's warnings changed."""

    service: Service


@dataclass(frozen=True, slots=True)
class ServiceStopped:
    """The daemon left the bus; the ends of its sessions, cards and readers came before."""


@dataclass(frozen=True, slots=True)
class ReaderAdded:
    """A reader is plugged in."""

    reader: Reader


@dataclass(frozen=True, slots=True)
class ReaderChanged:
    """A reader's properties changed."""

    reader: Reader


@dataclass(frozen=True, slots=True)
class ReaderRemoved:
    """A reader was unplugged; its last known properties."""

    reader: Reader


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A card is in a reader; it is identified later (`CardChanged`)."""

    card: Card


@dataclass(frozen=True, slots=True)
class CardChanged:
    """A card's properties changed."""

    card: Card


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """A card left its reader; its last known properties."""

    card: Card


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session was opened."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session ended; `reason` is an `EndReason` or a word of a later version."""

    session: Session
    reason: str


Event = (
    ServiceStarted
    | ServiceChanged
    | ServiceStopped
    | ReaderAdded
    | ReaderChanged
    | ReaderRemoved
    | CardInserted
    | CardChanged
    | CardRemoved
    | SessionStarted
    | SessionEnded
)
"""Any of them."""
