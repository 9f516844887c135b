"""A segment: one file of lines. While it is written to, its file is as long as it may become, zeros after the lines:
to sync a file whose length does not change costs the disk one write less (docs/decisions/0602)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cardd.journal.entry import LINE_MAX
from cardd.journal.files import Files, Handle, write_all
from cardd.journal.link import Header

_NAME = re.compile(r"journal-(\d{15})\.jsonl")
_BLOCK = 256 * 1024
_ZEROS = bytes(_BLOCK)
MODE = 0o640


def segment_name(seq: int) -> str:
    """Name of the segment whose header has this number."""
    return f"journal-{seq:015d}.jsonl"


def segment_names(files: Files) -> list[str]:
    """The segments that are there, oldest first.

    Raises:
        OSError: the directory cannot be listed.
    """
    return sorted(name for name in files.names() if _NAME.fullmatch(name))


def first_seq(name: str) -> int:
    """The number in a segment's name.

    Raises:
        ValueError: it is no segment's name.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError("not the name of a segment")
    return int(found[1])


@dataclass(slots=True)
class Segment:
    """The segment that is written to.

    Args:
        name: of its file.
        handle: the open file.
        first: number of its first line.
        end: bytes of whole, synced lines.
        lines: lines among them.
        capacity: bytes that its file has now.
    """

    name: str
    handle: Handle
    first: int
    end: int
    lines: int
    capacity: int

    @property
    def bare(self) -> bool:
        """Whether it has nothing but its header."""
        return self.lines == 1


def create_segment(files: Files, header: Header, capacity: int) -> Segment:
    """A new segment on the disk, with its header. What a failure leaves behind is taken away again, if that can be.

    Raises:
        OSError: it is not safely there.
    """
    name = segment_name(header.seq)
    line = header.line()
    if name in files.names():
        # A creation that failed before, and could not be taken away: its header was never built upon.
        files.remove(name)
    handle = files.create(name, MODE)
    try:
        write_all(handle, 0, line)
        for offset in range(len(line), capacity, len(_ZEROS)):
            write_all(handle, offset, _ZEROS[: capacity - offset])
        handle.sync()
        files.sync_directory()
    except OSError:
        handle.close()
        _remove_if_possible(files, name)
        raise
    return Segment(name, handle, header.seq, len(line), 1, max(capacity, len(line)))


def _remove_if_possible(files: Files, name: str) -> None:
    try:
        files.remove(name)
    except OSError:
        # The next attempt meets the file and removes it; the error that brought us here is the one to tell.
        return


def close_segment(files: Files, segment: Segment) -> None:
    """Cut the file behind its last synced line, and make it read-only.

    Raises:
        OSError: that is not safely done; it may be tried again.
    """
    segment.handle.truncate(segment.end)
    segment.handle.sync()
    segment.handle.make_read_only()
    files.sync_directory()
    segment.handle.close()


@dataclass(slots=True)
class RawLine:
    """Bytes of a segment between two newlines.

    Args:
        offset: of its first byte in the file.
        data: its bytes with the newline; without one at the end of the file, and cut to `LINE_MAX` and a byte where it
            is longer.
        whole: whether the newline is there.
        room: whether, where it is not, unused room follows: then it may be a write under way.
    """

    offset: int
    data: bytes
    whole: bool
    room: bool = False


def read_lines(handle: Handle, offset: int = 0) -> Iterator[RawLine]:
    """The lines from an offset, in constant memory. Zeros at the very end of the file are unused room, no line.

    Raises:
        OSError: the file cannot be read.
    """
    rest = b""
    while True:
        block = handle.read_at(offset + len(rest), _BLOCK)
        if not block:
            break
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield RawLine(offset, line[:LINE_MAX] + b"\n", whole=True)
            offset += len(line) + 1
        if len(rest) > LINE_MAX and not rest.strip(b"\0") and _only_zeros(handle, offset + len(rest)):
            return
        if len(rest) > 4 * LINE_MAX:
            # No line of ours: told as one broken piece, and the file goes on behind it.
            yield RawLine(offset, rest[: LINE_MAX + 1], whole=False)
            offset += len(rest)
            rest = b""
    if rest.strip(b"\0"):
        yield RawLine(offset, rest.rstrip(b"\0")[: LINE_MAX + 1], whole=False, room=rest.endswith(b"\0"))


def _only_zeros(handle: Handle, offset: int) -> bool:
    while block := handle.read_at(offset, _BLOCK):
        if block.strip(b"\0"):
            return False
        offset += len(block)
    return True
