"""Views: they only read, can be given up, and a snapshot stands still while the journal is written on."""

from __future__ import annotations

import pytest

from cardd.journal.files import Files
from cardd.journal.segment import segment_names
from cardd.journal.verify import verify
from cardd.journal.view import ReadView, Snapshot
from tests.unit.journal.disk import MemoryDisk
from tests.unit.journal.support import SteadyClock, commit, numbers_in, small_store


def written(count: int, segment_bytes: int = 65536) -> tuple[MemoryDisk, int]:
    """A disk with so many entries, and the number of the last line."""
    disk = MemoryDisk()
    store = small_store(disk, SteadyClock(), segment_bytes)
    head = commit(store, SteadyClock(), range(count))[-1]
    store.close()
    return disk, head.seq


def test_a_snapshot_is_sound_whatever_stands_half_written_behind_its_head() -> None:
    disk, through = written(5)
    (name,) = segment_names(disk)
    content = disk.inodes[name].seen
    end = content.rindex(b"\n") + 1
    content[end : end + 40] = b'{"boot":"half a line\nand another half\x00\x00\n'[:40].ljust(40, b"x")
    assert verify(disk).count
    report = verify(Snapshot(disk, through))
    assert report.sound
    assert report.head is not None
    assert report.head.seq == through


def test_a_snapshot_has_neither_later_entries_nor_later_segments() -> None:
    disk, last = written(20, 4096)
    assert len(segment_names(disk)) > 2
    for through in range(2, last + 1):
        snapshot = Snapshot(disk, through)
        report = verify(snapshot)
        assert report.sound
        assert report.head is not None
        assert report.head.seq == through
        assert numbers_in(snapshot) == numbers_in(disk)[: len(numbers_in(snapshot))]
        assert snapshot.size(snapshot.names()[-1]) <= disk.size(snapshot.names()[-1])


def test_what_is_spoilt_before_the_head_is_still_found() -> None:
    disk, through = written(5)
    (name,) = segment_names(disk)
    content = disk.inodes[name].seen
    content[content.index(b'"number":2')] ^= 1
    assert not verify(Snapshot(disk, through)).sound


@pytest.mark.parametrize("view", [ReadView, lambda files: Snapshot(files, 3)])
def test_nothing_is_written_through_a_view(view: type[ReadView]) -> None:
    disk, _ = written(3)
    reading: Files = view(disk)
    (name,) = segment_names(disk)
    handle = reading.open(name)
    for attempt in (
        lambda: reading.open(name, write=True),
        lambda: reading.create("x", 0o600),
        lambda: reading.rename(name, "x"),
        lambda: reading.remove(name),
        reading.lock,
        lambda: handle.write_at(0, b"x"),
        lambda: handle.truncate(0),
        handle.make_read_only,
    ):
        with pytest.raises(OSError, match="only reads"):
            attempt()


def test_a_reading_can_be_given_up() -> None:
    disk, through = written(3)

    class Enough(Exception):
        pass

    def check() -> None:
        raise Enough

    for view in (ReadView(disk, check), Snapshot(disk, through, check)):
        with pytest.raises(Enough):
            verify(view)
