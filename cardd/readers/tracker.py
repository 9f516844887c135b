"""From what PC/SC says of the readers to what happened there. Pure of threads and of PC/SC; sets the end marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cardd.readers.events import Availability, CardDeparted, CardInserted, ReaderAdded, ReaderEvent, ReaderRemoved
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import Flag, ReaderState

_GONE = Flag.UNKNOWN | Flag.IGNORE
_HELD = Flag.EXCLUSIVE | Flag.INUSE


@dataclass(slots=True)
class _Reader:
    state: ReaderState
    looked_at: bool = False
    insertion: Insertion | None = None
    held: Flag = Flag.UNAWARE


class Tracker:
    """Remembers each reader's state and the card in it; every method returns events, old before new.

    A mark is set when its departure is found, before any event of the same call is returned.
    """

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the readers."""
        return tuple(self._readers)

    @property
    def known(self) -> tuple[ReaderState, ...]:
        """The states to wait on."""
        return tuple(_waitable(reader) for reader in self._readers.values())

    @property
    def awaits_atr(self) -> bool:
        """A card is there that is being powered up: its answer to reset comes without an event of its own."""
        return any(_is_waking(reader.state) and reader.insertion is None for reader in self._readers.values())

    def readers_are(self, names: Sequence[str]) -> list[ReaderEvent]:
        """The readers are these now."""
        events: list[ReaderEvent] = []
        for name in [name for name in self._readers if name not in names]:
            events += self._forget(name, Departure.READER_REMOVED)
        for name in names:
            if name not in self._readers:
                self._readers[name] = _Reader(ReaderState(name))
                events.append(ReaderAdded(name))
        return events

    def update(self, states: Iterable[ReaderState], *, tell_availability: bool = False) -> list[ReaderEvent]:
        """These readers are in these states now.

        Args:
            tell_availability: for each card, changed or not.
        """
        events: list[ReaderEvent] = []
        for state in states:
            reader = self._readers.get(state.reader)
            if reader is None:
                continue
            if state.flags & _GONE:
                events += self._forget(state.reader, Departure.READER_REMOVED)
                continue
            events += _departure(reader, state)
            reader.state, reader.looked_at = state, True
            events += _arrival(reader)
            events += _availability(reader, tell=tell_availability)
        return events

    def clear(self, reason: Departure) -> list[ReaderEvent]:
        """Everything is gone."""
        insertions = [reader.insertion for reader in self._readers.values() if reader.insertion is not None]
        for insertion in insertions:
            insertion.mark.set(reason)
        return [event for name in self.readers for event in self._forget(name, reason)]

    def _forget(self, name: str, reason: Departure) -> list[ReaderEvent]:
        return [*_depart(self._readers.pop(name), reason), ReaderRemoved(name)]


def _depart(reader: _Reader, reason: Departure) -> list[ReaderEvent]:
    insertion, reader.insertion, reader.held = reader.insertion, None, Flag.UNAWARE
    if insertion is None:
        return []
    insertion.mark.set(reason)
    return [CardDeparted(insertion)]


def _departure(reader: _Reader, now: ReaderState) -> list[ReaderEvent]:
    insertion = reader.insertion
    if insertion is None:
        return []
    if now.flags & Flag.UNAVAILABLE:
        return _depart(reader, Departure.READER_REMOVED)
    # A swap between two looks leaves a card in the reader both times; PC/SC's counter tells.
    if not now.flags & Flag.PRESENT or now.counter != insertion.counter:
        return _depart(reader, Departure.CARD_REMOVED)
    if insertion.mark.is_set:  # another witness was first, and what is in the reader now is another card
        return _depart(reader, Departure.CARD_REMOVED)
    if not _is_waking(now) and _atr(now) != insertion.atr:
        return _depart(reader, Departure.CARD_RESET)
    return []


def _arrival(reader: _Reader) -> list[ReaderEvent]:
    state = reader.state
    there = state.flags & Flag.PRESENT and not state.flags & Flag.UNAVAILABLE
    if reader.insertion is not None or not there or _is_waking(state):
        return []
    reader.insertion = Insertion(state.reader, _atr(state), state.counter)
    return [CardInserted(reader.insertion)]


def _availability(reader: _Reader, *, tell: bool) -> list[ReaderEvent]:
    held = reader.state.flags & _HELD
    if reader.insertion is None or (held == reader.held and not tell):
        return []
    reader.held = held
    return [Availability(reader.insertion, bool(held & Flag.EXCLUSIVE), bool(held & Flag.INUSE))]


def _is_waking(state: ReaderState) -> bool:
    return bool(state.flags & Flag.PRESENT) and not state.flags & Flag.MUTE and not state.atr


def _atr(state: ReaderState) -> bytes:
    return b"" if state.flags & Flag.MUTE else state.atr


def _waitable(reader: _Reader) -> ReaderState:
    if not reader.looked_at or reader.state.flags & (Flag.PRESENT | Flag.EMPTY | Flag.UNAVAILABLE):
        return reader.state
    # PC/SC said nothing of the reader; waiting with nothing would return at once, again and again.
    return replace(reader.state, flags=Flag.EMPTY)
