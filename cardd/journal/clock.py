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

    def set_back_from(self, earlier: Stamp) -> bool:
        """Whether the wall clock was set back between an earlier stamp and this one. Stamps of one boot whose monotonic
        clock is in the wrong order, too, were only written in another order than taken."""
        same_boot = self.boot == earlier.boot
        return self.microseconds < earlier.microseconds and not (same_boot and self.monotonic < earlier.monotonic)


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


def written_stamp(time: bytes) -> Stamp | None:
    """The wall clock of a line, as `time_text` wrote it, of a boot that is no boot; None where it is no time."""
    try:
        moment = time_of(time.decode("ascii"))
    except ValueError:
        return None
    return Stamp((moment - _EPOCH) // timedelta(microseconds=1), 0, "")


def time_of(text: str) -> datetime:
    """The moment that `time_text` wrote.

    Raises:
        ValueError: it is no such text.
    """
    if len(text) != 27 or not text.endswith("Z"):
        raise ValueError("a time must be written as 2026-01-31T08:05:09.000001Z")
    return datetime.fromisoformat(text)
