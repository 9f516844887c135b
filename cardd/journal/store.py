"""The record on the disk: lines appended to segments, synced before they count; segments begun, sealed, closed.

Everything here blocks, and belongs to the writer thread alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cardd.journal import recovery
from cardd.journal.clock import Clock, Stamp, time_text
from cardd.journal.entry import Body, body_of
from cardd.journal.errors import trouble_of
from cardd.journal.event import Detail, Event, Kind
from cardd.journal.files import Files, write_all
from cardd.journal.link import Head, Header, Seal, digest_of
from cardd.journal.opening import SEAL_ROOM, break_event, open_journal
from cardd.journal.recovery import BATCH_MAX, Position
from cardd.journal.sealing import KeyRing
from cardd.journal.segment import Segment, close_segment, create_segment

log = logging.getLogger("cardd.journal")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into a segment.

    Args:
        segment_bytes: length of a segment's file.
    """

    segment_bytes: int = 8 << 20


class Store:
    """The journal's files.

    Args:
        files: its directory.
        clock: for headers and seals.
        limits: when a segment is full.
    """

    def __init__(self, files: Files, clock: Clock, limits: Limits) -> None:
        self._files = files
        self._clock = clock
        self._limits = limits
        self._ring = KeyRing(files)
        self._position: Position | None = None
        self._segment: Segment | None = None
        self._before: Position | None = None
        """Where the chain stood before the segment's header, should that segment be taken away again."""
        self._suspect = False
        self._latest: Stamp | None = None
        """Of the last entry; of the last line's wall clock alone (no boot) where a former process wrote it."""
        self._told: list[Event] = []
        self._cuts: list[str] = []
        self._locked = False

    @property
    def head(self) -> Head | None:
        """The last line that is safely on the disk; None before the first opening."""
        if self._position is None:
            return None
        return Head(self._position.journal, self._position.seq, self._position.digest)

    @property
    def entries(self) -> int:
        """Entries that are safely on the disk."""
        return 0 if self._position is None else self._position.entries

    @property
    def unsealed(self) -> int:
        """Lines that no seal covers yet."""
        return 0 if self._position is None else self._position.unsealed

    def commit(self, bodies: Sequence[Body]) -> list[Head]:
        """Write as many entries as share one sync, and sync; gives the head of each, first to last.

        Raises:
            JournalUnavailable: none of them is written; the next call tries to recover first.
        """
        try:
            self._make_ready()
            return self._append(bodies)
        except OSError as error:
            self._take_back()
            raise trouble_of(error) from error

    def open(self) -> None:
        """Find or begin the journal, and write down what a start has to tell. Also done by the first `commit`.

        Raises:
            JournalUnavailable: it cannot be written now; may be tried again.
        """
        try:
            self._make_ready()
        except OSError as error:
            self._take_back()
            raise trouble_of(error) from error

    def seal(self) -> Head | None:
        """Sign what is not signed yet, and go over to the next key; None if everything is sealed.

        Raises:
            JournalUnavailable: not sealed; may be tried again.
        """
        try:
            self._make_ready()
            if self.unsealed == 0:
                return None
            self._make_room(0)
            if self.unsealed > 0:
                self._append_seal()
        except OSError as error:
            self._take_back()
            raise trouble_of(error) from error
        return self.head

    def close(self) -> None:
        """Give the files back. What is acknowledged is on the disk already."""
        if self._segment is not None:
            self._segment.handle.close()
            self._segment = None
        self._ring.close()

    # --- becoming ready -------------------------------------------------------------------------------------------

    def _make_ready(self) -> None:
        if self._position is None:
            self._open()
        if self._suspect and self._segment is not None:
            self._give_up_segment()
        if self._segment is None:
            self._begin_segment()
        self._tell_what_was_cut()

    def _open(self) -> None:
        if not self._locked:
            self._files.lock()
            self._locked = True
        if self._segment is not None:
            self._segment.handle.close()
            self._segment = None
        opened = open_journal(self._files, self._ring)
        self._segment, self._before = opened.segment, None
        self._told, self._latest = opened.told, opened.latest
        self._cuts = recovery.pending_cuts(self._files)
        self._position = opened.position

    def _close_segment(self) -> None:
        if self._segment is not None:
            close_segment(self._files, self._segment)
            self._segment = None

    def _give_up_segment(self) -> None:
        """After a failed write or sync: only what was synced before stays, and a new file is begun."""
        segment = self._open_segment()
        if segment.bare and self._before is not None:
            # Nothing but a header: taken away, so that a disk that fails again and again is not littered.
            segment.handle.close()
            self._files.remove(segment.name)
            self._segment, self._position = None, self._before
            self._files.sync_directory()
        else:
            if not self._tail_holds(segment):
                self._told.append(break_event("tail-differs", {Detail.FILE: segment.name}))
            self._close_segment()
        self._suspect = False

    def _take_back(self) -> None:
        """After a failure: try at once to take what was refused out of the file, lest a reader sees it."""
        if self._suspect and self._segment is not None:
            try:
                self._give_up_segment()
            except OSError as error:
                log.warning("the journal's segment cannot be cut yet: %s", error.strerror)

    def _tail_holds(self, segment: Segment) -> bool:
        start = max(0, segment.end - BATCH_MAX)
        tail = segment.handle.read_at(start, segment.end - start)
        last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
        return digest_of(last) == self._placed().digest

    def _begin_segment(self) -> None:
        position = self._placed()
        header = Header(
            seq=position.seq + 1,
            prev=position.digest,
            journal=position.journal,
            key=position.key,
            previous=position.segment,
            entries=position.entries,
            time=self._time(),
        )
        self._segment = create_segment(self._files, header, self._limits.segment_bytes)
        self._before = position
        self._position = recovery.after_header(header, digest_of(header.line()), position.unsealed)

    def _tell_what_was_cut(self) -> None:
        if not self._told and not self._cuts:
            return
        events = [*self._told, *(recovery.cut_event(self._files, side) for side in self._cuts)]
        now = self._clock.now()
        bodies = [body_of(event, now) for event in events]
        while bodies:
            del bodies[: len(self._append(bodies))]
        self._told.clear()
        for side in self._cuts:
            recovery.cut_told(self._files, side)
        self._cuts.clear()

    # --- writing --------------------------------------------------------------------------------------------------

    def _append(self, bodies: Sequence[Body]) -> list[Head]:
        """Write entries, before them one that tells of a clock that was set back."""
        stamp, latest = bodies[0].stamp, self._latest
        if latest is not None and stamp.set_back_from(latest):
            what = {Detail.FIRST: time_text(latest.microseconds), Detail.LAST: time_text(stamp.microseconds)}
            log.warning("the clock was set back from %s to %s", what[Detail.FIRST], what[Detail.LAST])
            self._append_entries([body_of(Event(Kind.CLOCK_SET_BACK, what=what), stamp)])
        return self._append_entries(bodies)

    def _append_entries(self, bodies: Sequence[Body]) -> list[Head]:
        position = self._placed()
        # A first guess at the length, from the text that is there: the digest, the number and escapes make the rest.
        self._make_room(sum(len(one.before) + len(one.middle) + len(one.after) + 512 for one in bodies[:1]))
        position = self._placed()
        segment = self._open_segment()
        most = min(segment.capacity - segment.end - SEAL_ROOM, BATCH_MAX)
        lines: list[bytes] = []
        heads: list[Head] = []
        seq, digest, size = position.seq, position.digest, 0
        latest = bodies[0].stamp
        for body in bodies:
            line = body.line(seq + 1, digest)
            stamp = body.stamp
            if lines and (size + len(line) > most or (stamp < latest and stamp.set_back_from(latest))):
                break
            latest = stamp
            size += len(line)
            seq += 1
            digest = digest_of(line)
            lines.append(line)
            heads.append(Head(position.journal, seq, digest))
        count = len(lines)
        self._write(
            b"".join(lines),
            replace(
                position,
                seq=seq,
                digest=digest,
                entries=position.entries + count,
                unsealed=position.unsealed + count,
            ),
            count,
        )
        self._latest = latest
        return heads

    def _append_seal(self) -> None:
        position = self._placed()
        seal = Seal(
            seq=position.seq + 1,
            prev=position.digest,
            journal=position.journal,
            key=position.key,
            next=self._ring.prepare(),
            entries=position.entries,
            time=self._time(),
        )
        seal = replace(seal, signature=self._ring.sign(seal.statement()))
        line = seal.line()
        self._write(line, replace(position, seq=seal.seq, digest=digest_of(line), key=seal.next, unsealed=0), 1)
        try:
            self._ring.hand_over()
        except OSError as error:
            # The next seal overwrites the same slot; until then the seal just made can be forged by a thief of the key.
            log.error("the old sealing key could not be erased: %s", error.strerror)

    def _write(self, data: bytes, after: Position, lines: int) -> None:
        segment = self._open_segment()
        # From here on until the sync is through, nobody knows what the file holds behind its old end.
        self._suspect = True
        write_all(segment.handle, segment.end, data)
        segment.handle.sync()
        self._suspect = False
        segment.end += len(data)
        segment.lines += lines
        segment.capacity = max(segment.capacity, segment.end)
        self._position = after

    def _make_room(self, length: int) -> None:
        """Go over to a new segment if this one has not room for ``length`` bytes and its seal."""
        segment = self._open_segment()
        if segment.bare or segment.end + length + SEAL_ROOM <= segment.capacity:
            return
        if self.unsealed > 0:
            self._append_seal()
        self._close_segment()
        self._begin_segment()

    def _time(self) -> str:
        return time_text(self._clock.now().microseconds)

    def _placed(self) -> Position:
        if self._position is None:
            raise RuntimeError("the store is not open")
        return self._position

    def _open_segment(self) -> Segment:
        if self._segment is None:
            raise RuntimeError("no segment is open")
        return self._segment
