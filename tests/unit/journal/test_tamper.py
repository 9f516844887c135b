"""Any single edit of a journal is detected and named, by both verifiers alike."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.journal.files import DirectoryFiles
from cardd.journal.link import Head, read_header
from cardd.journal.problems import Fault, Report
from cardd.journal.segment import segment_names
from cardd.journal.verify import Anchors, verify
from tests.unit.journal import standalone
from tests.unit.journal.support import SteadyClock, commit, small_store

Segments = dict[str, list[bytes]]
ENTRIES = 28


@dataclass(frozen=True)
class Original:
    """A sealed journal of several segments, and what was noted of it elsewhere."""

    segments: Segments
    key: str
    head: Head

    @property
    def lines(self) -> list[tuple[str, int]]:
        return [(name, index) for name, lines in self.segments.items() for index in range(len(lines))]


def make() -> Original:
    with tempfile.TemporaryDirectory() as name:
        files = DirectoryFiles(Path(name))
        clock = SteadyClock()
        store = small_store(files, clock)
        for number in range(0, ENTRIES, 4):
            commit(store, clock, range(number, number + 4))
            if number % 8 == 0:
                store.seal()
        store.seal()
        head = store.head
        store.close()
        segments = {
            one: [line + b"\n" for line in (Path(name) / one).read_bytes().rstrip(b"\0").split(b"\n")[:-1]]
            for one in segment_names(files)
        }
        files.close()
    assert head is not None
    first = next(iter(segments.values()))[0]
    return Original(segments, read_header(first).key, head)


ORIGINAL = make()
LINES = ORIGINAL.lines
any_line = st.sampled_from(LINES)


def copy() -> Segments:
    return {name: list(lines) for name, lines in ORIGINAL.segments.items()}


def judged(segments: Segments, *, witness: bool = True, key: bool = True) -> tuple[Report, list[str]]:
    """What both verifiers find; they agree on the names, one by one."""
    folder = Path(tempfile.mkdtemp())
    try:
        for name, lines in segments.items():
            (folder / name).write_bytes(b"".join(lines))
        heads = (ORIGINAL.head,) if witness else ()
        keys = frozenset({ORIGINAL.key}) if key else frozenset[str]()
        files = DirectoryFiles(folder)
        report = verify(files, Anchors(keys, None, heads))
        files.close()
        other = standalone.check_directory(folder, keys, tuple(str(head) for head in heads))
    finally:
        shutil.rmtree(folder)
    names = [problem.fault.value for problem in report.problems]
    assert names == standalone.faults(other)
    return report, names


def test_the_original_is_sound() -> None:
    assert len(ORIGINAL.segments) > 3
    report, _ = judged(copy())
    assert report.sound
    assert report.head == ORIGINAL.head
    assert report.entries == ENTRIES
    assert report.witnessed == report.sealed == ORIGINAL.head.seq


@settings(max_examples=300, deadline=None)
@given(where=any_line, data=st.data())
def test_a_flipped_bit(where: tuple[str, int], data: st.DataObject) -> None:
    name, index = where
    segments = copy()
    line = bytearray(segments[name][index])
    position = data.draw(st.integers(0, len(line) - 1))
    line[position] ^= 1 << data.draw(st.integers(0, 7))
    segments[name][index] = bytes(line)
    _, names = judged(segments, witness=False)
    assert {Fault.ALTERED, Fault.BROKEN_SEAL, Fault.TRUNCATED} & set(names), names


def test_a_number_with_a_zero_before_it_is_none() -> None:
    """JSON has no such number: what a bit makes of 15 is no line, and not the line 5."""
    segments = copy()
    name = next(name for name in sorted(segments) if b'"seq":15,' in segments[name][0])
    segments[name][0] = segments[name][0].replace(b'"seq":15,', b'"seq":05,')
    _, names = judged(segments, witness=False)
    assert names == [Fault.ALTERED]


@given(where=st.sampled_from(LINES[:-1]))
def test_a_deleted_line(where: tuple[str, int]) -> None:
    name, index = where
    segments = copy()
    del segments[name][index]
    _, names = judged(segments, witness=False)
    # The end of a segment is told by the header of the next, its beginning by its name.
    assert {Fault.MISSING, Fault.TRUNCATED} & set(names), names


def test_the_last_line_deleted_is_seen_by_a_witness_alone() -> None:
    segments = copy()
    del segments[LINES[-1][0]][-1]
    _, names = judged(segments)
    assert names == [Fault.ROLLED_BACK]
    report, names = judged(segments, witness=False)
    assert not names
    assert any("cannot be known" in notice for notice in report.notices)


@settings(max_examples=150, deadline=None)
@given(source=any_line, target=any_line)
def test_a_line_put_in_again(source: tuple[str, int], target: tuple[str, int]) -> None:
    segments = copy()
    segments[target[0]].insert(target[1], ORIGINAL.segments[source[0]][source[1]])
    _, names = judged(segments, witness=False)
    assert {Fault.INSERTED, Fault.REPLAYED} & set(names), names


@settings(max_examples=80, deadline=None)
@given(
    where=st.sampled_from(LINES[1:]), garbage=st.binary(min_size=1, max_size=60).filter(lambda one: b"\n" not in one)
)
def test_garbage_put_in(where: tuple[str, int], garbage: bytes) -> None:
    segments = copy()
    segments[where[0]].insert(where[1], garbage + b"\n")
    _, names = judged(segments, witness=False)
    assert Fault.INSERTED in names, names


@settings(max_examples=80, deadline=None)
@given(where=st.sampled_from(LINES[1:-1]))
def test_a_forged_line_that_links_to_the_one_before(where: tuple[str, int]) -> None:
    """Its number and link are right; the true line follows."""
    name, index = where
    segments = copy()
    true = segments[name][index]
    segments[name].insert(index, true.replace(b'"time":"2027', b'"time":"2026', 1))
    _, names = judged(segments, witness=False)
    assert Fault.INSERTED in names, names


@settings(max_examples=150, deadline=None)
@given(places=st.lists(any_line, min_size=2, max_size=2, unique=True))
def test_two_lines_swapped(places: list[tuple[str, int]]) -> None:
    (one, first), (two, second) = places
    segments = copy()
    segments[one][first], segments[two][second] = segments[two][second], segments[one][first]
    _, names = judged(segments, witness=False)
    headers = first == 0 or second == 0
    # A header that stands elsewhere is told as a segment in a wrong place.
    assert Fault.SWAPPED in names or (headers and names), names


@settings(max_examples=150, deadline=None)
@given(where=any_line, data=st.data())
def test_a_truncated_segment(where: tuple[str, int], data: st.DataObject) -> None:
    name, index = where
    segments = copy()
    left = data.draw(st.integers(0, len(segments[name][index]) - 1))
    segments[name] = [*segments[name][:index], segments[name][index][:left]]
    _, names = judged(segments)
    assert {Fault.TRUNCATED, Fault.ROLLED_BACK} & set(names), names


@pytest.mark.parametrize("number", range(len(ORIGINAL.segments)))
def test_a_segment_taken_away(number: int) -> None:
    segments = copy()
    del segments[list(segments)[number]]
    _, names = judged(segments)
    last = number == len(ORIGINAL.segments) - 1
    assert (Fault.ROLLED_BACK if last else Fault.MISSING_SEGMENT) in names, names


def pairs() -> Iterator[tuple[int, int]]:
    count = len(ORIGINAL.segments)
    return ((one, two) for one in range(count) for two in range(count) if one != two)


@pytest.mark.parametrize(("source", "target"), list(pairs()))
def test_a_segment_replayed_in_the_place_of_another(source: int, target: int) -> None:
    segments = copy()
    names_of = list(segments)
    segments[names_of[target]] = segments[names_of[source]]
    _, names = judged(segments, witness=False)
    assert Fault.REPLAYED in names, names


def test_a_segment_replayed_at_the_end_under_a_name_of_its_own() -> None:
    segments = copy()
    last = ORIGINAL.head.seq
    segments[f"journal-{last + 1:015d}.jsonl"] = segments[next(iter(segments))]
    _, names = judged(segments, witness=False)
    assert Fault.REPLAYED in names, names


def rehashed(change: Callable[[bytes], bytes]) -> Segments:
    """A forger's work: one entry of the first segment changed, every link after it made right again."""
    from cardd.journal.link import digest_of

    segments, prev = copy(), None
    for lines in segments.values():
        for index, line in enumerate(lines):
            new = change(line)
            if prev is not None:
                start = new.index(b'"prev":"') + 8
                new = new[:start] + prev.encode() + new[start + 64 :]
            lines[index] = new
            prev = digest_of(new)
    return segments


def test_zeros_put_behind_a_closed_segment() -> None:
    segments = copy()
    next(iter(segments.values())).append(bytes(100))
    _, names = judged(segments, witness=False)
    assert names == [Fault.ALTERED]


def test_a_count_that_is_wrong_is_seen_even_where_no_seal_follows() -> None:
    def miscount(line: bytes) -> bytes:
        return line if b'"previous":null' in line else COUNT.sub(b'"entries":27,', line)

    segments = rehashed(miscount)
    last = list(segments)[-1]
    segments = {name: lines for name, lines in segments.items() if name != last} | {last: segments[last][:1]}
    _, names = judged(segments, witness=False)
    assert Fault.ALTERED in names or Fault.BROKEN_SEAL in names


COUNT = re.compile(rb'"entries":\d+,(?=.*"kind":"segment")')


def test_a_forger_who_makes_all_links_right_is_betrayed_by_the_seals() -> None:
    _, names = judged(rehashed(lambda line: line.replace(b'"number":3', b'"number":9')), witness=False)
    assert Fault.BROKEN_SEAL in names


def test_a_journal_made_anew_with_other_keys_is_told_by_the_key_noted_elsewhere() -> None:
    other = make()
    _, names = judged(other.segments, witness=False)
    assert names == [Fault.FOREIGN_KEY]
    _, names = judged(other.segments, key=False)
    assert names == [Fault.FOREIGN_WITNESS]


def test_a_folder_put_back_to_an_earlier_state() -> None:
    segments = copy()
    for name in list(segments)[2:]:
        del segments[name]
    _, names = judged(segments)
    assert names == [Fault.ROLLED_BACK]
