"""From reader states to events and marks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.readers.events import Availability, CardDeparted, CardInserted, ReaderAdded, ReaderEvent, ReaderRemoved
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import Flag, ReaderState
from cardd.readers.tracker import Tracker

ATR = b"\x3b\x00"
OTHER_ATR = b"\x3b\x01\x00"
EMPTY = ReaderState("R", Flag.EMPTY, 1)
CARD = ReaderState("R", Flag.PRESENT, 2, ATR)


def tracker_with_card(card: ReaderState = CARD) -> tuple[Tracker, Insertion]:
    tracker = Tracker()
    tracker.readers_are(["R"])
    (inserted,) = tracker.update([card])
    assert isinstance(inserted, CardInserted)
    return tracker, inserted.insertion


def departed(events: list[ReaderEvent], insertion: Insertion) -> Departure | None:
    """The reason, if this insertion's departure comes first."""
    assert events
    assert events[0] == CardDeparted(insertion)
    return insertion.mark.reason


def test_readers_come_and_go() -> None:
    tracker = Tracker()
    assert tracker.readers_are(["A", "B"]) == [ReaderAdded("A"), ReaderAdded("B")]
    assert tracker.readers_are(["B", "C"]) == [ReaderRemoved("A"), ReaderAdded("C")]
    assert tracker.readers == ("B", "C")


def test_a_reader_not_looked_at_is_waited_on_without_a_claim() -> None:
    tracker = Tracker()
    tracker.readers_are(["R"])
    assert tracker.known == (ReaderState("R"),)


def test_a_card_is_told_once() -> None:
    tracker, insertion = tracker_with_card()
    assert (insertion.reader, insertion.atr, insertion.counter) == ("R", ATR, 2)
    assert tracker.update([CARD]) == []


def test_removal() -> None:
    tracker, insertion = tracker_with_card()
    events = tracker.update([replace(EMPTY, counter=3)])
    assert departed(events, insertion) is Departure.CARD_REMOVED
    assert len(events) == 1


def test_a_counted_swap_is_a_departure_and_an_insertion() -> None:
    tracker, insertion = tracker_with_card()
    old, new = tracker.update([replace(CARD, counter=4)])
    assert departed([old], insertion) is Departure.CARD_REMOVED
    assert isinstance(new, CardInserted)
    assert new.insertion is not insertion
    assert not new.insertion.mark.is_set


def test_the_counter_wraps() -> None:
    tracker, insertion = tracker_with_card(replace(CARD, counter=0xFFFF))
    old, _ = tracker.update([replace(CARD, counter=0)])
    assert departed([old], insertion) is Departure.CARD_REMOVED


def test_another_answer_to_reset_without_a_count_is_a_reset() -> None:
    tracker, insertion = tracker_with_card()
    old, new = tracker.update([replace(CARD, atr=OTHER_ATR)])
    assert departed([old], insertion) is Departure.CARD_RESET
    assert isinstance(new, CardInserted)


def test_a_card_marked_by_another_witness_departs_for_a_new_one() -> None:
    tracker, insertion = tracker_with_card()
    insertion.mark.set(Departure.READER_REMOVED)
    old, new = tracker.update([CARD])
    assert departed([old], insertion) is Departure.READER_REMOVED
    assert isinstance(new, CardInserted)


def test_a_card_being_powered_up_is_waited_for() -> None:
    tracker = Tracker()
    tracker.readers_are(["R"])
    assert tracker.update([replace(CARD, atr=b"")]) == []
    assert tracker.awaits_atr
    (inserted,) = tracker.update([CARD])
    assert isinstance(inserted, CardInserted)
    assert not tracker.awaits_atr


def test_a_card_being_reset_stays() -> None:
    tracker, insertion = tracker_with_card()
    assert tracker.update([replace(CARD, atr=b"")]) == []
    assert not insertion.mark.is_set
    assert tracker.update([CARD]) == []


def test_a_mute_card_is_an_insertion_without_answer_to_reset() -> None:
    tracker, insertion = tracker_with_card(ReaderState("R", Flag.PRESENT | Flag.MUTE, 2))
    assert insertion.atr == b""
    assert not tracker.awaits_atr
    old, new = tracker.update([CARD])
    assert departed([old], insertion) is Departure.CARD_RESET
    assert isinstance(new, CardInserted)


def test_a_reader_that_fails_takes_its_card_along_and_may_recover() -> None:
    tracker, insertion = tracker_with_card()
    events = tracker.update([ReaderState("R", Flag.UNAVAILABLE)])
    assert departed(events, insertion) is Departure.READER_REMOVED
    assert tracker.readers == ("R",)
    (again,) = tracker.update([replace(CARD, counter=3)])
    assert isinstance(again, CardInserted)


@pytest.mark.parametrize("flags", [Flag.UNKNOWN | Flag.UNAVAILABLE, Flag.IGNORE])
def test_an_unknown_reader_is_gone(flags: Flag) -> None:
    tracker, insertion = tracker_with_card()
    events = tracker.update([ReaderState("R", flags)])
    assert departed(events, insertion) is Departure.READER_REMOVED
    assert events[1:] == [ReaderRemoved("R")]
    assert tracker.readers == ()


def test_a_reader_that_is_not_listed_any_more_takes_its_card_along() -> None:
    tracker, insertion = tracker_with_card()
    assert departed(tracker.readers_are([]), insertion) is Departure.READER_REMOVED


def test_everything_is_marked_before_anything_is_told() -> None:
    tracker = Tracker()
    tracker.readers_are(["R", "S"])
    first, second = tracker.update([CARD, replace(CARD, reader="S")])
    events = tracker.clear(Departure.PCSCD_LOST)
    assert isinstance(first, CardInserted)
    assert isinstance(second, CardInserted)
    assert first.insertion.mark.reason is second.insertion.mark.reason is Departure.PCSCD_LOST
    assert events == [
        CardDeparted(first.insertion),
        ReaderRemoved("R"),
        CardDeparted(second.insertion),
        ReaderRemoved("S"),
    ]


def test_who_holds_a_card_is_told_when_it_changes() -> None:
    tracker, insertion = tracker_with_card()
    held = replace(CARD, flags=Flag.PRESENT | Flag.EXCLUSIVE)
    assert tracker.update([held]) == [Availability(insertion, exclusive=True, in_use=False)]
    assert tracker.update([held]) == []
    shared = replace(CARD, flags=Flag.PRESENT | Flag.INUSE)
    assert tracker.update([shared]) == [Availability(insertion, exclusive=False, in_use=True)]
    assert tracker.known[0].flags & Flag.INUSE, "the wait must know it, to tell of its end"
    assert tracker.update([CARD]) == [Availability(insertion, exclusive=False, in_use=False)]


def test_who_holds_a_card_is_told_on_demand() -> None:
    tracker, insertion = tracker_with_card()
    assert tracker.update([CARD], tell_availability=True) == [Availability(insertion, exclusive=False, in_use=False)]


def test_a_new_card_held_by_another_says_so_at_once() -> None:
    tracker = Tracker()
    tracker.readers_are(["R"])
    inserted, availability = tracker.update([replace(CARD, flags=Flag.PRESENT | Flag.EXCLUSIVE)])
    assert isinstance(inserted, CardInserted)
    assert availability == Availability(inserted.insertion, exclusive=True, in_use=False)


def test_a_state_without_any_statement_is_no_reason_to_spin() -> None:
    tracker = Tracker()
    tracker.readers_are(["R"])
    tracker.update([ReaderState("R")])
    assert tracker.known[0].flags == Flag.EMPTY


STATES = st.lists(
    st.one_of(
        st.lists(st.sampled_from("RST"), unique=True),
        st.builds(
            ReaderState,
            st.sampled_from("RST"),
            st.integers(0, 0xFFFF).map(Flag),
            st.integers(0, 3),
            st.sampled_from([b"", ATR, OTHER_ATR]),
        ),
    )
)


@given(STATES)
def test_whatever_pcsc_says_departures_precede_and_nothing_is_told_twice(steps: list[list[str] | ReaderState]) -> None:
    tracker = Tracker()
    readers: set[str] = set()
    cards: dict[str, Insertion] = {}
    for step in steps:
        for event in tracker.update([step]) if isinstance(step, ReaderState) else tracker.readers_are(step):
            match event:
                case ReaderAdded(reader):
                    assert reader not in readers
                    readers.add(reader)
                case ReaderRemoved(reader):
                    assert reader in readers
                    assert reader not in cards
                    readers.remove(reader)
                case CardInserted(insertion):
                    assert insertion.reader in readers
                    assert insertion.reader not in cards
                    assert not insertion.mark.is_set
                    cards[insertion.reader] = insertion
                case CardDeparted(insertion):
                    assert cards.pop(insertion.reader) is insertion
                    assert insertion.mark.is_set
                case Availability(insertion):
                    assert cards[insertion.reader] is insertion
        assert set(tracker.readers) == readers
        assert all(not insertion.mark.is_set for insertion in cards.values())
