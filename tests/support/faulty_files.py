"""The journal's directory on a real disk, every change of which fails while a test says so."""

from __future__ import annotations

import os

from cardd.journal.files import Files, Handle


class FaultyFiles:
    """`Files` that fails.

    Args:
        files: the real ones.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.failure: int | None = None
        """The errno that each change and sync fails with; None: they work."""
        self.failed = 0

    def check(self) -> None:
        """Fail, if that is what is wanted."""
        if self.failure is not None:
            self.failed += 1
            raise OSError(self.failure, os.strerror(self.failure))

    def lock(self) -> None:
        """As the real one."""
        self._files.lock()

    def names(self) -> list[str]:
        """As the real one."""
        return self._files.names()

    def size(self, name: str) -> int:
        """As the real one."""
        return self._files.size(name)

    def create(self, name: str, mode: int) -> Handle:
        """Fails, or is real."""
        self.check()
        return _FaultyHandle(self, self._files.create(name, mode))

    def open(self, name: str, *, write: bool = False) -> Handle:
        """To write: fails, or is real."""
        if write:
            self.check()
        return _FaultyHandle(self, self._files.open(name, write=write))

    def rename(self, name: str, to: str) -> None:
        """Fails, or is real."""
        self.check()
        self._files.rename(name, to)

    def remove(self, name: str) -> None:
        """Fails, or is real."""
        self.check()
        self._files.remove(name)

    def sync_directory(self) -> None:
        """Fails, or is real."""
        self.check()
        self._files.sync_directory()


class _FaultyHandle:
    def __init__(self, files: FaultyFiles, handle: Handle) -> None:
        self._files = files
        self._handle = handle

    def read_at(self, offset: int, length: int) -> bytes:
        return self._handle.read_at(offset, length)

    def write_at(self, offset: int, data: bytes) -> int:
        self._files.check()
        return self._handle.write_at(offset, data)

    def truncate(self, size: int) -> None:
        self._files.check()
        self._handle.truncate(size)

    def sync(self) -> None:
        self._files.check()
        self._handle.sync()

    def make_read_only(self) -> None:
        self._files.check()
        self._handle.make_read_only()

    def close(self) -> None:
        self._handle.close()
