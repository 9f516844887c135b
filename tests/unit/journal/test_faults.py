"""Every write and sync of the store fails once, in each way: nothing acknowledged is lost, the journal stays whole."""

from __future__ import annotations

import pytest

from cardd.journal.entry import body_of
from cardd.journal.errors import JournalUnavailable
from cardd.journal.event import Kind
from cardd.journal.problems import Fault
from cardd.journal.query import Query, search
from cardd.journal.sealing import FIRST_KEY_FILE, KEY_FILE
from cardd.journal.verify import verify
from tests.unit.journal.disk import Crash, Failure, MemoryDisk, chance_of
from tests.unit.journal.support import SteadyClock, commit, event, numbers_in, small_store

BATCH_MOST = 6


def story(disk: MemoryDisk, acknowledged: list[int], refused: list[int]) -> None:
    """Thirty entries in batches, a seal now and then, several segments."""
    clock = SteadyClock()
    store = small_store(disk, clock)
    number = 0
    for batch in (1, 3, 1, 6, 2, 1, 1, 5, 4, 2, 3, 1):
        numbers = list(range(number, number + batch))
        number += batch
        bodies = [body_of(event(one), clock.now()) for one in numbers]
        try:
            while bodies:
                done = len(store.commit(bodies))
                acknowledged += numbers[:done]
                del bodies[:done], numbers[:done]
        except JournalUnavailable:
            refused += numbers
        if batch % 3 == 0:
            try:
                store.seal()
            except JournalUnavailable:
                continue
    store.close()


def disk_of_the_story() -> MemoryDisk:
    disk = MemoryDisk()
    story(disk, [], [])
    return disk


TOUCHED = disk_of_the_story().touched
CALLS = [name for name, _ in TOUCHED]


def test_the_story_touches_everything_that_the_journal_writes() -> None:
    """Segments begun, written, cut and closed; the key file made, the next key put in it, the old one erased."""
    segments = {(name, "segment") for name in ("create", "write", "sync", "truncate", "chmod")}
    keys = {(name, file) for file in (KEY_FILE, FIRST_KEY_FILE) for name in ("create", "write", "sync")}
    made = {(name, "segment" if file.startswith("journal-") else file) for name, file in TOUCHED}
    assert made == segments | keys | {("sync-directory", "")}
    seals = len(TOUCHED) - sum(file != KEY_FILE for _, file in TOUCHED)
    assert seals > 20, "each seal writes and syncs the next key, and the erasure of the old one"


def test_the_story_crosses_segments_and_seals() -> None:
    disk, acknowledged = MemoryDisk(), list[int]()
    story(disk, acknowledged, [])
    report = verify(disk)
    assert report.sound, report.problems
    assert report.segments > 2
    assert report.sealed > 0
    assert numbers_in(disk) == acknowledged == list(range(30))


@pytest.mark.parametrize("failure", [Failure.NO_SPACE, Failure.READ_ONLY, Failure.INPUT_OUTPUT, Failure.SHORT])
def test_a_failing_call_loses_nothing_and_is_recovered_from(failure: Failure) -> None:
    for number, name in enumerate(CALLS):
        disk, acknowledged, refused = MemoryDisk(), list[int](), list[int]()
        disk.failures[number] = failure
        story(disk, acknowledged, refused)
        place = f"call {number} ({name})"
        report = verify(disk)
        assert report.sound, (place, report.problems)
        assert numbers_in(disk) == acknowledged, place
        assert sorted(acknowledged + refused) == list(range(30)), place
        assert len(refused) <= BATCH_MOST, place
        # What reading shows is on the medium, too: a power cut now loses none of it.
        survivor = disk.after_crash()
        assert numbers_in(survivor) == acknowledged, place


@pytest.mark.parametrize("seed", range(6))
def test_a_crash_at_any_call_loses_nothing_acknowledged(seed: int) -> None:
    for number, name in enumerate(CALLS):
        disk, acknowledged, refused = MemoryDisk(chance_of(seed * 1000 + number)), list[int](), list[int]()
        disk.failures[number] = Failure.CRASH
        with pytest.raises(Crash):
            story(disk, acknowledged, refused)
        place = f"seed {seed}, call {number} ({name})"
        restarted_and_whole(disk.after_crash(), acknowledged, place)


@pytest.mark.parametrize("seed", range(4))
def test_a_failed_sync_and_then_a_crash_lose_nothing_acknowledged(seed: int) -> None:
    chance = chance_of(seed)
    syncs = [number for number, name in enumerate(CALLS) if name == "sync"]
    for number in syncs:
        disk, acknowledged, refused = MemoryDisk(chance), list[int](), list[int]()
        disk.failures = {number: Failure.INPUT_OUTPUT, number + chance.randint(1, 12): Failure.CRASH}
        try:
            story(disk, acknowledged, refused)
        except Crash:
            restarted_and_whole(disk.after_crash(), acknowledged, f"seed {seed}, call {number}")


def restarted_and_whole(disk: MemoryDisk, acknowledged: list[int], place: str) -> None:
    clock = SteadyClock(1_900_000_000)
    store = small_store(disk, clock)
    store.open()
    kept = numbers_in(disk)
    assert kept[: len(acknowledged)] == acknowledged, place
    assert len(kept) <= len(acknowledged) + BATCH_MOST, place
    commit(store, clock, [1000])
    store.seal()
    store.close()
    report = verify(disk)
    assert report.sound, (place, report.problems)
    assert numbers_in(disk) == [*kept, 1000], place
    said = [one.entry for one in search(disk, Query(kinds=frozenset({Kind.JOURNAL_CUT.value})))]
    files = {name for name in disk.names() if name.startswith("cut-")}
    assert {one.what.get("file") for one in said if one.what["cause"] == "unfinished-write"} == files, place


def test_a_disk_that_stays_full_is_not_littered_and_comes_back() -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock)
    commit(store, clock, range(5))
    before = sorted(disk.names())
    disk.lasting = Failure.NO_SPACE
    for number in range(20):
        with pytest.raises(JournalUnavailable, match="full"):
            commit(store, clock, [100 + number])
    assert sorted(disk.names()) == before
    disk.lasting = None
    commit(store, clock, [5])
    assert numbers_in(disk) == [0, 1, 2, 3, 4, 5]
    assert verify(disk).sound


@pytest.mark.parametrize("failure", [Failure.READ_ONLY, Failure.NO_SPACE])
def test_a_start_on_a_disk_that_refuses_is_tried_again(failure: Failure) -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    disk.lasting = failure
    store = small_store(disk, clock)
    with pytest.raises(JournalUnavailable):
        store.open()
    disk.lasting = None
    commit(store, clock, [7])
    assert numbers_in(disk) == [7]
    assert verify(disk).sound


def test_a_disk_that_takes_headers_and_no_entries_is_not_littered() -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock)
    commit(store, clock, range(3))
    disk.refuses = lambda data: b'"kind":"signed"' in data
    for number in range(20):
        with pytest.raises(JournalUnavailable, match="full"):
            commit(store, clock, [100 + number])
    assert sum(name.startswith("journal-") for name in disk.names()) <= 2
    disk.refuses = lambda _data: False
    commit(store, clock, [3])
    assert numbers_in(disk) == [0, 1, 2, 3]
    assert verify(disk).sound


def test_the_first_head_is_on_the_medium() -> None:
    for seed in range(20):
        disk = MemoryDisk(chance_of(seed))
        store = small_store(disk, SteadyClock())
        store.open()
        assert store.head is not None
        assert verify(disk.after_crash()).head == store.head


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_while_a_start_cuts_a_torn_tail_loses_no_byte_of_it(seed: int) -> None:
    torn = b'{"boot":"torn' + b"x" * 1500
    number = 0
    while True:
        disk, clock = MemoryDisk(chance_of(seed)), SteadyClock()
        store = small_store(disk, clock, 8192)
        commit(store, clock, range(3))
        [inode] = [inode for name, inode in disk.inodes.items() if name.startswith("journal-")]
        end = len(bytes(inode.seen).rstrip(b"\0"))
        for content in (inode.seen, inode.durable):
            content[end : end + len(torn)] = torn
        disk.failures = {len(disk.calls) + number: Failure.CRASH}
        try:
            small_store(disk, clock, 8192).open()
        except Crash:
            disk = disk.after_crash()
        else:
            return
        number += 1
        restarted_and_whole(disk, [0, 1, 2], f"call {number}")
        kept = {bytes(one.seen) for name, one in disk.inodes.items() if name.startswith("cut-")}
        assert torn in kept


def test_a_line_that_a_dying_process_could_not_sync_is_not_built_upon_unsynced() -> None:
    """After the failed sync the line looks right to the next process, counts as clean, and is not on the medium."""
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock, 8192)
    commit(store, clock, range(3))
    disk.failures = {len(disk.calls) + 1: Failure.INPUT_OUTPUT, len(disk.calls) + 2: Failure.CRASH}
    with pytest.raises(Crash):
        commit(store, clock, range(3, 9))
    disk.failures = {}
    assert numbers_in(disk) == list(range(9))
    store = small_store(disk, clock, 8192)
    commit(store, clock, [9])
    survivor = disk.after_crash()
    assert numbers_in(survivor) == list(range(10))
    assert verify(survivor).sound


def test_a_tail_that_changed_under_a_failing_disk_is_told() -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock, 8192)
    commit(store, clock, range(3))
    [inode] = [inode for name, inode in disk.inodes.items() if name.startswith("journal-")]
    place = bytes(inode.seen).rindex(b'"number":2')
    inode.seen[place + 9] = ord("7")
    disk.failures = {len(disk.calls) + 1: Failure.INPUT_OUTPUT}
    with pytest.raises(JournalUnavailable):
        commit(store, clock, [3])
    commit(store, clock, [4])
    causes = [one.entry.what["cause"] for one in search(disk, Query(kinds=frozenset({Kind.JOURNAL_CUT.value})))]
    assert causes == ["tail-differs"]
    assert [problem.fault for problem in verify(disk).problems] == [Fault.ALTERED]
