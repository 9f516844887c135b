"""What a start finds: the newest segment read line by line, a torn tail told from damage, and the tail cut."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cardd.journal.errors import LineMalformed
from cardd.journal.event import OK, Detail, Event, Kind, Value
from cardd.journal.files import Files, Handle, write_all
from cardd.journal.link import SEAL_KIND, SEGMENT_KIND, Header, Link, read_header, read_link, read_seal
from cardd.journal.segment import RawLine, first_seq, read_lines

BATCH_MAX = 256 * 1024
"""Bytes that are written before they are synced."""
_TAIL_MAX = BATCH_MAX + 128 * 1024
"""Bytes that a crash can spoil: one batch and a seal. More than this before the end, it was no crash."""

_PENDING = ".pending"
_TORN = ".torn"


@dataclass(frozen=True, slots=True)
class Position:
    """Where the chain stands.

    Args:
        journal: its id.
        seq: number of the last line.
        digest: its SHA-256, hexadecimal.
        key: Ed25519 public key in force, hexadecimal.
        entries: entries so far.
        segment: number of the first line of the segment that holds the last line; None where there is none yet.
        unsealed: lines since the last seal, segment headers not counted.
    """

    journal: str
    seq: int
    digest: str
    key: str
    entries: int
    segment: int | None
    unsealed: int


@dataclass(slots=True)
class Scan:
    """What a segment's file holds.

    Args:
        position: after its last good line; None where not even the header is good.
        end: bytes of the good lines.
        lines: how many.
        stop: offset behind the last byte that is no unused room.
        last: the last line that has the form of one, good or not.
        key: the key that the last such seal or header names as the one in force.
        time: of the last good line, as it is written.
        spoilt: whether something else follows the good lines.
    """

    position: Position | None = None
    end: int = 0
    lines: int = 0
    stop: int = 0
    last: Link | None = None
    key: str | None = None
    time: bytes = b""
    spoilt: bool = False

    @property
    def torn(self) -> bool:
        """Whether what is bad at its end can be what a crash leaves."""
        return self.spoilt and self.stop - self.end <= _TAIL_MAX


def scan(handle: Handle, name: str) -> Scan:
    """Read a segment, up to its end.

    Raises:
        OSError: it cannot be read.
    """
    found = Scan()
    for raw in read_lines(handle):
        found.stop = raw.offset + len(raw.data)
        link = _link(raw)
        if link is not None:
            found.last = link
            found.key = _key_named(link) or found.key
        if found.spoilt:
            continue
        good = None if link is None else _next_position(found.position, link, name)
        if good is None:
            found.spoilt = True
        else:
            found.position = good
            found.end = found.stop
            found.time = link.time if link is not None else b""
            found.lines += 1
    return found


def _link(raw: RawLine) -> Link | None:
    if not raw.whole:
        return None
    try:
        return read_link(raw.data)
    except LineMalformed:
        return None


def _key_named(link: Link) -> str | None:
    if link.kind == SEAL_KIND:
        return read_seal(link.line).next
    if link.kind == SEGMENT_KIND:
        return read_header(link.line).key
    return None


def _next_position(position: Position | None, link: Link, name: str) -> Position | None:
    """The chain's position after this line; None if the line does not belong there."""
    if position is None:
        if link.kind != SEGMENT_KIND or link.seq != first_seq(name):
            return None
        return after_header(read_header(link.line), link.digest)
    if link.seq != position.seq + 1 or link.prev != position.digest or link.kind == SEGMENT_KIND:
        return None
    sealed = link.kind == SEAL_KIND
    return Position(
        journal=position.journal,
        seq=link.seq,
        digest=link.digest,
        key=read_seal(link.line).next if sealed else position.key,
        entries=position.entries + (0 if sealed else 1),
        segment=position.segment,
        unsealed=0 if sealed else position.unsealed + 1,
    )


def after_header(header: Header, digest: str, unsealed: int = 0) -> Position:
    """The chain's position behind a segment's header."""
    return Position(header.journal, header.seq, digest, header.key, header.entries, header.seq, unsealed)


def keep_torn(files: Files, handle: Handle, name: str, found: Scan) -> str:
    """Copy the bytes behind the good lines to a side file, before anything is cut; gives its name.

    Raises:
        OSError: the copy is not safely there.
    """
    side = f"cut-{first_seq(name):015d}-{found.end}{_PENDING}"
    if side in files.names():
        files.remove(side)
    copy = files.create(side, 0o640)
    try:
        write_all(copy, 0, handle.read_at(found.end, found.stop - found.end))
        copy.sync()
    finally:
        copy.close()
    files.sync_directory()
    return side


def pending_cuts(files: Files) -> list[str]:
    """Side files whose cut no entry has told yet."""
    return sorted(name for name in files.names() if name.startswith("cut-") and name.endswith(_PENDING))


def cut_event(files: Files, side: str) -> Event:
    """The entry that tells of a cut.

    Raises:
        OSError: the side file cannot be read.
    """
    handle = files.open(side)
    try:
        data = handle.read_at(0, files.size(side))
    finally:
        handle.close()
    what: dict[Detail, Value] = {
        Detail.CAUSE: "unfinished-write",
        Detail.FILE: side.removesuffix(_PENDING) + _TORN,
        Detail.BYTES: len(data),
        Detail.LINES: data.count(b"\n"),
        Detail.DIGEST: hashlib.sha256(data).hexdigest(),
    }
    return Event(Kind.JOURNAL_CUT, OK, what=what)


def cut_told(files: Files, side: str) -> None:
    """The entry is on the disk: the side file gets its lasting name.

    Raises:
        OSError: it cannot be renamed; it will be told of once more.
    """
    files.rename(side, side.removesuffix(_PENDING) + _TORN)
    files.sync_directory()


def rewrite_tail(handle: Handle, end: int) -> None:
    """Write the last lines again as they are, and sync. A process that died may have seen its sync fail: then the pages
    in memory look right, count as clean, and are not on the disk.

    Raises:
        OSError: they are not safely there.
    """
    start = max(0, end - _TAIL_MAX)
    write_all(handle, start, handle.read_at(start, end - start))
    handle.sync()
