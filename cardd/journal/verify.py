"""Verification of a whole journal: streaming, in constant memory, every finding by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cardd.journal.errors import LineMalformed
from cardd.journal.event import Kind
from cardd.journal.examine import Examiner, Spot
from cardd.journal.files import Files
from cardd.journal.link import (
    ORIGIN,
    SEAL_KIND,
    SEGMENT_KIND,
    Head,
    Header,
    Link,
    Seal,
    read_header,
    read_link,
    read_seal,
    stamp_of,
)
from cardd.journal.problems import Fault, Findings, Report
from cardd.journal.segment import RawLine, first_seq, read_lines, segment_names
from cardd.journal.witness import Witnesses


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the verifier knows from elsewhere. The less it knows, the more a thief of the whole machine can have done.

    Args:
        keys: public keys that the administrator noted, hexadecimal: the first one, and any begun after a loss.
        header: the first line of the first segment that is kept here, where earlier ones were archived.
        witnesses: heads told elsewhere.
    """

    keys: frozenset[str] = frozenset()
    header: bytes | None = None
    witnesses: tuple[Head, ...] = field(default=())


def verify(files: Files, anchors: Anchors | None = None) -> Report:
    """Read the whole journal and tell what was done to it.

    Args:
        files: its directory, or a copy.
        anchors: what is known from elsewhere.

    Raises:
        OSError: something cannot be read.
    """
    return _Verification(files, anchors or Anchors()).run()


def spot_of(raw: RawLine, file: str, *, first: bool = False) -> Spot:
    """A line as the examiner wants it."""
    if not raw.whole:
        return Spot(file, None, torn=True, first=first)
    try:
        return Spot(file, read_link(raw.data), first=first)
    except LineMalformed:
        return Spot(file, None, first=first)


class Keys:
    """The succession of sealing keys.

    Args:
        findings: where problems go.
        known: keys that are trusted from elsewhere.
    """

    def __init__(self, findings: Findings, known: frozenset[str]) -> None:
        self._findings = findings
        self._known = known
        self.in_force: str | None = None
        self.sealed = 0

    def begin(self, key: str, file: str, seq: int) -> None:
        """The key that the journal begins with."""
        if self._known and key not in self._known:
            self._findings.add(Fault.FOREIGN_KEY, file, seq, "the first key is not one that was noted elsewhere")
        self.in_force = key

    def header(self, header: Header, file: str) -> None:
        """A segment says which key is in force."""
        if header.key != self.in_force and header.key not in self._known:
            text = f"the key in force at line {header.seq} was not signed by the one before"
            self._findings.add(Fault.KEY_REPLACED, file, header.seq, text)
        self.in_force = header.key

    def seal(self, seal: Seal, file: str) -> None:
        """A seal: signed by the key in force, it names the next one."""
        if seal.key != self.in_force:
            text = f"the seal at line {seal.seq} is by another key than the one in force"
            self._findings.add(Fault.BROKEN_SEAL, file, seal.seq, text)
        elif not _signed(seal):
            self._findings.add(Fault.BROKEN_SEAL, file, seal.seq, f"the signature of line {seal.seq} is wrong")
        else:
            self.sealed = seal.seq
        self.in_force = seal.next


def _signed(seal: Seal) -> bool:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(seal.key))
    try:
        key.verify(bytes.fromhex(seal.signature), seal.statement())
    except InvalidSignature:
        return False
    return True


class Tally:
    """What is counted and compared in each line that stands in its place.

    Args:
        findings: where problems go.
        anchors: keys and witnesses.
    """

    def __init__(self, findings: Findings, anchors: Anchors) -> None:
        self._findings = findings
        self._witnesses = Witnesses(anchors.witnesses)
        self.keys = Keys(findings, anchors.keys)
        self.journal: str | None = None
        self.entries = 0
        self.total: int | None = None
        """Entries since the beginning, by the first header or seal that said so."""
        self.cuts = 0
        self.clock_back = 0
        self.unsealed = 0
        self.witnessed = 0
        self._time = self._line = b""

    def line(self, spot: Spot, link: Link) -> None:
        """A line in its place."""
        if link.kind == SEGMENT_KIND:
            self._header(read_header(link.line), spot.file)
        elif link.kind == SEAL_KIND:
            self._seal(read_seal(link.line), spot.file)
        else:
            self._entry(link)
        if self._witnesses:
            self._compare(spot, link)

    def _entry(self, link: Link) -> None:
        self.entries += 1
        self.unsealed += 1
        if self.total is not None:
            self.total += 1
        if link.kind == Kind.JOURNAL_CUT:
            self.cuts += 1
        if link.time < self._time and _set_back(self._line, link.line):
            self.clock_back += 1
        self._time, self._line = link.time, link.line

    def _header(self, header: Header, file: str) -> None:
        if self.journal is None:
            self.journal = header.journal
            self.keys.begin(header.key, file, header.seq)
        else:
            self._belongs(header.journal, file, header.seq)
            self.keys.header(header, file)
        self._count(header.entries, file, header.seq)

    def _seal(self, seal: Seal, file: str) -> None:
        self._belongs(seal.journal, file, seal.seq)
        self.keys.seal(seal, file)
        self._count(seal.entries, file, seal.seq)
        self.unsealed = 0

    def seal_alone(self, seal: Seal, file: str) -> None:
        """A seal that hands a key over, without the lines before it."""
        self._belongs(seal.journal, file, seal.seq)
        self.keys.seal(seal, file)

    def _belongs(self, journal: str, file: str, seq: int) -> None:
        if self.journal not in {None, journal}:
            self._findings.add(Fault.REPLAYED, file, seq, f"line {seq} is of another journal")

    def _count(self, said: int, file: str, seq: int) -> None:
        # Where lines are missing the count differs too: that is told already.
        if self.total not in {None, said} and not self._findings.count:
            self._findings.add(Fault.ALTERED, file, seq, f"line {seq} counts {said} entries, there are {self.total}")
        self.total = said

    def _compare(self, spot: Spot, link: Link) -> None:
        seen = self._witnesses.digests(self.journal or "", link.seq)
        if seen is None:
            return
        if seen == {link.digest}:
            self.witnessed = link.seq
        else:
            self._findings.add(Fault.REWRITTEN, spot.file, link.seq, f"a witness has seen another line {link.seq}")

    def end(self, file: str, seq: int) -> None:
        """The journal ends here: what witnesses have seen beyond?"""
        for journal, last in self._witnesses.last.items():
            if journal != self.journal:
                self._findings.add(Fault.FOREIGN_WITNESS, file, seq, f"a witness has seen another journal, {journal}")
            elif last > seq:
                text = f"a witness has seen line {last}, the journal ends at line {seq}"
                self._findings.add(Fault.ROLLED_BACK, file, seq, text)

    def notices(self, anchors: Anchors) -> Iterator[str]:
        """What could not be known, and what the journal itself tells."""
        if not anchors.witnesses:
            yield "No witness was given: whether the whole folder was put back to an earlier state cannot be known."
        if not anchors.keys:
            yield "No key noted elsewhere was given: whether all of it was made anew with other keys cannot be known."
        if self.unsealed:
            yield f"The last {self.unsealed} entries are not sealed yet: who has the machine could have rewritten them."
        if self.cuts:
            yield f"The journal tells of {self.cuts} cuts or breaks (entries of kind journal-cut)."
        if self.clock_back:
            yield f"The clock went back {self.clock_back} times."


def _set_back(earlier: bytes, later: bytes) -> bool:
    before, after = stamp_of(earlier), stamp_of(later)
    return before is not None and after is not None and after.set_back_from(before)


class _Verification:
    def __init__(self, files: Files, anchors: Anchors) -> None:
        self._files = files
        self._anchors = anchors
        self._findings = Findings()
        self._tally = Tally(self._findings, anchors)
        self._notices: list[str] = []

    def run(self) -> Report:
        names = segment_names(self._files)
        examiner = self._examiner(names[0]) if names else None
        for name in names:
            for spot in self._spots(name, last=name == names[-1]):
                if examiner is not None:
                    examiner.feed(spot)
        if examiner is not None:
            examiner.finish()
        seq = examiner.seq if examiner else 0
        self._tally.end(names[-1] if names else "", seq)
        digest = examiner.digest if examiner else None
        return Report(
            problems=tuple(self._findings.problems),
            count=self._findings.count,
            notices=(*self._notices, *self._tally.notices(self._anchors)),
            head=None if digest is None or not self._tally.journal else Head(self._tally.journal, seq, digest),
            entries=self._tally.entries,
            segments=len(names),
            sealed=self._tally.keys.sealed,
            witnessed=self._tally.witnessed,
        )

    def _examiner(self, name: str) -> Examiner:
        first = first_seq(name)
        if self._anchors.header is not None:
            given = read_header(self._anchors.header)
            if first != given.seq:
                text = f"the first segment begins with line {first}, the header given is line {given.seq}"
                self._findings.add(Fault.WRONG_HEADER, name, first, text)
            return Examiner(self._findings, self._tally.line, first - 1, given.prev)
        if first != 1:
            text = f"lines 1 to {first - 1} are missing; if they were archived, give the header of the first kept one"
            self._findings.add(Fault.MISSING_SEGMENT, name, 1, text)
            return Examiner(self._findings, self._tally.line, first - 1, None)
        return Examiner(self._findings, self._tally.line, 0, ORIGIN)

    def _spots(self, name: str, *, last: bool) -> Iterable[Spot]:
        handle = self._files.open(name)
        end, first = 0, True
        try:
            for raw in read_lines(handle):
                end = raw.offset + len(raw.data)
                if last and not raw.whole and raw.room:
                    self._notices.append("The last line is not finished: it is being written, or a crash cut it.")
                    continue
                spot = spot_of(raw, name, first=first)
                self._layout(spot, raw)
                yield spot
                first = False
        finally:
            handle.close()
        if first and not last:
            self._findings.add(Fault.TRUNCATED, name, first_seq(name), "the segment is empty")
        elif not last and self._files.size(name) > end:
            self._findings.add(Fault.ALTERED, name, first_seq(name), "the segment has bytes after its last line")

    def _layout(self, spot: Spot, raw: RawLine) -> None:
        """A segment begins with its header, and has no other."""
        link = spot.link
        if not spot.first:
            if link is not None and link.kind == SEGMENT_KIND:
                text = f"the header of segment {link.seq} stands inside a segment"
                self._findings.add(Fault.INSERTED, spot.file, link.seq, text)
            return
        wanted = first_seq(spot.file)
        if link is None:
            return
        if link.kind != SEGMENT_KIND:
            self._findings.add(Fault.MISSING, spot.file, wanted, "the segment does not begin with its header")
        elif link.seq != wanted:
            text = f"this file holds the segment that begins with line {link.seq}"
            self._findings.add(Fault.REPLAYED, spot.file, wanted, text)
        elif wanted == first_seq_given(self._anchors) and raw.data != self._anchors.header:
            self._findings.add(Fault.WRONG_HEADER, spot.file, wanted, "the first header is not the one that was given")


def first_seq_given(anchors: Anchors) -> int | None:
    """Number of the header that was given, if one was.

    Raises:
        LineMalformed: it is no header.
    """
    return None if anchors.header is None else read_header(anchors.header).seq
