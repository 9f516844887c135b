"""The record on the disk: lines appended to segments, synced before they count; segments begun, sealed, closed.

Everything here blocks, and belongs to the writer thread alone.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardd.journal import recovery
from cardd.journal.clock import Clock, time_text
from cardd.journal.entry import Body, body_of
from cardd.journal.errors import trouble_of
from cardd.journal.event import Detail, Event, Kind
from cardd.journal.files import Files, write_all
from cardd.journal.link import ORIGIN, Head, Header, Seal, digest_of
from cardd.journal.recovery import BATCH_MAX, Position, Scan
from cardd.journal.sealing import FIRST_KEY_FILE, KEY_FILE, KeyRing
from cardd.journal.segment import Segment, close_segment, create_segment, first_seq, segment_names

log = logging.getLogger("cardd.journal")

_SEAL_ROOM = 1024
"""Bytes kept free at a segment's end for its last seal."""


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
            return self._append_entries(bodies)
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
        self._told.clear()
        position = self._resume()
        if position is None:
            began_anew = KEY_FILE in self._files.names()
            self._ring.take_up(None)
            position = Position(uuid.uuid4().hex, 0, ORIGIN, self._ring.public, 0, None, 0)
            self._write_first_key(position.key)
            if began_anew:
                self._tell("no-segment-found")
        elif not self._ring.take_up(position.key):
            self._tell("sealing-key-lost")
            self._close_segment()
            position = replace(position, key=self._ring.public)
        self._cuts = recovery.pending_cuts(self._files)
        self._position = position

    def _resume(self) -> Position | None:
        """Where the newest segment ends; opens it if it can go on."""
        damaged: list[tuple[str, Scan]] = []
        for name in reversed(segment_names(self._files)):
            found = self._scan(name)
            if found.spoilt and not found.torn:
                damaged.append((name, found))
                self._tell("damage", {Detail.FILE: name})
            elif found.position is None:
                # Its creation was never finished, so no acknowledged entry can be in it.
                self._files.remove(name)
                self._files.sync_directory()
            elif not damaged:
                self._go_on_in(name, found)
            if found.position is not None:
                return _behind_damage(damaged, found.position) if damaged else found.position
        return _behind_damage(damaged, None) if damaged else None

    def _scan(self, name: str) -> Scan:
        handle = self._files.open(name)
        try:
            found = recovery.scan(handle, name)
            if found.spoilt:
                log.warning("%s is spoilt from byte %d to %d", name, found.end, found.stop)
            if found.torn:
                recovery.keep_torn(self._files, handle, name, found)
        finally:
            handle.close()
        return found

    def _go_on_in(self, name: str, found: Scan) -> None:
        """Write on in this segment if it has room and was not torn; close it otherwise."""
        size = self._files.size(name)
        if size == found.end:
            return  # closed already
        segment = Segment(name, self._files.open(name, write=True), first_seq(name), found.end, found.lines, size)
        self._segment = segment
        self._before = None
        recovery.rewrite_tail(segment.handle, segment.end)
        if found.spoilt or size - found.end < _SEAL_ROOM:
            self._close_segment()

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
                self._tell("tail-differs", {Detail.FILE: segment.name})
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

    def _tell(self, cause: str, more: dict[Detail, str] | None = None) -> None:
        log.warning("the journal goes on after a break: %s", cause)
        self._told.append(Event(Kind.JOURNAL_CUT, what={Detail.CAUSE: cause, **(more or {})}))

    def _tell_what_was_cut(self) -> None:
        if not self._told and not self._cuts:
            return
        events = [*self._told, *(recovery.cut_event(self._files, side) for side in self._cuts)]
        now = self._clock.now()
        bodies = [body_of(event, now) for event in events]
        while bodies:
            del bodies[: len(self._append_entries(bodies))]
        self._told.clear()
        for side in self._cuts:
            recovery.cut_told(self._files, side)
        self._cuts.clear()

    def _write_first_key(self, public: str) -> None:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if FIRST_KEY_FILE in self._files.names():
            self._files.remove(FIRST_KEY_FILE)
        handle = self._files.create(FIRST_KEY_FILE, 0o644)
        try:
            write_all(handle, 0, pem)
            handle.sync()
        finally:
            handle.close()

    # --- writing --------------------------------------------------------------------------------------------------

    def _append_entries(self, bodies: Sequence[Body]) -> list[Head]:
        position = self._placed()
        # A first guess at the length, from the text that is there: the digest, the number and escapes make the rest.
        self._make_room(sum(len(one.before) + len(one.middle) + len(one.after) + 512 for one in bodies[:1]))
        position = self._placed()
        room = self._open_segment().capacity - self._open_segment().end - _SEAL_ROOM
        lines: list[bytes] = []
        heads: list[Head] = []
        seq, digest, size = position.seq, position.digest, 0
        for body in bodies:
            line = body.line(seq + 1, digest)
            if lines and size + len(line) > min(room, BATCH_MAX):
                break
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
        if segment.bare or segment.end + length + _SEAL_ROOM <= segment.capacity:
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


def _behind_damage(damaged: Sequence[tuple[str, Scan]], position: Position | None) -> Position:
    """Where to go on behind files that are left as they are for whoever investigates: after the last line in them."""
    name, newest = damaged[0]
    base = position or Position(uuid.uuid4().hex, first_seq(name), ORIGIN, "", 0, None, 1)
    last = next((found.last for _, found in damaged if found.last is not None), None)
    return replace(
        base,
        seq=max(base.seq, first_seq(name), last.seq if last else 0),
        digest=last.digest if last else base.digest,
        key=newest.key or base.key,
        segment=first_seq(name),
        unsealed=1,
    )
