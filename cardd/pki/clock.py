"""The time that validity is judged by: the wall clock, unless it was set back.

An expired card would be good again on a machine whose clock is a year late, and a revoked one by an old CRL. The latest
time that was ever seen is kept on the disk; time goes on from there by a clock that nobody can set.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

TOLERANCE: Final = timedelta(minutes=5)
"""How far behind the wall clock may be before it is said: time services correct by seconds."""
KEEP_EVERY: Final = timedelta(hours=1)
"""How much time passes between two writes of the mark, when the time is asked for at all."""
_MARK_MAX: Final = 64


class MonotoneClock:
    """Never goes back, not even over restarts.

    Args:
        wall: the wall clock, UTC and aware.
        boot: seconds of a clock that cannot be set and goes on in suspend (CLOCK_BOOTTIME).
        mark: file that keeps the latest time seen; None keeps it for this process alone.
        changed: told when the wall clock is found set back, and when it is right again.
    """

    def __init__(
        self,
        wall: Callable[[], datetime],
        boot: Callable[[], float],
        mark: Path | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._wall = wall
        self._boot = boot
        self._mark = mark
        self.changed = changed
        self._behind = False
        self._kept = _read(mark)
        self._latest, self._latest_at = self._kept or wall(), boot()

    def __call__(self) -> datetime:
        """The time, UTC: the wall clock's, or what it should be at least where it was set back."""
        wall, boot = self._wall(), self._boot()
        least = self._latest + timedelta(seconds=boot - self._latest_at)
        now = max(wall, least)
        if wall >= least:
            self._latest, self._latest_at = wall, boot
        if self._kept is None or now - self._kept >= KEEP_EVERY:
            self._keep(now)
        self._tell(behind=least - wall > TOLERANCE)
        return now

    @property
    def behind(self) -> timedelta | None:
        """By how much the wall clock is behind the time, None where it is right."""
        difference = self() - self._wall()
        return difference if difference > TOLERANCE else None

    def seen(self, moment: datetime) -> None:
        """Somebody trustworthy has named a time that has come: an authority signed a CRL at it, which was accepted."""
        if moment > self():
            self._latest, self._latest_at = moment, self._boot()

    def keep(self) -> None:
        """Write the mark; before the daemon stops."""
        self._keep(self())

    def _tell(self, *, behind: bool) -> None:
        if behind is not self._behind:
            self._behind = behind
            log.warning("the wall clock is %s", "behind the latest time that was seen" if behind else "right again")
            self.changed()

    def _keep(self, now: datetime) -> None:
        self._kept = now
        if self._mark is None:
            return
        partial = self._mark.with_name(f".{self._mark.name}.partial")
        try:
            partial.write_text(now.isoformat())
            partial.rename(self._mark)
        except OSError as error:  # said, and no reason to serve nobody: time goes on in this process
            log.warning("%s cannot be written: %s", self._mark, error.strerror)


def _read(mark: Path | None) -> datetime | None:
    """The kept time; None where there is none that can be read."""
    if mark is None:
        return None
    try:
        descriptor = os.open(mark, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(descriptor, "rb") as file, contextlib.suppress(ValueError, OSError):
        moment = datetime.fromisoformat(file.read(_MARK_MAX).decode("ascii"))
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    return None
