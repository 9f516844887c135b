"""Which holders were told of the journal on this machine: kept in a file of the daemon's own, one a line."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

_SIZE_MAX: Final = 16 << 20
"""Bytes of the file that are read: a million national identifiers."""

log = logging.getLogger(__name__)


class HoldersTold:
    """Remembers national identifiers. What is lost costs a holder a second notice, no more.

    Args:
        path: of the file; made with mode 0600 when the first holder was told.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[str] | None = None

    def knows(self, national_id: str) -> bool:
        """Whether that holder was told. Reads the file the first time."""
        return national_id in self._told()

    def add(self, national_id: str) -> None:
        """Remember that a holder was told; on the disk when this returns.

        Args:
            national_id: of printable characters.

        Raises:
            OSError: the disk does not take it; it is remembered until the daemon ends.
        """
        if self.knows(national_id):
            return
        self._told().add(national_id)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        with open(descriptor, "ab", buffering=0) as writing:
            os.fchmod(descriptor, 0o600)
            # A newline first: a line that a crash cut short does not spoil this one.
            writing.write(f"\n{national_id}\n".encode())
            os.fsync(descriptor)

    def _told(self) -> set[str]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> set[str]:
        try:
            with self._path.open("rb") as reading:
                content = reading.read(_SIZE_MAX)
        except FileNotFoundError:
            return set()
        except OSError as error:
            log.warning("who was told of the journal cannot be read, and is told again: %s", error.strerror)
            return set()
        return {line for line in content.decode("utf-8", "replace").splitlines() if line}
