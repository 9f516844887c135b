"""Hears of new files in directories (inotify(7)): no wake-up while nothing happens, unlike looking again and again."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 0.2
"""How long after the first event it is told: whoever copies files touches them several times."""
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE = 0x08, 0x40, 0x80, 0x200  # <sys/inotify.h>
_MASK: Final = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
_BUFFER: Final = 64 * 1024


class DirectoryWatch:
    """Watches directories from its making on; on the loop.

    Args:
        directories: those that exist are watched, not what is below them.
        changed: called, on the loop, after files came, went or were written.
    """

    def __init__(self, directories: Iterable[Path], changed: Callable[[], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.unwatched: list[Path] = []
        """Directories that could not be watched: not there, or not to be read."""
        library = ctypes.CDLL(None, use_errno=True)
        self._descriptor = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._descriptor < 0:
            self._descriptor, self.unwatched = -1, list(directories)
            log.warning("no directory can be watched (%s)", errno.errorcode.get(ctypes.get_errno(), "?"))
            return
        for directory in directories:
            if library.inotify_add_watch(self._descriptor, os.fsencode(directory), _MASK) < 0:
                self.unwatched.append(directory)
        self._loop.add_reader(self._descriptor, self._readable)

    def close(self) -> None:
        """Watch no more."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _readable(self) -> None:
        # Which file it was is of no account: whoever is told looks at all of them.
        os.read(self._descriptor, _BUFFER)
        if self._timer is None:
            self._timer = self._loop.call_later(SETTLE_SECONDS, self._settled)

    def _settled(self) -> None:
        self._timer = None
        self._changed()
