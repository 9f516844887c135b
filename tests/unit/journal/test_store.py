"""Segments, seals and starts on a real directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cardd.journal.errors import JournalUnavailable, Trouble
from cardd.journal.event import Kind
from cardd.journal.files import DirectoryFiles
from cardd.journal.link import ORIGIN, digest_of, read_header
from cardd.journal.problems import Fault
from cardd.journal.query import Query, search
from cardd.journal.sealing import FIRST_KEY_FILE, KEY_FILE, public_key_in
from cardd.journal.segment import segment_names
from cardd.journal.store import Store
from cardd.journal.verify import Anchors, verify
from tests.unit.journal.support import SteadyClock, commit, numbers_in, small_store


def opened(path: Path, segment_bytes: int = 4096) -> tuple[Store, DirectoryFiles, SteadyClock]:
    files, clock = DirectoryFiles(path), SteadyClock()
    return small_store(files, clock, segment_bytes), files, clock


def causes(files: DirectoryFiles) -> list[object]:
    query = Query(kinds=frozenset({Kind.JOURNAL_CUT.value}))
    return [found.entry.what["cause"] for found in search(files, query)]


def test_every_line_links_to_the_bytes_of_the_one_before(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, range(20))
    store.close()
    prev = ORIGIN
    for name in segment_names(files):
        for line in (tmp_path / name).read_bytes().rstrip(b"\0").splitlines(keepends=True):
            assert f'"prev":"{prev}"'.encode() in line
            prev = digest_of(line)


def test_full_segments_are_sealed_cut_to_length_and_read_only(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, range(20))
    store.close()
    *closed, current = segment_names(files)
    assert len(closed) > 1
    for name in closed:
        content = (tmp_path / name).read_bytes()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o440
        assert content.endswith(b"}\n")
        assert b'"kind":"seal"' in content.splitlines()[-1]
        assert len(content) <= 4096
    assert stat.S_IMODE((tmp_path / current).stat().st_mode) == 0o640
    assert (tmp_path / current).stat().st_size == 4096


def test_headers_number_and_count(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, range(20))
    store.close()
    previous, entries = None, 0
    for name in segment_names(files):
        lines = (tmp_path / name).read_bytes().rstrip(b"\0").splitlines(keepends=True)
        header = read_header(lines[0])
        assert (header.previous, header.entries) == (previous, entries)
        assert name == f"journal-{header.seq:015d}.jsonl"
        previous, entries = header.seq, entries + sum(b'"kind":"signed"' in line for line in lines)
    assert entries == store.entries == 20


def test_the_next_start_goes_on_in_the_same_segment(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, [1])
    head = store.head
    store.close()
    files.close()
    store, files, clock = opened(tmp_path)
    store.open()
    assert store.head == head
    commit(store, clock, [2])
    assert numbers_in(files) == [1, 2]
    assert len(segment_names(files)) == 1
    assert verify(files).sound


def test_two_processes_cannot_write_it(tmp_path: Path) -> None:
    first, _, _ = opened(tmp_path)
    first.open()
    second, _, _ = opened(tmp_path)
    with pytest.raises(JournalUnavailable) as caught:
        second.open()
    assert caught.value.trouble is Trouble.IN_USE


def test_each_seal_hands_over_and_the_old_key_is_gone_from_its_file(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path, 1 << 16)
    seeds: set[bytes] = set()
    for number in range(4):
        commit(store, clock, [number])
        before = (tmp_path / KEY_FILE).read_bytes()
        seed = max(before[:32], before[512:544])
        assert any(seed)
        seeds.add(seed)
        assert store.seal() is not None
        after = (tmp_path / KEY_FILE).read_bytes()
        assert seed not in after
        assert sum(any(after[start : start + 32]) for start in (0, 512)) == 1
    assert len(seeds) == 4
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    key = public_key_in((tmp_path / FIRST_KEY_FILE).read_text())
    report = verify(files, Anchors(frozenset({key})))
    assert report.sound, report.problems
    assert report.head is not None
    assert report.sealed == report.head.seq
    assert store.seal() is None


@pytest.mark.parametrize("torn", [b"{", b'{"boot":"half a line', b"whole garbage\n", b"\n", b"a\nb\nc"])
def test_a_torn_tail_is_cut_kept_and_told(tmp_path: Path, torn: bytes) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, [1, 2])
    store.close()
    files.close()
    name = next(tmp_path.glob("journal-*"))
    length = len(name.read_bytes().rstrip(b"\0"))
    with name.open("r+b") as file:
        file.seek(length)
        file.write(torn)
    store, files, clock = opened(tmp_path)
    commit(store, clock, [3])
    assert numbers_in(files) == [1, 2, 3]
    report = verify(files)
    assert report.sound, report.problems
    assert any("1 cuts" in notice for notice in report.notices)
    [cut] = [one.entry for one in search(files, Query(kinds=frozenset({"journal-cut"})))]
    kept = (tmp_path / str(cut.what["file"])).read_bytes()
    assert kept == torn
    assert cut.what["bytes"] == len(torn)
    assert cut.what["lines"] == torn.count(b"\n")


def test_damage_too_far_from_the_end_is_left_for_the_investigation(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path, 1 << 20)
    commit(store, clock, range(1500))
    store.close()
    files.close()
    name = next(tmp_path.glob("journal-*"))
    content = bytearray(name.read_bytes())
    content[3000] ^= 1
    name.write_bytes(content)
    store, files, clock = opened(tmp_path, 1 << 20)
    commit(store, clock, [2000])
    assert causes(files) == ["damage"]
    assert name.read_bytes() == content
    assert numbers_in(files)[-1] == 2000
    report = verify(files)
    assert [problem.fault for problem in report.problems][:1] == [Fault.ALTERED]
    assert not any("missing" in problem.fault for problem in report.problems)
    assert report.head == store.head


def test_a_damaged_header_alone_is_survived(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path, 1 << 20)
    commit(store, clock, range(1500))
    store.close()
    files.close()
    name = next(tmp_path.glob("journal-*"))
    content = bytearray(name.read_bytes())
    content[3] ^= 1
    name.write_bytes(content)
    store, files, clock = opened(tmp_path, 1 << 20)
    commit(store, clock, [2000])
    assert "damage" in causes(files)
    assert not verify(files).sound


def test_a_lost_sealing_key_is_told_for_ever_unless_the_new_one_is_noted(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, [1])
    store.seal()
    store.close()
    files.close()
    (tmp_path / KEY_FILE).unlink()
    store, files, clock = opened(tmp_path)
    commit(store, clock, [2])
    store.seal()
    assert causes(files) == ["sealing-key-lost"]
    assert [problem.fault for problem in verify(files).problems] == [Fault.KEY_REPLACED]
    keys = frozenset(
        read_header((tmp_path / name).read_bytes().splitlines(keepends=True)[0]).key for name in segment_names(files)
    )
    assert verify(files, Anchors(keys)).sound


def test_a_journal_that_vanished_is_begun_anew_and_says_so(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, [1])
    store.close()
    files.close()
    for name in tmp_path.glob("journal-*"):
        name.unlink()
    store, files, clock = opened(tmp_path)
    commit(store, clock, [2])
    assert causes(files) == ["no-segment-found"]


def test_segments_that_were_archived_are_answered_for_by_the_first_kept_header(tmp_path: Path) -> None:
    store, files, clock = opened(tmp_path)
    commit(store, clock, range(30))
    store.seal()
    names = segment_names(files)
    header = (tmp_path / names[2]).read_bytes().splitlines(keepends=True)[0]
    for name in names[:2]:
        (tmp_path / name).unlink()
    assert [problem.fault for problem in verify(files).problems] == [Fault.MISSING_SEGMENT]
    assert verify(files, Anchors(header=header)).sound
    other = header.replace(b'"entries":', b'"entries":1')
    assert Fault.WRONG_HEADER in {problem.fault for problem in verify(files, Anchors(header=other)).problems}
    following = (tmp_path / names[3]).read_bytes().splitlines(keepends=True)[0]
    assert Fault.WRONG_HEADER in {problem.fault for problem in verify(files, Anchors(header=following)).problems}


def test_a_symbolic_link_in_the_place_of_a_segment_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"")
    (tmp_path / "journal-000000000000001.jsonl").symlink_to(target)
    store, _, _ = opened(tmp_path)
    with pytest.raises(JournalUnavailable):
        store.open()
    assert target.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    store, _, _ = opened(tmp_path)
    with pytest.raises(JournalUnavailable) as caught:
        store.open()
    assert caught.value.trouble is Trouble.NOT_PERMITTED
