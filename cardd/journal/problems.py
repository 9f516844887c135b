"""What a verification finds, each with its name."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cardd.journal.link import Head

SHOWN_MAX = 100
"""Problems that are kept in full; the rest is counted."""


class Fault(enum.StrEnum):
    """What was done to the journal."""

    ALTERED = "altered"
    """A line is not what the next one recorded of it, or is no line at all."""
    MISSING = "missing"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    REPLAYED = "replayed"
    """A line or segment that belongs elsewhere stands here again."""
    TRUNCATED = "truncated"
    MISSING_SEGMENT = "missing-segment"
    BROKEN_SEAL = "broken-seal"
    KEY_REPLACED = "key-replaced"
    """Another key is in force, which the one before did not sign."""
    FOREIGN_KEY = "foreign-key"
    """The journal begins with a key that is not the administrator's copy."""
    WRONG_HEADER = "wrong-header"
    """The first segment is not the one whose header was given."""
    ROLLED_BACK = "rolled-back"
    """It ends before what a witness has seen."""
    REWRITTEN = "rewritten"
    """A line is another than the one that a witness has seen."""
    FOREIGN_WITNESS = "foreign-witness"
    """The witness has seen another journal: this one was put in its place, or the witness is another machine's."""
    WRONG_PROOF = "wrong-proof"
    """An export and its proof do not belong together."""


@dataclass(slots=True)
class Problem:
    """One finding.

    Args:
        fault: its name.
        file: where.
        seq: number of the line, as it should be.
        text: a sentence with the particulars.
    """

    fault: Fault
    file: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found.

    Args:
        problems: the first hundred, in the order of the journal.
        count: how many there are.
        notices: sentences on what it could not know, and on what the journal itself says of cuts and clocks.
        head: the last line; None for an empty journal.
        entries: entries read.
        segments: files read.
        sealed: number of the last line with a good seal; 0 if none.
        witnessed: number of the last line that a witness confirms; 0 if none.
    """

    problems: tuple[Problem, ...]
    count: int
    notices: tuple[str, ...]
    head: Head | None
    entries: int
    segments: int
    sealed: int
    witnessed: int

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.count == 0


class Findings:
    """Gathers problems, the first `SHOWN_MAX` in full."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0

    def add(self, fault: Fault, file: str, seq: int, text: str) -> Problem:
        """Note one; the problem may be given another name when more is known."""
        problem = Problem(fault, file, seq, text)
        self.count += 1
        if len(self.problems) < SHOWN_MAX:
            self.problems.append(problem)
        return problem
