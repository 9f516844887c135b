"""The time that never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.pki.clock import MonotoneClock

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Machine:
    """Two clocks, of which one can be set."""

    def __init__(self) -> None:
        self.wall = NOON
        self.boot = 1000.0
        self.told = 0

    def pass_(self, time: timedelta) -> None:
        self.wall += time
        self.boot += time.total_seconds()

    def clock(self, mark: Path | None = None) -> MonotoneClock:
        return MonotoneClock(lambda: self.wall, lambda: self.boot, mark, self._changed)

    def _changed(self) -> None:
        self.told += 1


def test_it_is_the_wall_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock() == NOON
    machine.pass_(DAY)
    assert clock() == NOON + DAY
    machine.wall += DAY  # set forward
    assert clock() == NOON + 2 * DAY
    assert (clock.behind, machine.told) == (None, 0)


def test_set_back_it_goes_on_by_the_other_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_(HOUR)
    assert clock() == NOON + HOUR
    machine.wall -= 30 * DAY
    assert clock() == NOON + HOUR
    machine.pass_(HOUR)
    assert clock() == NOON + 2 * HOUR
    assert clock.behind == 30 * DAY
    assert machine.told == 1
    machine.wall += 30 * DAY  # set right
    assert clock() == NOON + 2 * HOUR
    assert clock.behind is None
    assert machine.told == 2


def test_a_correction_by_seconds_is_no_news() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= timedelta(seconds=20)
    assert (clock(), clock.behind, machine.told) == (NOON, None, 0)


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    machine, mark = Machine(), tmp_path / "mark"
    machine.clock(mark).keep()
    machine.wall, machine.boot = NOON - 300 * DAY, 5.0
    again = machine.clock(mark)
    assert again() == NOON
    assert again.behind == 300 * DAY


def test_the_mark_follows_without_a_stop(tmp_path: Path) -> None:
    """A power cut costs an hour at most."""
    machine, mark = Machine(), tmp_path / "mark"
    clock = machine.clock(mark)
    clock()
    machine.pass_(DAY)
    clock()
    machine.pass_(HOUR / 2)
    clock()
    assert datetime.fromisoformat(mark.read_text()) == NOON + DAY


def test_what_an_authority_signed_counts(tmp_path: Path) -> None:
    """The mark was lost with the clock's battery; the CRLs were not."""
    machine = Machine()
    clock = machine.clock(tmp_path / "mark")
    clock.seen(NOON + DAY)
    assert clock() == NOON + DAY
    clock.seen(NOON)
    machine.pass_(HOUR)
    assert clock() == NOON + DAY + HOUR


@pytest.mark.parametrize("content", [b"", b"soon", b"2026-06-01", b"2026-06-01T12:00:00", b"\xff\xff", b"9" * 1000])
def test_a_damaged_mark_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mark").write_bytes(content)
    assert Machine().clock(tmp_path / "mark")() == NOON


def test_a_mark_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    machine = Machine()
    clock = machine.clock(tmp_path / "nowhere" / "mark")
    machine.pass_(DAY)
    assert clock() == NOON + DAY


@given(st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(0, 10_000)), max_size=30))
def test_it_never_goes_back_and_never_stands_still(steps: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for set_by, passed in steps:
        machine.wall += timedelta(seconds=set_by)
        machine.pass_(timedelta(seconds=passed))
        now = clock()
        assert now >= before + timedelta(seconds=passed)
        assert now >= machine.wall
        before = now
