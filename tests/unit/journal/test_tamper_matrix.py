"""Every edit at every line: each is detected at its place, and both verifiers give it the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cardd.journal.problems import Fault
from tests.unit.journal.test_tamper import LINES, ORIGINAL, Segments, copy, judged

Places = list[tuple[str, int]]
Edit = Callable[[Segments, int], None]
FLIPS = 7
"""Places in each line at which a bit is flipped."""


def flip(share: int) -> Edit:
    def edit(segments: Segments, place: int) -> None:
        name, index = LINES[place]
        line = bytearray(segments[name][index])
        line[(len(line) - 1) * share // (FLIPS - 1)] ^= 1
        segments[name][index] = bytes(line)

    return edit


def delete(segments: Segments, place: int) -> None:
    name, index = LINES[place]
    del segments[name][index]


def insert(segments: Segments, place: int) -> None:
    """A line that says that it follows the one before, as the true one does."""
    name, index = LINES[place]
    true = segments[name][index]
    segments[name].insert(index, true.replace(b'"time":"20', b'"time":"19', 1))


def swap(segments: Segments, place: int) -> None:
    """With the next line."""
    (one, first), (two, second) = LINES[place], LINES[place + 1]
    segments[one][first], segments[two][second] = segments[two][second], segments[one][first]


def truncate(segments: Segments, place: int) -> None:
    """The segment ends inside the line."""
    name, index = LINES[place]
    segments[name][index:] = [segments[name][index][: len(segments[name][index]) // 2]]


def replay(segments: Segments, place: int) -> None:
    """The line before stands here a second time."""
    name, index = LINES[place]
    segments[name].insert(index, ORIGINAL.segments[LINES[place - 1][0]][LINES[place - 1][1]])


def replace_by_earlier(segments: Segments, place: int) -> None:
    """An earlier line stands in the place of this one."""
    name, index = LINES[place]
    segments[name][index] = ORIGINAL.segments[LINES[place - 2][0]][LINES[place - 2][1]]


MATRIX: dict[str, tuple[Edit, range, set[Fault]]] = {
    **{
        f"flip-{share}": (
            flip(share),
            range(len(LINES)),
            {Fault.ALTERED, Fault.BROKEN_SEAL, Fault.TRUNCATED, Fault.ROLLED_BACK},
        )
        for share in range(FLIPS)
    },
    "delete": (delete, range(len(LINES)), {Fault.MISSING, Fault.TRUNCATED, Fault.ROLLED_BACK}),
    "insert": (insert, range(1, len(LINES)), {Fault.INSERTED, Fault.ALTERED}),
    "swap": (swap, range(len(LINES) - 1), {Fault.SWAPPED, Fault.REPLAYED, Fault.INSERTED, Fault.MISSING}),
    "truncate": (truncate, range(len(LINES)), {Fault.TRUNCATED, Fault.ROLLED_BACK}),
    "replay": (replay, range(1, len(LINES)), {Fault.REPLAYED, Fault.INSERTED}),
    "replace": (replace_by_earlier, range(2, len(LINES)), {Fault.REPLAYED, Fault.INSERTED, Fault.MISSING}),
}


def cells() -> Iterator[tuple[str, int]]:
    return ((name, place) for name, (_, places, _) in MATRIX.items() for place in places)


@pytest.mark.parametrize("name", MATRIX)
def test_an_edit_at_every_line_is_named_where_it_was_made(name: str) -> None:
    edit, places, expected = MATRIX[name]
    for place in places:
        segments = copy()
        edit(segments, place)
        report, names = judged(segments)
        where = f"{name} at line {place + 1}: {names}"
        assert expected & set(names), where
        # Lines are numbered from 1 without gaps: place is the number less one.
        assert any(abs(problem.seq - (place + 1)) <= 2 for problem in report.problems), where


def test_the_matrix_is_whole() -> None:
    assert [int(line.split(b'"seq":')[1].split(b",")[0]) for line in all_lines()] == list(range(1, len(LINES) + 1))
    kinds = {line.split(b'"kind":"')[1].split(b'"')[0] for line in all_lines()}
    assert kinds == {b"segment", b"seal", b"signed"}
    assert len(list(cells())) > 13 * (len(LINES) - 2)


def all_lines() -> list[bytes]:
    return [ORIGINAL.segments[name][index] for name, index in LINES]
