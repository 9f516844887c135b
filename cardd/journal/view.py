"""Reading the journal while it is written: views of its directory that only read, can be given up, and stand still."""

from __future__ import annotations

import errno
from collections.abc import Callable

from cardd.journal.errors import LineMalformed
from cardd.journal.files import Files, Handle
from cardd.journal.link import read_link
from cardd.journal.segment import first_seq, read_lines, segment_names


class _ReadHandle:
    """A file to be read, no further than ``end`` where that is given."""

    def __init__(self, handle: Handle, check: Callable[[], None], end: int | None = None) -> None:
        self._handle = handle
        self._check = check
        self._end = end

    def read_at(self, offset: int, length: int) -> bytes:
        """As the file's own, up to the view's end."""
        self._check()
        if self._end is not None:
            length = min(length, max(0, self._end - offset))
        return self._handle.read_at(offset, length) if length else b""

    def write_at(self, offset: int, data: bytes) -> int:
        """Refused."""
        raise _refusal()

    def truncate(self, size: int) -> None:
        """Refused."""
        raise _refusal()

    def sync(self) -> None:
        """Nothing was written."""

    def make_read_only(self) -> None:
        """Refused."""
        raise _refusal()

    def close(self) -> None:
        """Give the file back."""
        self._handle.close()


class ReadView:
    """`Files` that only reads.

    Args:
        files: the journal's directory.
        check: called before each read of a file; what it raises ends the reading.
    """

    def __init__(self, files: Files, check: Callable[[], None] = lambda: None) -> None:
        self._files = files
        self._check = check

    def names(self) -> list[str]:
        """The directory's listing."""
        return self._files.names()

    def size(self, name: str) -> int:
        """Bytes in a file."""
        return self._files.size(name)

    def open(self, name: str, *, write: bool = False) -> Handle:
        """A file, to be read."""
        if write:
            raise _refusal()
        return _ReadHandle(self._files.open(name), self._check)

    def lock(self) -> None:
        """Refused, as all that follows."""
        raise _refusal()

    def create(self, name: str, mode: int) -> Handle:
        """Refused."""
        raise _refusal()

    def rename(self, name: str, to: str) -> None:
        """Refused."""
        raise _refusal()

    def remove(self, name: str) -> None:
        """Refused."""
        raise _refusal()

    def sync_directory(self) -> None:
        """Nothing was changed."""


class Snapshot(ReadView):
    """The segments as they stood when their head was told, whatever is written meanwhile: what follows that line may be
    half there.

    Args:
        files: the journal's directory.
        through: number of the head's line.
        check: as in `ReadView`.
    """

    def __init__(self, files: Files, through: int, check: Callable[[], None] = lambda: None) -> None:
        super().__init__(files, check)
        self._through = through
        self._end: int | None = None

    def names(self) -> list[str]:
        """The segments that were begun by then."""
        return [name for name in segment_names(self._files) if first_seq(name) <= self._through]

    def size(self, name: str) -> int:
        """Bytes in a segment; in the last one, up to the head's line."""
        size = super().size(name)
        end = self._end_of(name)
        return size if end is None else min(size, end)

    def open(self, name: str, *, write: bool = False) -> Handle:
        """A segment, to be read up to the head's line."""
        if write:
            raise _refusal()
        return _ReadHandle(self._files.open(name), self._check, self._end_of(name))

    def _end_of(self, name: str) -> int | None:
        """Where the view ends in this file; None: where the file does. In what is spoilt the line may not be found."""
        if name != self.names()[-1]:
            return None
        if self._end is None:
            self._end = self._behind_head(name)
        return self._end

    def _behind_head(self, name: str) -> int | None:
        handle = super().open(name)
        try:
            for raw in read_lines(handle):
                try:
                    found = raw.whole and read_link(raw.data).seq == self._through
                except LineMalformed:
                    continue
                if found:
                    return raw.offset + len(raw.data)
        finally:
            handle.close()
        return None


def _refusal() -> OSError:
    return OSError(errno.EROFS, "this view of the journal only reads")
