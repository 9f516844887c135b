"""Export: lines as they were written, and a detached proof that a stranger can check with the first public key alone.

The lines from any number to the next seal. The proof, JSON Lines too: a statement, and the seals before the first line,
which hand the keys over from the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cardd.journal.errors import LineMalformed
from cardd.journal.files import Files
from cardd.journal.link import ORIGIN, SEAL_KIND, Head, Link, read_header, read_link
from cardd.journal.segment import read_lines, segment_names
from cardd.journal.statement import Statement


class NothingSealed(Exception):
    """No seal follows the lines that are asked for: seal first, then export."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Args:
        first: number of the first line.
        head: of the last, which is a seal.
        lines: how many.
        sha256: of all bytes of the export, hexadecimal.
    """

    first: int
    head: Head
    lines: int
    sha256: str


@dataclass(slots=True)
class _Course:
    """What the reading has come by."""

    journal: str = ""
    key: str = ""
    prev: str = ORIGIN


def export(files: Files, content: BinaryIO, proof: BinaryIO, *, first: int = 1, last: int | None = None) -> Exported:
    """Write lines ``first`` to ``last`` (None: the journal's end), up to the seal that covers them, and their proof.
    Reads the disk twice; call it in a thread of its own, after `Journal.seal`.

    Raises:
        NothingSealed: nothing from ``first`` on is sealed.
        OSError: a file cannot be read or written.
        LineMalformed: the journal is spoilt there; `verify` tells how.
    """
    end = _end(files, first, last)
    course, digest, lines = _Course(), hashlib.sha256(), 0
    seals: list[bytes] = []
    head = ""
    for link in _links(files):
        if link.seq > end:
            break
        if not course.journal:
            header = read_header(link.line)
            course.journal, course.key = header.journal, header.key
        if link.seq < first:
            course.prev = link.digest
            if link.kind == SEAL_KIND:
                seals.append(link.line)
            continue
        if not lines:
            course.prev, first = link.prev, link.seq
        content.write(link.line)
        digest.update(link.line)
        lines += 1
        head = link.digest
    exported = Exported(first, Head(course.journal, end, head), lines, digest.hexdigest())
    _write_proof(proof, exported, course, seals)
    return exported


def _write_proof(proof: BinaryIO, exported: Exported, course: _Course, seals: list[bytes]) -> None:
    statement = Statement(
        first=exported.first,
        last=exported.head.seq,
        lines=exported.lines,
        prev=course.prev,
        head=exported.head.digest,
        journal=exported.head.journal,
        key=course.key,
        sha256=exported.sha256,
    )
    proof.write(statement.line())
    for line in seals:
        proof.write(line)


def _end(files: Files, first: int, last: int | None) -> int:
    """Number of the seal up to which to export."""
    end = 0
    for link in _links(files):
        if link.kind == SEAL_KIND and link.seq >= first:
            end = link.seq
            if last is not None and end >= last:
                break
    if not end:
        raise NothingSealed
    return end


def _links(files: Files) -> Iterator[Link]:
    names = segment_names(files)
    for name in names:
        handle = files.open(name)
        try:
            for raw in read_lines(handle):
                if raw.whole:
                    yield read_link(raw.data)
                elif not (raw.room and name == names[-1]):
                    raise LineMalformed("cut short")
        finally:
            handle.close()
