"""Search: streaming over the segments, oldest or newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cardd.journal.entry import LINE_MAX, Entry, parse_entry
from cardd.journal.errors import LineMalformed
from cardd.journal.files import Files, Handle
from cardd.journal.link import SEAL_KIND, SEGMENT_KIND, Link, read_link
from cardd.journal.segment import first_seq, read_lines, segment_names

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; what is None is not asked.

    Args:
        since: this moment or later (with a time zone).
        until: before this moment.
        holder: national identifier.
        card: serial or number of the card.
        uid: of the caller.
        unit: systemd unit or scope of the caller.
        application: of the caller.
        kinds: any of these; empty for all.
        result: "ok" or an error's name.
        after: only lines with a greater number: to follow, give the last one seen.
        through: only lines up to this number: give the head's, so that nothing unsynced is shown.
        newest_first: the order.
        limit: at most so many.

    Raises:
        ValueError: a moment without a time zone, or a limit below 1.
    """

    since: datetime | None = None
    until: datetime | None = None
    holder: str | None = None
    card: str | None = None
    uid: int | None = None
    unit: str | None = None
    application: str | None = None
    kinds: frozenset[str] = frozenset()
    result: str | None = None
    after: int = 0
    through: int | None = None
    newest_first: bool = False
    limit: int | None = None

    def __post_init__(self) -> None:
        if any(one is not None and one.tzinfo is None for one in (self.since, self.until)):
            raise ValueError("since and until need a time zone")
        if self.limit is not None and self.limit < 1:
            raise ValueError("limit must be 1 or more")

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is looked for."""
        return self._who(entry) and (
            (self.since is None or entry.time >= self.since)
            and (self.until is None or entry.time < self.until)
            and (not self.kinds or entry.kind in self.kinds)
            and (self.result is None or entry.result == self.result)
        )

    def _who(self, entry: Entry) -> bool:
        caller, holder = entry.caller, entry.holder
        return (
            (self.holder is None or (holder is not None and holder.national_id == self.holder))
            and (self.card is None or (holder is not None and holder.card == self.card))
            and (self.uid is None or (caller is not None and caller.uid == self.uid))
            and (self.unit is None or (caller is not None and caller.unit == self.unit))
            and (self.application is None or (caller is not None and caller.application == self.application))
        )


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that was looked for.

    Args:
        entry: understood.
        line: its bytes, newline included.
    """

    entry: Entry
    line: bytes


def search(files: Files, query: Query) -> Iterator[Found]:
    """The entries that are looked for. Reads the disk: call it in a thread of its own. Lines that are none of the
    journal's are passed over: to find those is the work of `verify`.

    Raises:
        OSError: a segment cannot be read.
    """
    left = query.limit
    for link in _links(files, query):
        if link.kind in {SEGMENT_KIND, SEAL_KIND} or (query.kinds and link.kind not in query.kinds):
            continue
        try:
            entry = parse_entry(link.line)
        except LineMalformed:
            continue
        if not query.matches(entry):
            continue
        yield Found(entry, link.line)
        if left is not None:
            left -= 1
            if left == 0:
                return


def _links(files: Files, query: Query) -> Iterator[Link]:
    names = segment_names(files)
    numbers = [first_seq(name) for name in names]
    chosen = [
        name
        for index, name in enumerate(names)
        if (index + 1 == len(names) or numbers[index + 1] > query.after + 1)
        and (query.through is None or numbers[index] <= query.through)
    ]
    for name in reversed(chosen) if query.newest_first else chosen:
        handle = files.open(name)
        try:
            for line in _backwards(handle, files.size(name)) if query.newest_first else _forwards(handle):
                link = _wanted(line, query)
                if link is not None:
                    yield link
        finally:
            handle.close()


def _wanted(line: bytes, query: Query) -> Link | None:
    try:
        link = read_link(line)
    except LineMalformed:
        return None
    within = link.seq > query.after and (query.through is None or link.seq <= query.through)
    return link if within else None


def _forwards(handle: Handle) -> Iterator[bytes]:
    return (raw.data for raw in read_lines(handle) if raw.whole)


def _backwards(handle: Handle, size: int) -> Iterator[bytes]:
    """Whole lines from the end; what stands behind the last newline is no line yet."""
    rest, offset, ended = b"", size, False
    while offset > 0:
        length = min(_BLOCK, offset)
        offset -= length
        parts = (handle.read_at(offset, length) + rest).split(b"\n")
        # What precedes the first newline may go on in the block before.
        rest = parts[0][-LINE_MAX:] if len(parts) > 1 or ended else b""
        for part in reversed(parts[1:] if ended else parts[1:-1]):
            yield part + b"\n"
        ended = ended or len(parts) > 1
    if ended:
        yield rest + b"\n"
