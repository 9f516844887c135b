"""The statement of an export: first line of its proof."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from cardd.journal.entry import SCHEMA
from cardd.journal.errors import LineMalformed
from cardd.journal.link import Head
from cardd.journal.text import document

_KIND = "proof"
_DIGITS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Statement:
    """What an export is of.

    Args:
        first: number of its first line.
        last: number of its last line, a seal.
        lines: how many.
        prev: SHA-256 of the line before the first, hexadecimal.
        head: SHA-256 of the last line, hexadecimal.
        journal: the journal's id.
        key: the sealing key that the journal, or what was left of it, began with, hexadecimal.
        sha256: of all bytes of the export, hexadecimal.
    """

    first: int
    last: int
    lines: int
    prev: str
    head: str
    journal: str
    key: str
    sha256: str

    @property
    def end(self) -> Head:
        """The head of the export's last line: kept elsewhere, it is a witness."""
        return Head(self.journal, self.last, self.head)

    def line(self) -> bytes:
        """The bytes to write."""
        return document({**asdict(self), "kind": _KIND, "schema": SCHEMA}).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Statement:
        """Read the first line of a proof.

        Raises:
            LineMalformed: it is none.
        """
        try:
            value = json.loads(line)
            if (value["kind"], value["schema"]) != (_KIND, SCHEMA):
                raise LineMalformed("not the statement of a proof")
            first, last, lines = (int(value[name]) for name in ("first", "last", "lines"))
            digests = [str(value[name]) for name in ("prev", "head", "key", "sha256")]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise LineMalformed("not the statement of a proof") from error
        if not all(map(_DIGITS.fullmatch, digests)):
            raise LineMalformed("the statement of a proof, with a digest that is none")
        prev, head, key, sha256 = digests
        return cls(first, last, lines, prev, head, str(value["journal"]), key, sha256)
