"""The end mark and the insertion."""

from __future__ import annotations

import threading
import time

import pytest

from cardd.readers.insertion import Departure, EndMark, Insertion


def test_the_first_reason_wins() -> None:
    mark = EndMark()
    assert mark.set(Departure.READER_REMOVED)
    assert not mark.set(Departure.CARD_REMOVED)
    assert mark.reason is Departure.READER_REMOVED


def test_a_mark_that_is_not_set_says_so() -> None:
    mark = EndMark()
    assert not mark.is_set
    assert mark.reason is None
    assert mark.ending is None
    assert "not set" in repr(mark)


def test_a_mark_remembers_when() -> None:
    mark = EndMark()
    before = time.monotonic_ns()
    mark.set(Departure.CARD_REMOVED)
    assert mark.ending is not None
    assert before <= mark.ending.at <= time.monotonic_ns()


def test_one_of_many_threads_sets_the_mark() -> None:
    mark, start = EndMark(), threading.Barrier(8)
    won: list[Departure] = []

    def race(reason: Departure) -> None:
        start.wait()
        if mark.set(reason):
            won.append(reason)

    reasons = [Departure.CARD_REMOVED, Departure.READER_REMOVED, Departure.CARD_RESET, Departure.PCSCD_LOST] * 2
    threads = [threading.Thread(target=race, args=(reason,)) for reason in reasons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [mark.reason] == won


def test_insertions_of_the_same_card_differ_and_count_up() -> None:
    first, second = Insertion("R", b"\x3b\x00"), Insertion("R", b"\x3b\x00")
    assert first != second
    assert first.number < second.number
    assert first.mark is not second.mark
    assert {first: 1}[first] == 1


@pytest.mark.parametrize("reason", list(Departure))
def test_only_a_stop_a_reset_or_a_sleep_leaves_the_card_in(reason: Departure) -> None:
    assert reason.card_stays is (reason in {Departure.DAEMON_STOPPED, Departure.CARD_RESET, Departure.SUSPEND})
