"""The chain: what every line has (number, link to the line before), read at speed; and heads, as told elsewhere."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cardd.journal.clock import Stamp, written_stamp
from cardd.journal.entry import LINE_MAX
from cardd.journal.errors import LineMalformed

ORIGIN = "0" * 64
"""The link of the very first line."""

SEGMENT_KIND = "segment"
SEAL_KIND = "seal"

HEAD = re.compile(r"(?<![0-9a-f])([0-9a-f]{32}):(\d{1,15}):([0-9a-f]{64})(?![0-9a-f])")
"""A head as text, wherever it was noted."""

# The three forms of line, whole; a number of JSON has no zero before others (RFC 8259, 6).
_TEXT = rb'"(?:[^"\\\x00-\x1f\x7f]++|\\[^\x00-\x1f])*+"'
_PARTICULAR = rb'"[a-z-]{1,32}":(?:' + _TEXT + rb"|(?!0\d)\d{1,19}|true|false)"
_ENTRY = re.compile(
    rb'\{"boot":"(?P<boot>[0-9a-f-]{36})",'
    rb'"caller":(?:null|\{"application":'
    + _TEXT
    + rb',"pid":(?:null|(?!0\d)\d{1,19}),"uid":(?!0\d)\d{1,19},"unit":'
    + _TEXT
    + rb"\}),"
    rb'"holder":(?:null|\{"card":' + _TEXT + rb',"id":' + _TEXT + rb"\}),"
    rb'"kind":"(?P<kind>[a-z-]{1,32})","monotonic":(?P<monotonic>(?!0\d)\d{1,19}),"prev":"(?P<prev>[0-9a-f]{64})",'
    rb'"result":"[A-Za-z][A-Za-z0-9.-]{0,63}","schema":1,"seq":(?P<seq>(?!0\d)\d{1,15}),"time":"(?P<time>[0-9TZ:.-]{27})",'
    rb'"what":\{(?:' + _PARTICULAR + rb"(?:," + _PARTICULAR + rb")*+)?\}\}\n"
)
_HEADER = re.compile(
    rb'\{"entries":(?P<entries>(?!0\d)\d{1,15}),"journal":"(?P<journal>[0-9a-f]{32})","key":"(?P<key>[0-9a-f]{64})",'
    rb'"kind":"segment","prev":"(?P<prev>[0-9a-f]{64})","previous":(?P<previous>null|(?!0\d)\d{1,15}),"schema":1,'
    rb'"seq":(?P<seq>(?!0\d)\d{1,15}),"time":"(?P<time>[0-9TZ:.-]{27})"\}\n'
)
_SEAL = re.compile(
    rb'\{"entries":(?P<entries>(?!0\d)\d{1,15}),"journal":"(?P<journal>[0-9a-f]{32})","key":"(?P<key>[0-9a-f]{64})",'
    rb'"kind":"seal","next":"(?P<next>[0-9a-f]{64})","prev":"(?P<prev>[0-9a-f]{64})","schema":1,'
    rb'"seq":(?P<seq>(?!0\d)\d{1,15}),"signature":"(?P<signature>[0-9a-f]{128})","time":"(?P<time>[0-9TZ:.-]{27})"\}\n'
)


@dataclass(slots=True)
class Link:
    """A line's place in the chain. (Not frozen: a million are made in a verification, and freezing triples the cost.)

    Args:
        seq: its number.
        prev: SHA-256 that it says the line before has, hexadecimal.
        kind: entry kind, or `SEGMENT_KIND`, `SEAL_KIND`.
        digest: its own SHA-256, hexadecimal, newline included.
        time: as it is written.
        line: its bytes.
    """

    seq: int
    prev: str
    kind: str
    digest: str
    time: bytes
    line: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """First line of a segment.

    Args:
        seq: its number, which is in the segment's file name.
        prev: SHA-256 of the last line of the segment before.
        journal: 32 hexadecimal digits, drawn when the journal was begun.
        key: Ed25519 public key in force, 32 bytes in hexadecimal.
        previous: number of the first line of the segment before; None for the first segment.
        entries: entries (headers and seals not counted) in all segments before.
        time: when it was begun.
    """

    seq: int
    prev: str
    journal: str
    key: str
    previous: int | None
    entries: int
    time: str

    def line(self) -> bytes:
        """The bytes to write."""
        previous = "null" if self.previous is None else str(self.previous)
        return (
            f'{{"entries":{self.entries},"journal":"{self.journal}","key":"{self.key}","kind":"segment",'
            f'"prev":"{self.prev}","previous":{previous},"schema":1,"seq":{self.seq},"time":"{self.time}"}}\n'
        ).encode()


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature over everything before it, and the handing over to the next key.

    Args:
        seq: its number.
        prev: SHA-256 of the line before: the head that is sealed.
        journal: whose seal it is.
        key: public key that signed, hexadecimal.
        next: public key that signs the next seal.
        entries: entries in the journal up to here.
        time: when.
        signature: Ed25519 (RFC 8032) over `statement`, hexadecimal.
    """

    seq: int
    prev: str
    journal: str
    key: str
    next: str
    entries: int
    time: str
    signature: str = ""

    def statement(self) -> bytes:
        """The bytes that are signed: a title and the fields, a line each."""
        fields = (self.journal, self.seq, self.prev, self.entries, self.key, self.next, self.time)
        return ("cardd journal seal 1\n" + "".join(f"{one}\n" for one in fields)).encode()

    def line(self) -> bytes:
        """The bytes to write."""
        return (
            f'{{"entries":{self.entries},"journal":"{self.journal}","key":"{self.key}","kind":"seal",'
            f'"next":"{self.next}","prev":"{self.prev}","schema":1,"seq":{self.seq},'
            f'"signature":"{self.signature}","time":"{self.time}"}}\n'
        ).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal stands: told elsewhere, it is a witness.

    Args:
        journal: the journal's id, 32 hexadecimal digits.
        seq: number of the last line.
        digest: SHA-256 of the last line, hexadecimal.
    """

    journal: str
    seq: int
    digest: str

    def __str__(self) -> str:
        return f"{self.journal}:{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what `str` wrote.

        Raises:
            ValueError: it is no head.
        """
        found = HEAD.fullmatch(text)
        if found is None:
            raise ValueError("a head is JOURNAL:LINE:SHA256")
        return cls(found[1], int(found[2]), found[3])


def stamp_of(line: bytes) -> Stamp | None:
    """When an entry was stamped; None where its time is none, or the line is no entry."""
    found = _ENTRY.fullmatch(line)
    wall = None if found is None else written_stamp(found["time"])
    if found is None or wall is None:
        return None
    return Stamp(wall.microseconds, int(found["monotonic"]), found["boot"].decode())


def digest_of(line: bytes) -> str:
    """SHA-256 of a line as written, newline included."""
    return hashlib.sha256(line).hexdigest()


_RESERVED = frozenset({SEGMENT_KIND.encode(), SEAL_KIND.encode()})


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_link(line: bytes) -> Link:
    """A line's place in the chain.

    Raises:
        LineMalformed: it has none of the three forms.
    """
    found = _ENTRY.fullmatch(line) if len(line) <= LINE_MAX else None
    if found is not None:
        _, kind, _, prev, seq, time = found.groups()
        if kind in _RESERVED or not _is_utf8(line):
            raise LineMalformed("an entry in disguise, or not UTF-8")
        return Link(int(seq), prev.decode(), kind.decode(), digest_of(line), time, line)
    for form, name in ((_HEADER, SEGMENT_KIND), (_SEAL, SEAL_KIND)):
        found = form.fullmatch(line)
        if found is not None:
            return Link(int(found["seq"]), found["prev"].decode(), name, digest_of(line), found["time"], line)
    raise LineMalformed("neither an entry, nor a segment's header, nor a seal")


def read_header(line: bytes) -> Header:
    """The first line of a segment.

    Raises:
        LineMalformed: it is something else.
    """
    found = _HEADER.fullmatch(line)
    if found is None:
        raise LineMalformed("not the header of a segment")
    text = {name: value.decode() for name, value in found.groupdict().items()}
    return Header(
        seq=int(text["seq"]),
        prev=text["prev"],
        journal=text["journal"],
        key=text["key"],
        previous=None if text["previous"] == "null" else int(text["previous"]),
        entries=int(text["entries"]),
        time=text["time"],
    )


def read_seal(line: bytes) -> Seal:
    """A seal; its signature is not looked at.

    Raises:
        LineMalformed: it is something else.
    """
    found = _SEAL.fullmatch(line)
    if found is None:
        raise LineMalformed("not a seal")
    text = {name: value.decode() for name, value in found.groupdict().items()}
    return Seal(
        seq=int(text["seq"]),
        prev=text["prev"],
        journal=text["journal"],
        key=text["key"],
        next=text["next"],
        entries=int(text["entries"]),
        time=text["time"],
        signature=text["signature"],
    )
