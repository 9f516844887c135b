"""A wall clock that is set back: an entry says so before the first of the new time, and verification counts it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.journal.clock import Stamp, time_text
from cardd.journal.entry import Entry, body_of
from cardd.journal.errors import JournalUnavailable
from cardd.journal.event import Detail, Kind
from cardd.journal.files import DirectoryFiles, Files
from cardd.journal.query import Query, search
from cardd.journal.verify import verify
from tests.unit.journal import standalone
from tests.unit.journal.disk import Failure, MemoryDisk
from tests.unit.journal.support import BOOT, SteadyClock, event, numbers_in, small_store

START = 1_900_000_000
OTHER_BOOT = BOOT.replace("0", "9")


def at(wall: int, monotonic: int, boot: str = BOOT) -> Stamp:
    """Seconds after the start."""
    return Stamp((START + wall) * 1_000_000, monotonic * 1_000_000_000, boot)


def written(files: Files, *runs: Sequence[Stamp]) -> None:
    """Entries numbered from 0, a process for each run, one batch as far as it goes."""
    number = 0
    for stamps in runs:
        store = small_store(files, SteadyClock(START - 1000))
        bodies = [body_of(event(number + index), stamp) for index, stamp in enumerate(stamps)]
        number += len(bodies)
        while bodies:
            heads = store.commit(bodies)
            lines = {found.entry.seq: found.entry for found in search(files, Query())}
            for head, body in zip(heads, bodies, strict=False):
                assert lines[head.seq].what["number"] == body.event.what[Detail.NUMBER], "the head of another entry"
            del bodies[: len(heads)]
        store.close()


def entries(files: Files) -> list[Entry]:
    return [found.entry for found in search(files, Query())]


def told(files: Files) -> int:
    """Times that the clock went back, by verification."""
    notices = [one for one in verify(files).notices if one.startswith("The clock went back")]
    return int(notices[0].split()[4]) if notices else 0


def test_it_is_said_before_the_first_entry_of_the_new_time() -> None:
    disk = MemoryDisk()
    written(disk, [at(100, 1), at(101, 2), at(40, 3), at(41, 4)])
    kinds = [one.kind for one in entries(disk)]
    assert kinds == [Kind.SIGNED, Kind.SIGNED, Kind.CLOCK_SET_BACK, Kind.SIGNED, Kind.SIGNED]
    said = entries(disk)[2]
    times = {"first": time_text((START + 101) * 1_000_000), "last": time_text((START + 40) * 1_000_000)}
    assert (said.what, said.result) == (times, "ok")
    assert numbers_in(disk) == [0, 1, 2, 3]
    assert (told(disk), verify(disk).sound) == (1, True)


@pytest.mark.parametrize("boot", [BOOT, OTHER_BOOT])
def test_a_process_sees_it_from_what_the_one_before_wrote(boot: str) -> None:
    disk = MemoryDisk()
    written(disk, [at(100, 50)], [at(40, 51 if boot == BOOT else 1, boot)])
    assert [one.kind for one in entries(disk)] == [Kind.SIGNED, Kind.CLOCK_SET_BACK, Kind.SIGNED]
    assert told(disk) == 1


def test_entries_that_were_only_written_in_another_order_tell_of_no_clock() -> None:
    disk = MemoryDisk()
    written(disk, [at(100, 10), at(99, 9), at(101, 11)])
    assert {one.kind for one in entries(disk)} == {Kind.SIGNED}
    assert told(disk) == 0


def test_a_seal_or_header_made_after_an_entry_was_stamped_is_no_clock_set_back() -> None:
    disk = MemoryDisk()
    late = SteadyClock(START + 1000)
    store = small_store(disk, late)
    for number in range(30):
        store.commit([body_of(event(number), at(number, number))])
        if number % 5 == 0:
            store.seal()
    report = verify(disk)
    assert report.segments > 2
    assert told(disk) == 0


def test_it_is_said_once_where_its_writing_failed_first() -> None:
    disk = MemoryDisk()
    store = small_store(disk, SteadyClock(START - 1000))
    store.commit([body_of(event(0), at(100, 1))])
    disk.failures = {len(disk.calls): Failure.NO_SPACE}
    with pytest.raises(JournalUnavailable):
        store.commit([body_of(event(1), at(50, 2))])
    store.commit([body_of(event(2), at(51, 3))])
    assert [one.kind for one in entries(disk)] == [Kind.SIGNED, Kind.CLOCK_SET_BACK, Kind.SIGNED]


@given(steps=st.lists(st.integers(-5, 5), min_size=1, max_size=25), cuts=st.sets(st.integers(1, 24)))
def test_every_step_back_is_said_and_counted(steps: list[int], cuts: set[int]) -> None:
    disk, wall, stamps = MemoryDisk(), 1000, list[Stamp]()
    for monotonic, step in enumerate(steps):
        wall += step
        stamps.append(at(wall, monotonic))
    places = [0, *sorted(one for one in cuts if one < len(stamps)), len(stamps)]
    runs = [stamps[one:two] for one, two in pairwise(places)]
    written(disk, *runs)
    back = sum(step < 0 for step in steps[1:])
    assert sum(one.kind is Kind.CLOCK_SET_BACK for one in entries(disk)) == back
    assert told(disk) == back
    assert numbers_in(disk) == list(range(len(steps)))


def test_the_stand_alone_verifier_counts_the_same(tmp_path: Path) -> None:
    files = DirectoryFiles(tmp_path / "journal", create=True)
    written(files, [at(100, 9), at(99, 8), at(40, 10), at(41, 11)], [at(30, 1, OTHER_BOOT)])
    check = standalone.check_directory(tmp_path / "journal", frozenset())
    assert (check.back, check.count) == (2, 0)
    assert told(files) == 2
    files.close()
    shutil.rmtree(tmp_path / "journal")
