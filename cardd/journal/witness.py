"""Witnesses: heads that were told elsewhere. Only they show that a whole folder was put back to an earlier state."""

from __future__ import annotations

from collections.abc import Iterable

from cardd.journal.link import HEAD, Head


def heads_in(text: str) -> list[Head]:
    """Every head in a text: a head itself, or a note of some."""
    return [Head(journal, int(seq), digest) for journal, seq, digest in HEAD.findall(text)]


class Witnesses:
    """Heads by line number, for one journal.

    Args:
        heads: as they were told.
    """

    def __init__(self, heads: Iterable[Head]) -> None:
        self._digests: dict[tuple[str, int], set[str]] = {}
        self.last: dict[str, int] = {}
        for head in heads:
            self._digests.setdefault((head.journal, head.seq), set()).add(head.digest)
            self.last[head.journal] = max(head.seq, self.last.get(head.journal, 0))

    def __bool__(self) -> bool:
        return bool(self._digests)

    def digests(self, journal: str, seq: int) -> set[str] | None:
        """What was seen of a line; None if nothing was."""
        return self._digests.get((journal, seq))
