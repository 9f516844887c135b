"""Opening: which segment goes on, what a crash or an intruder left in the others, and which key is in force."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardd.journal import recovery
from cardd.journal.clock import Stamp, written_stamp
from cardd.journal.event import Detail, Event, Kind
from cardd.journal.files import Files, write_all
from cardd.journal.link import ORIGIN
from cardd.journal.recovery import Position, Scan
from cardd.journal.sealing import FIRST_KEY_FILE, KEY_FILE, KeyRing
from cardd.journal.segment import Segment, close_segment, first_seq, segment_names

log = logging.getLogger("cardd.journal")

SEAL_ROOM = 1024
"""Bytes kept free at a segment's end for its last seal."""


@dataclass(slots=True)
class Opened:
    """What was found, or begun.

    Args:
        position: where the chain goes on; None only while it is looked for.
        segment: the one to write on in; None where a new one is to be begun.
        told: what the journal has to tell of what was found.
        latest: wall clock of the last good line that a former process wrote, None where there is none.
    """

    position: Position | None = None
    segment: Segment | None = None
    told: list[Event] = field(default_factory=list)
    latest: Stamp | None = None

    def tell(self, cause: str, more: dict[Detail, str] | None = None) -> None:
        """Note a break."""
        self.told.append(break_event(cause, more))


def break_event(cause: str, more: dict[Detail, str] | None = None) -> Event:
    """The entry that tells of a break, which the log tells at once."""
    log.warning("the journal goes on after a break: %s", cause)
    return Event(Kind.JOURNAL_CUT, what={Detail.CAUSE: cause, **(more or {})})


def open_journal(files: Files, ring: KeyRing) -> Opened:
    """Find the newest segment and take up the key that it names; begin a journal where there is none.

    Args:
        files: the journal's directory, locked.
        ring: takes up the key.

    Raises:
        OSError: it cannot be opened now; nothing is left open.
    """
    opened = Opened()
    try:
        opened.position = _resume(files, opened)
        if opened.position is None:
            _begin(files, ring, opened)
        elif not ring.take_up(opened.position.key):
            opened.tell("sealing-key-lost")
            _close(files, opened)
            opened.position = replace(opened.position, key=ring.public)
    except OSError:
        if opened.segment is not None:
            opened.segment.handle.close()
        raise
    return opened


def _begin(files: Files, ring: KeyRing, opened: Opened) -> None:
    began_anew = KEY_FILE in files.names()
    ring.take_up(None)
    opened.position = Position(uuid.uuid4().hex, 0, ORIGIN, ring.public, 0, None, 0)
    _write_first_key(files, ring.public)
    if began_anew:
        opened.tell("no-segment-found")


def _resume(files: Files, opened: Opened) -> Position | None:
    """Where the newest segment ends; opens it if it can go on."""
    damaged: list[tuple[str, Scan]] = []
    for name in reversed(segment_names(files)):
        found = _scan(files, name)
        if found.spoilt and not found.torn:
            damaged.append((name, found))
            opened.tell("damage", {Detail.FILE: name})
        elif found.position is None:
            # Its creation was never finished, so no acknowledged entry can be in it.
            files.remove(name)
            files.sync_directory()
        elif not damaged:
            _go_on_in(files, name, found, opened)
        if found.position is not None:
            opened.latest = written_stamp(found.time)
            return _behind_damage(damaged, found.position) if damaged else found.position
    return _behind_damage(damaged, None) if damaged else None


def _scan(files: Files, name: str) -> Scan:
    handle = files.open(name)
    try:
        found = recovery.scan(handle, name)
        if found.spoilt:
            log.warning("%s is spoilt from byte %d to %d", name, found.end, found.stop)
        if found.torn:
            recovery.keep_torn(files, handle, name, found)
    finally:
        handle.close()
    return found


def _go_on_in(files: Files, name: str, found: Scan, opened: Opened) -> None:
    """Write on in this segment if it has room and was not torn; close it otherwise."""
    size = files.size(name)
    if size == found.end:
        return  # closed already
    segment = Segment(name, files.open(name, write=True), first_seq(name), found.end, found.lines, size)
    opened.segment = segment
    recovery.rewrite_tail(segment.handle, segment.end)
    if found.spoilt or size - found.end < SEAL_ROOM:
        _close(files, opened)


def _close(files: Files, opened: Opened) -> None:
    if opened.segment is not None:
        close_segment(files, opened.segment)
        opened.segment = None


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


def _write_first_key(files: Files, public: str) -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if FIRST_KEY_FILE in files.names():
        files.remove(FIRST_KEY_FILE)
    handle = files.create(FIRST_KEY_FILE, 0o644)
    try:
        write_all(handle, 0, pem)
        handle.sync()
    finally:
        handle.close()
