"""The journal on the loop: sharing syncs, refusing, remembering, sealing in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cardd.journal import Event, Journal, JournalUnavailable, Kind, Settings, Trouble, open_directory
from cardd.journal.entry import Body
from cardd.journal.event import Detail
from cardd.journal.link import Head
from cardd.journal.query import Query, search
from cardd.journal.store import Limits
from cardd.journal.verify import verify
from cardd.journal.writer import Item, Pace
from tests.unit.journal.disk import Failure, MemoryDisk
from tests.unit.journal.support import event, numbers_in

FOREVER = 1e6
CALM = Settings(limits=Limits(1 << 16), pace=Pace(seal_seconds=FOREVER, seal_entries=1 << 30))


class GatedDisk(MemoryDisk):
    """A disk whose syncs wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def _call(self, name: str, file: str = "") -> Failure | None:
        if name == "sync":
            self.entered.set()
            assert self.gate.wait(60)
        return super()._call(name, file)


class Copies:
    """A mirror that keeps what it gets."""

    def __init__(self) -> None:
        self.heads: list[Head] = []

    def send(self, body: Body, head: Head) -> None:
        self.heads.append(head)


@asynccontextmanager
async def running(disk: MemoryDisk, settings: Settings = CALM, mirror: Copies | None = None) -> AsyncIterator[Journal]:
    journal = Journal(disk, settings, mirror=mirror)
    await journal.start()
    try:
        yield journal
    finally:
        await journal.close()


def syncs(disk: MemoryDisk) -> int:
    return disk.calls.count("sync")


async def test_record_returns_when_the_entry_is_on_the_disk() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        head = await journal.record(event(1))
        assert numbers_in(disk.after_crash()) == [1]
        assert journal.head == head
        assert journal.entries == 1


async def test_record_does_not_return_before_the_sync() -> None:
    disk = GatedDisk()
    async with running(disk) as journal:
        disk.gate.clear()
        disk.entered.clear()
        recording = asyncio.create_task(journal.record(event(1)))
        await asyncio.to_thread(disk.entered.wait, 60)
        assert not recording.done()
        disk.gate.set()
        await recording


async def test_those_who_wait_together_share_a_sync() -> None:
    disk = MemoryDisk()
    async with running(disk, Settings(Limits(1 << 20), CALM.pace)) as journal:
        before = syncs(disk)

        async def caller(start: int) -> None:
            for number in range(4):
                await journal.record(event(start + number))

        await asyncio.gather(*(caller(10 * one) for one in range(50)))
        assert syncs(disk) - before <= 8
        assert journal.entries == 200
    assert verify(disk).sound


async def test_heads_are_given_to_those_whose_entries_they_are() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        heads = await asyncio.gather(*(journal.record(event(number)) for number in range(30)))
    by_seq = {found.entry.seq: found.entry.what["number"] for found in search(disk, Query())}
    assert [by_seq[head.seq] for head in heads] == list(range(30))


@pytest.mark.parametrize("later", range(1, 40, 3))
async def test_what_one_sync_covered_is_not_written_again_when_the_next_one_fails(later: int) -> None:
    """Thirty entries that nobody waits for go to the disk in several batches, of which one fails."""
    disk = MemoryDisk()
    async with running(disk, Settings(Limits(4096), CALM.pace)) as journal:
        disk.failures = {len(disk.calls) + later: Failure.INPUT_OUTPUT}
        for number in range(30):
            journal.note(event(number))
        try:
            await journal.record(event(30))
            expected = list(range(31))
        except JournalUnavailable:
            expected = list(range(30))
        await journal.record(event(31))
        assert numbers_in(disk) == [*expected, 31]
    assert verify(disk).sound


async def test_a_cancelled_caller_leaves_its_entry_and_disturbs_nobody() -> None:
    disk = GatedDisk()
    async with running(disk) as journal:
        disk.gate.clear()
        disk.entered.clear()
        first = asyncio.create_task(journal.record(event(1)))
        await asyncio.to_thread(disk.entered.wait, 60)
        first.cancel()
        second = asyncio.create_task(journal.record(event(2)))
        disk.gate.set()
        await second
        assert first.cancelled()
        assert numbers_in(disk) == [1, 2]


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [
        (Failure.NO_SPACE, Trouble.FULL),
        (Failure.READ_ONLY, Trouble.READ_ONLY),
        (Failure.INPUT_OUTPUT, Trouble.INPUT_OUTPUT),
    ],
)
async def test_a_disk_that_refuses_is_told_by_name_and_forgotten_when_it_serves_again(
    failure: Failure, trouble: Trouble
) -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        changes: list[Trouble | None] = []
        journal.listen(lambda: changes.append(journal.trouble.trouble if journal.trouble else None))
        await journal.record(event(1))
        disk.lasting = failure
        for number in (2, 3):
            with pytest.raises(JournalUnavailable) as caught:
                await journal.record(event(number))
            assert caught.value.trouble is trouble
        disk.lasting = None
        await journal.record(event(4))
        assert changes == [trouble, None]
        assert numbers_in(disk) == [1, 4]
    assert verify(disk).sound


async def test_sessions_end_while_the_disk_is_full_and_their_ends_are_written_afterwards_in_order() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        await journal.record(event(1))
        disk.lasting = Failure.NO_SPACE
        for number in (2, 3, 4):
            journal.note(event(number))
        with pytest.raises(JournalUnavailable):
            await journal.record(event(99))
        disk.lasting = None
        await journal.record(event(5))
        assert numbers_in(disk) == [1, 2, 3, 4, 5]
    assert verify(disk).sound


async def test_what_is_remembered_is_written_without_another_entry_to_bring_it() -> None:
    disk = MemoryDisk()
    async with running(disk, Settings(CALM.limits, Pace(FOREVER, 1 << 30, retry_seconds=0.01))) as journal:
        changes: asyncio.Queue[JournalUnavailable | None] = asyncio.Queue()
        journal.listen(lambda: changes.put_nowait(journal.trouble))
        disk.lasting = Failure.NO_SPACE
        journal.note(event(1))
        assert await asyncio.wait_for(changes.get(), 60) is not None
        disk.lasting = None
        assert await asyncio.wait_for(changes.get(), 60) is None
        assert numbers_in(disk) == [1]


async def test_those_who_come_in_one_turn_of_the_loop_are_handed_over_together() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        handed: list[int] = []
        put = journal._writer.put

        def counted(items: Sequence[Item]) -> None:
            handed.append(len(items))
            put(items)

        journal._writer.put = counted  # type: ignore[method-assign]  # to see what is handed over at once
        await asyncio.gather(*(journal.record(event(number)) for number in range(20)))
        assert handed == [20]


async def test_what_is_remembered_is_bounded_and_what_was_lost_is_counted() -> None:
    disk = MemoryDisk()
    settings = Settings(limits=CALM.limits, pace=Pace(FOREVER, 1 << 30, backlog=3))
    async with running(disk, settings) as journal:
        disk.lasting = Failure.NO_SPACE
        for number in range(8):
            journal.note(event(number))
        with pytest.raises(JournalUnavailable):
            await journal.record(event(99))
        with pytest.raises(JournalUnavailable):
            await journal.record(event(99))
        disk.lasting = None
        await journal.record(event(100))
        assert numbers_in(disk) == [0, 1, 2, 100]
        [lost] = search(disk, Query(kinds=frozenset({Kind.ENTRIES_LOST.value})))
        assert lost.entry.what[Detail.COUNT] == 5


async def test_a_start_on_a_full_disk_says_so_and_serves_once_there_is_room() -> None:
    disk = MemoryDisk()
    disk.lasting = Failure.NO_SPACE
    async with running(disk) as journal:
        assert journal.trouble is not None
        assert journal.trouble.trouble is Trouble.FULL
        disk.lasting = None
        await journal.record(event(1))
        assert journal.trouble is None
        assert numbers_in(disk) == [1]


async def test_more_than_may_wait_is_refused() -> None:
    disk = GatedDisk()
    async with running(disk, Settings(CALM.limits, CALM.pace, queue=5)) as journal:
        disk.gate.clear()
        recording = [asyncio.create_task(journal.record(event(number))) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(JournalUnavailable) as caught:
            await journal.record(event(6))
        assert caught.value.trouble is Trouble.BUSY
        disk.gate.set()
        await asyncio.gather(*recording)
        await journal.record(event(7))


async def test_a_closed_journal_refuses_and_its_end_is_sealed() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        journal.note(event(1))
    with pytest.raises(JournalUnavailable) as caught:
        await journal.record(event(2))
    assert caught.value.trouble is Trouble.CLOSED
    journal.note(event(3))
    report = verify(disk)
    assert report.head is not None
    assert report.sealed == report.head.seq
    assert numbers_in(disk) == [1]


async def test_an_epoch_ends_after_so_many_entries() -> None:
    disk = MemoryDisk()
    async with running(disk, Settings(CALM.limits, Pace(FOREVER, seal_entries=3))) as journal:
        for number in range(7):
            await journal.record(event(number))
        await journal.seal()
        seals = sum(inode.seen.count(b'"kind":"seal"') for inode in disk.inodes.values())
    assert seals == 3
    assert verify(disk).sound


async def test_an_epoch_ends_after_so_long() -> None:
    disk = MemoryDisk()
    sealed = asyncio.Event()
    loop = asyncio.get_running_loop()

    journal = Journal(disk, Settings(CALM.limits, Pace(seal_seconds=0.01)))
    await journal.start()
    await journal.record(event(1))
    settle = journal._settle

    def watched(report: object) -> None:
        settle(report)  # type: ignore[arg-type]  # handed through as it came
        if journal.head is not None and b'"kind":"seal"' in b"".join(bytes(one.seen) for one in disk.inodes.values()):
            loop.call_soon(sealed.set)

    journal._settle = watched  # type: ignore[method-assign]  # to see the writer's own round
    await asyncio.wait_for(sealed.wait(), 60)
    await journal.close()
    assert verify(disk).sound


async def test_nothing_wakes_an_idle_writer() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        await journal.record(event(1))
        await journal.seal()
        writer = journal._writer
        assert (writer._seal_at, writer._retry_at) == (None, None)


async def test_the_mirror_gets_each_entry_once_with_its_head() -> None:
    disk, copies = MemoryDisk(), Copies()
    async with running(disk, mirror=copies) as journal:
        heads = [await journal.record(event(number)) for number in range(3)]
        disk.lasting = Failure.NO_SPACE
        with pytest.raises(JournalUnavailable):
            await journal.record(event(9))
        disk.lasting = None
    assert copies.heads == heads


async def test_a_defect_in_the_writer_is_told_and_not_the_end() -> None:
    disk = MemoryDisk()
    async with running(disk) as journal:
        commit = journal._writer._store.commit
        calls: list[int] = []

        def defective(bodies: list[Body]) -> list[Head]:
            calls.append(len(bodies))
            if len(calls) == 1:
                raise ZeroDivisionError
            return commit(bodies)

        journal._writer._store.commit = defective  # type: ignore[method-assign,assignment]  # the defect
        with pytest.raises(JournalUnavailable) as caught:
            await journal.record(event(1))
        assert caught.value.trouble is Trouble.INTERNAL
        await journal.record(event(2))
        assert numbers_in(disk) == [2]


async def test_a_real_directory_is_made_and_one_without_a_parent_is_refused(tmp_path: Path) -> None:
    journal = Journal(open_directory(tmp_path / "journal"))
    await journal.start()
    await journal.record(Event(Kind.DAEMON_STARTED))
    await journal.close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o750
    with pytest.raises(JournalUnavailable) as caught:
        open_directory(tmp_path / "missing" / "journal")
    assert caught.value.trouble is Trouble.MISSING


async def test_followers_hear_of_each_move_of_the_head_until_they_stop() -> None:
    async with running(MemoryDisk()) as journal:
        heads: list[Head | None] = []
        stop = journal.follow(lambda: heads.append(journal.head))
        first = await journal.record(event(1))
        assert heads == [first]
        stop()
        await journal.record(event(2))
        assert heads == [first]
