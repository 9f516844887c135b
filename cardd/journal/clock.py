"""When: wall clock, monotonic clock and boot, as one stamp."""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stamp(NamedTuple):
    """A moment.

    Args:
        microseconds: since 1970-01-01 UTC.
        monotonic: nanoseconds of CLOCK_MONOTONIC.
        boot: the kernel's boot id (UUID text), which says whose monotonic clock it is.
    """

    microseconds: int
    monotonic: int
    boot: str


class Clock(Protocol):
    """Where stamps come from."""

    def now(self) -> Stamp:
        """The present moment."""


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

    def now(self) -> Stamp:
        """The present moment."""
        return Stamp(time.time_ns() // 1000, time.monotonic_ns(), self._boot)


def time_text(microseconds: int) -> str:
    """RFC 3339, UTC, always with six decimals: ``2026-01-31T08:05:09.000001Z``."""
    seconds, part = divmod(microseconds, 1_000_000)
    return f"{_second_text(seconds)}.{part:06d}Z"


@functools.lru_cache(maxsize=16)
def _second_text(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def time_of(text: str) -> datetime:
    """The moment that `time_text` wrote.

    Raises:
        ValueError: it is no such text.
    """
    if len(text) != 27 or not text.endswith("Z"):
        raise ValueError("a time must be written as 2026-01-31T08:05:09.000001Z")
    return datetime.fromisoformat(text)
