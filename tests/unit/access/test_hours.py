"""When a rule holds."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.hours import DAY, DAYS, WEEK, minute_of_week, parse_hours

MON, FRI, SAT, SUN = 0, 4 * DAY, 5 * DAY, 6 * DAY


@pytest.mark.parametrize(
    ("windows", "spans"),
    [
        (["mon 08:00-19:30"], ((480, 1170),)),
        (["00:00-24:00"], ((0, WEEK),)),
        (["sat,sun 00:00-24:00"], ((SAT, WEEK),)),
        (["fri 22:00-06:00"], ((FRI + 1320, SAT + 360),)),
        (["sun 22:00-06:00"], ((0, 360), (SUN + 1320, WEEK))),
        (["sun-mon 10:00-11:00"], ((600, 660), (SUN + 600, SUN + 660))),
        (["mon 08:00-12:00", "mon 11:00-14:00"], ((480, 840),)),
        (["mon 08:00-00:00"], ((480, 1440),)),
    ],
)
def test_windows(windows: list[str], spans: tuple[tuple[int, int], ...]) -> None:
    assert parse_hours(windows).spans == spans


@pytest.mark.parametrize(
    "window",
    [
        "",
        "08:00",
        "8:00-9:00",
        "08:00-08:00",
        "24:00-08:00",
        "08:60-09:00",
        "25:00-26:00",
        "day 08:00-09:00",
        "mon- 08:00-09:00",
        "mon-xyz 08:00-09:00",
        "mon  08:00-09:00",
        "08:00-24:01",
        "MON 08:00-09:00",
    ],
)
def test_no_window(window: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|is empty|names a day|no time"):
        parse_hours([window])


def test_none() -> None:
    with pytest.raises(ValueError, match="no window"):
        parse_hours([])


@given(st.integers(0, 6), st.integers(0, DAY - 1), st.integers(0, DAY), st.integers(0, WEEK - 1))
def test_a_window_holds_from_its_start_to_its_end(day: int, start: int, end: int, minute: int) -> None:
    if start == end:
        return
    text = f"{DAYS[day]} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    length = end - start if end > start else end - start + DAY
    inside = (minute - day * DAY - start) % WEEK < length
    assert parse_hours([text]).contain(minute) is inside


def test_minute_of_week() -> None:
    assert minute_of_week(datetime(2026, 3, 1, 23, 59)) == WEEK - 1  # noqa: DTZ001  # the wall clock has no zone here
