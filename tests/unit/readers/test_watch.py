"""The watch thread over an in-process PC/SC."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cardd.readers import second_look
from cardd.readers import watch as module
from cardd.readers.events import (
    Availability,
    CardDeparted,
    CardInserted,
    PcscFound,
    PcscLost,
    ReaderAdded,
    ReaderRemoved,
)
from cardd.readers.insertion import Departure
from cardd.readers.stack import PNP_NOTIFICATION, PcscStack, Share
from cardd.readers.watch import Watch
from cardsim.faults import Fault
from cardsim.transports.inprocess import InProcessPcsc
from tests.unit.cards.support import SmallCard
from tests.unit.readers.support import PATIENCE, Hooked, Recorder, Scene, watched


def test_a_card_comes_and_goes() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()
        assert (insertion.reader, insertion.atr) == (scene.reader.name, SmallCard().atr)
        scene.reader.remove()
        assert scene.seen.wait(CardDeparted).insertion is insertion
        assert insertion.mark.reason is Departure.CARD_REMOVED


def test_the_mark_is_set_before_anybody_is_told() -> None:
    marks: list[bool] = []
    scene = Scene()

    def notify(event: Any) -> None:
        if isinstance(event, CardDeparted):
            marks.append(event.insertion.mark.is_set)
        scene.seen(event)

    watch = Watch(PcscStack(scene.pcsc), notify)
    watch.start()
    scene.reader.insert(SmallCard())
    scene.seen.insertion()
    scene.reader.remove()
    scene.seen.wait(CardDeparted)
    assert watch.stop(PATIENCE)
    assert marks == [True]


def test_a_counted_swap_between_two_looks_is_seen() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        first = scene.seen.insertion()
        scene.reader.swap(SmallCard("SERIAL-2"), counted=True)
        assert scene.seen.wait(CardDeparted).insertion is first
        assert scene.seen.insertion(2) is not first


def test_an_uncounted_swap_is_seen_once_a_witness_has_set_the_mark() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        first = scene.seen.insertion()
        scene.reader.swap(SmallCard("SERIAL-2"), counted=False)
        first.mark.set(Departure.CARD_REMOVED)
        scene.watch.look_again()
        assert scene.seen.insertion(2) is not first
        assert scene.seen.of(CardDeparted)[0].insertion is first


def test_readers_come_and_go_with_their_cards() -> None:
    with watched() as scene:
        second = scene.pcsc.add_reader("Second 01 00")
        assert scene.seen.wait(ReaderAdded, 2).reader == "Second 01 00"
        second.insert(SmallCard())
        insertion = scene.seen.insertion()
        scene.pcsc.remove_reader("Second 01 00")
        assert scene.seen.wait(ReaderRemoved).reader == "Second 01 00"
        assert insertion.mark.reason is Departure.READER_REMOVED
        assert scene.seen.events[-2:] == [CardDeparted(insertion), ReaderRemoved("Second 01 00")]


def test_a_reader_that_was_added_between_the_list_and_the_wait_is_found() -> None:
    with watched() as scene:
        scene.hooked.before_long_wait = lambda: scene.pcsc.add_reader("Late 01 00")
        scene.reader.insert(SmallCard())  # a new round
        assert scene.seen.wait(ReaderAdded, 2).reader == "Late 01 00"


def test_a_swap_while_the_counter_stands_at_zero_is_found() -> None:
    scene = Scene()
    scene.pcsc.die()
    scene.reader.insert(SmallCard())
    scene.pcsc.revive()  # the counter starts again, with the card in
    scene.hooked.before_long_wait = lambda: scene.reader.swap(SmallCard("SERIAL-2"), counted=True)
    scene.watch.start()
    assert scene.seen.insertion().counter == 0
    assert scene.seen.insertion(2).counter == 2
    assert scene.watch.stop(PATIENCE)


def test_the_service_is_lost_and_found_with_all_that_is_plugged_in() -> None:
    with watched(readers=2) as scene:
        for reader in scene.readers:
            reader.insert(SmallCard())
        insertions = [scene.seen.insertion(1), scene.seen.insertion(2)]
        scene.pcsc.die()
        scene.seen.wait(PcscLost)
        assert [insertion.mark.reason for insertion in insertions] == [Departure.PCSCD_LOST] * 2
        lost_at = next(number for number, event in enumerate(scene.seen.events) if isinstance(event, PcscLost))
        assert len(scene.seen.of(CardDeparted)) == len(scene.seen.of(ReaderRemoved)) == 2
        assert all(scene.seen.events.index(event) < lost_at for event in scene.seen.of(ReaderRemoved))
        scene.pcsc.revive()
        scene.seen.insertion(4)
        assert len(scene.seen.of(PcscFound)) == 2
        assert len(scene.seen.of(PcscLost)) == 1


def test_a_service_that_is_not_there_at_first_is_said_once_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_FIRST", 0.001)
    scene = Scene()
    scene.pcsc.die()
    attempts = threading.Semaphore(0)
    establish = scene.pcsc.SCardEstablishContext

    def counted(scope: int) -> Any:
        attempts.release()
        return establish(scope)

    scene.hooked.__dict__["SCardEstablishContext"] = counted
    scene.watch.start()
    scene.seen.wait(PcscLost)
    for _ in range(4):
        assert attempts.acquire(timeout=PATIENCE)
    scene.pcsc.revive()
    scene.seen.wait(ReaderAdded)
    assert scene.watch.stop(PATIENCE)
    assert len(scene.seen.of(PcscLost)) == 1


def test_a_fresh_look_ends_the_pause_before_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_FIRST", 3600.0)
    monkeypatch.setattr(module, "BACK_OFF_MOST", 3600.0)
    scene = Scene()
    scene.pcsc.die()
    scene.watch.start()
    scene.seen.wait(PcscLost)
    scene.pcsc.revive()
    scene.watch.look_again()
    scene.seen.wait(ReaderAdded)
    assert scene.watch.stop(PATIENCE)


def test_an_error_that_nobody_expected_is_a_lost_service() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()

        def defect() -> None:
            raise RuntimeError("a defect")

        scene.hooked.before_long_wait = defect
        scene.watch.look_again()
        scene.seen.wait(PcscLost)
        assert insertion.mark.reason is Departure.PCSCD_LOST
        scene.seen.insertion(2)


def test_a_mute_card_is_told_without_answer_to_reset() -> None:
    with watched() as scene:
        scene.reader.faults.arm(Fault.parse("mute@0+"))
        scene.reader.insert(SmallCard())
        assert scene.seen.insertion().atr == b""


def test_a_broken_reader_ends_its_card_and_comes_back() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        first = scene.seen.insertion()
        scene.reader.break_down()
        scene.seen.wait(CardDeparted)
        assert first.mark.reason is Departure.READER_REMOVED
        scene.reader.recover()
        scene.seen.insertion(2)
        assert not scene.seen.of(ReaderRemoved)


def test_another_programs_hold_and_its_end_are_told() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()
        other = PcscStack(scene.pcsc).establish()
        other.connect(scene.reader.name, Share.EXCLUSIVE)
        scene.watch.look_again()
        scene.seen.until(lambda: Availability(insertion, exclusive=True, in_use=False) in scene.seen.events)
        other.release()
        scene.seen.until(lambda: Availability(insertion, exclusive=False, in_use=False) in scene.seen.events)


@pytest.mark.parametrize("looked_after", [False, True])
def test_the_end_of_a_hold_that_pcsc_tells_nobody_of_is_seen(
    monkeypatch: pytest.MonkeyPatch, looked_after: bool
) -> None:
    """A hold that ends before the second look at it, and one that ends after, as pcscd has not counted it yet."""
    monkeypatch.setattr(second_look, "HOLD_COUNTED_AFTER", 0.2)
    with watched() as scene:
        scene.hooked.tells_of_holds = False
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()
        other = PcscStack(scene.pcsc).establish()
        other.connect(scene.reader.name, Share.EXCLUSIVE)
        scene.watch.look_again()
        scene.seen.until(lambda: Availability(insertion, exclusive=True, in_use=False) in scene.seen.events)
        if looked_after:
            scene.hooked.looked.clear()
            assert scene.hooked.looked.wait(PATIENCE)
        other.release()
        scene.seen.until(lambda: scene.seen.events[-1] == Availability(insertion, exclusive=False, in_use=False))


def test_a_fresh_look_tells_of_a_card_that_is_free_too() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()
        scene.watch.look_again()
        assert scene.seen.wait(Availability) == Availability(insertion, exclusive=False, in_use=False)


def test_stopping_marks_what_is_in() -> None:
    with watched() as scene:
        scene.reader.insert(SmallCard())
        insertion = scene.seen.insertion()
        assert scene.watch.stop(PATIENCE)
        assert insertion.mark.reason is Departure.DAEMON_STOPPED
        assert scene.seen.of(CardDeparted) == [CardDeparted(insertion)]


def test_stopping_repeats_a_cancel_that_came_too_early() -> None:
    scene = Scene()
    entered, proceed = threading.Event(), threading.Event()

    def hold_before_the_wait() -> None:
        entered.set()
        assert proceed.wait(PATIENCE)

    scene.hooked.before_long_wait = hold_before_the_wait
    scene.hooked.before_cancel = proceed.set  # the first cancel falls into the void
    scene.watch.start()
    assert entered.wait(PATIENCE)
    assert scene.watch.stop(PATIENCE)


def test_stopping_a_watch_that_was_never_started() -> None:
    assert Watch(PcscStack(InProcessPcsc()), Recorder()).stop()


def test_a_library_that_never_returns_is_left_behind_with_its_cards_marked() -> None:
    scene = Scene()
    forever = threading.Event()
    scene.reader.insert(SmallCard())
    scene.hooked.before_long_wait = forever.wait
    scene.watch.start()
    insertion = scene.seen.insertion()
    assert not scene.watch.stop(timeout=0.1)
    assert insertion.mark.reason is Departure.DAEMON_STOPPED
    forever.set()


def test_a_listener_that_fails_does_not_end_the_watch() -> None:
    scene = Scene()

    def failing(event: Any) -> None:
        scene.seen(event)
        raise RuntimeError("the loop is closed")

    watch = Watch(PcscStack(scene.pcsc), failing)
    watch.start()
    scene.reader.insert(SmallCard())
    scene.seen.insertion()
    scene.reader.remove()
    scene.seen.wait(CardDeparted)
    assert watch.stop(PATIENCE)


def test_a_reader_that_stays_listed_and_unknown_is_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_FIRST", 3600.0)
    monkeypatch.setattr(module, "BACK_OFF_MOST", 3600.0)
    scene = Scene()
    scene.hooked.__dict__["SCardListReaders"] = lambda _context, _groups: [0, ["Ghost 00 00"]]
    scene.watch.start()
    scene.seen.wait(ReaderAdded)
    assert scene.watch.stop(PATIENCE)
    assert scene.hooked.waits <= 2


def test_a_flapping_reader_stays_correct() -> None:
    with watched() as scene:
        for _ in range(200):
            scene.reader.insert(SmallCard())
            scene.reader.remove()
        scene.reader.insert(SmallCard("SERIAL-2"))
        scene.seen.until(
            lambda: bool(scene.seen.of(CardInserted)) and not scene.seen.of(CardInserted)[-1].insertion.mark.is_set
        )
        inserted = [event.insertion for event in scene.seen.of(CardInserted)]
        assert [event.insertion for event in scene.seen.of(CardDeparted)] == inserted[:-1]
        assert all(insertion.mark.reason is Departure.CARD_REMOVED for insertion in inserted[:-1])


def test_sixteen_readers() -> None:
    with watched(readers=16) as scene:
        scene.readers[15].insert(SmallCard())
        assert scene.seen.insertion().reader == scene.readers[15].name
        scene.pcsc.remove_reader(scene.readers[0].name)
        scene.seen.wait(ReaderRemoved)
        scene.pcsc.add_reader("Another 00 00")
        assert scene.seen.wait(ReaderAdded, 17).reader == "Another 00 00"


def test_nothing_wakes_while_nothing_happens() -> None:
    """After the second look the watch has asked for one wait and is in it, without a time-out to end it."""
    with watched() as scene:
        looked = threading.Event()
        timeouts: list[int] = []
        inside = scene.pcsc.SCardGetStatusChange

        def status_change(context: int, timeout: int, states: list[Any]) -> Any:
            if (PNP_NOTIFICATION, 0) in states:
                timeouts.append(timeout)
            elif timeout == 0:
                looked.set()
            return inside(context, timeout, states)

        scene.pcsc.__dict__["SCardGetStatusChange"] = status_change
        scene.reader.insert(SmallCard())
        scene.seen.insertion()
        assert looked.wait(PATIENCE)
        assert set(timeouts) == {Hooked(scene.pcsc).INFINITE}
        assert scene.watch._second_look._due is None
