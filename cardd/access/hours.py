"""When a rule holds: "mon-fri 08:00-19:30", by the clock on the wall."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
"""Minutes."""

_WINDOW: Final = re.compile(r"(?:([a-z,\-]+) )?([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the week, counted from Monday 00:00.

    Args:
        spans: [from, to) each, sorted, apart from each other.
    """

    spans: tuple[tuple[int, int], ...]

    def contain(self, minute: int) -> bool:
        """Whether a minute of the week is among them."""
        return any(start <= minute < end for start, end in self.spans)


def minute_of_week(when: datetime) -> int:
    """The minute of a local time."""
    return when.weekday() * DAY + when.hour * 60 + when.minute


def parse_hours(windows: Iterable[str]) -> Hours:
    """Read windows like "08:00-19:30", "mon-fri 08:00-19:30", "sat,sun 00:00-24:00", "fri 22:00-06:00" (into Saturday).

    Raises:
        ValueError: none, or one that is not like this.
    """
    minutes = [span for window in windows for span in _spans(window)]
    if not minutes:
        raise ValueError("holds no window")
    return Hours(_joined(minutes))


def _spans(window: str) -> list[tuple[int, int]]:
    found = _WINDOW.fullmatch(window)
    if found is None:
        raise ValueError(f'{window!r} is not like "mon-fri 08:00-19:30"')
    start, end = _minute(found, 2), _minute(found, 4)
    if start in (end, DAY):
        raise ValueError(f"{window!r} is empty")
    length = (end - start) % DAY or DAY
    spans: list[tuple[int, int]] = []
    for day in _days(found.group(1), window):
        first = day * DAY + start
        last = first + length
        # Sunday's night goes on on Monday.
        spans += [(first, last)] if last <= WEEK else [(first, WEEK), (0, last - WEEK)]
    return spans


def _minute(found: re.Match[str], group: int) -> int:
    hour, minute = int(found.group(group)), int(found.group(group + 1))
    if minute > 59 or hour * 60 + minute > DAY:
        raise ValueError(f"{found.group(group)}:{found.group(group + 1)} is no time of the day")
    return hour * 60 + minute


def _days(text: str | None, window: str) -> list[int]:
    if text is None:
        return list(range(7))
    days: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{window!r} names a day that is none of {', '.join(DAYS)}")
        start = DAYS.index(first)
        count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
        days += [(start + step) % 7 for step in range(count)]
    return days


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
