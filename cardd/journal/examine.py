"""The order of lines: follows the chain, one line ahead, and names what breaks it. Knows nothing of seals or files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cardd.journal.link import SEGMENT_KIND, Link, read_header
from cardd.journal.problems import SHOWN_MAX, Fault, Findings, Problem


@dataclass(slots=True)
class Spot:
    """A line where it stands.

    Args:
        file: its file's name.
        link: its place in the chain, None where it cannot be read.
        torn: whether it has no newline.
        first: whether it is the first of its file.
    """

    file: str
    link: Link | None
    torn: bool = False
    first: bool = False


class Examiner:
    """Follows the chain.

    Args:
        findings: where problems go.
        accepted: called with each line that stands in its place (altered or not), in order.
        seq: number of the line before the first.
        digest: its SHA-256; None if any will do.
    """

    def __init__(
        self, findings: Findings, accepted: Callable[[Spot, Link], None], seq: int = 0, digest: str | None = None
    ) -> None:
        self._findings = findings
        self._accepted = accepted
        self._waiting: Spot | None = None
        self.seq = seq
        self.digest = digest
        """Of the last line; None where it is known to be spoilt, so that it is not told twice."""
        self._digest_before: str | None = None
        self._segment: int | None = None
        self._displaced: dict[int, tuple[int, Problem]] = {}
        self._early: dict[int, Problem] = {}
        self._replayed: int | None = None

    def feed(self, spot: Spot) -> None:
        """The next line."""
        current, self._waiting = self._waiting, spot
        if current is not None:
            self._judge(current, spot)

    def finish(self) -> None:
        """There is no further line."""
        current, self._waiting = self._waiting, None
        if current is not None:
            self._judge(current, None)
        early = self._early.pop(self.seq + 1, None)
        if early is not None:
            self._swapped(early, self.seq + 1)
            self._step(self.seq + 1, None)

    def _judge(self, spot: Spot, following: Spot | None) -> None:
        link = spot.link
        if link is not None and link.seq == self.seq + 1 and (self.digest is None or link.prev == self.digest):
            self._accept(spot, link)
            return
        restored = self._would_follow(following)
        if link is None:
            self._unreadable(spot, following, restored=restored)
        elif restored:
            self._between(spot, link)
        elif link.seq == self.seq + 1:
            self._add(Fault.ALTERED, spot.file, self.seq, f"line {self.seq} is not what line {link.seq} recorded of it")
            self._accept(spot, link)
        else:
            self._out_of_order(spot, link, following)

    def _would_follow(self, following: Spot | None) -> bool:
        """Whether the next line is the one that belongs here: then this one was put in between."""
        link = None if following is None else following.link
        return link is not None and link.seq == self.seq + 1 and (self.digest is None or link.prev == self.digest)

    def _unreadable(self, spot: Spot, following: Spot | None, *, restored: bool) -> None:
        if restored:
            self._add(
                Fault.INSERTED, spot.file, self.seq + 1, f"something that is no line stands before {self.seq + 1}"
            )
            return
        ends_file = following is None or following.first
        if spot.torn and ends_file:
            self._add(Fault.TRUNCATED, spot.file, self.seq + 1, f"the file ends inside line {self.seq + 1}")
        else:
            self._add(Fault.ALTERED, spot.file, self.seq + 1, f"line {self.seq + 1} is none that the journal writes")
        self._step(self.seq + 1, None)

    def _between(self, spot: Spot, link: Link) -> None:
        expected = self.seq + 1
        if link.seq <= self.seq:
            self._repeat(spot, link)
            return
        problem = self._add(Fault.INSERTED, spot.file, expected, f"a line numbered {link.seq} stands before {expected}")
        if link.seq > expected and len(self._early) < SHOWN_MAX:
            self._early[link.seq] = problem

    def _out_of_order(self, spot: Spot, link: Link, following: Spot | None) -> None:
        expected = self.seq + 1
        if link.seq == self.seq and link.prev == self._digest_before:
            self._add(Fault.INSERTED, spot.file, link.seq, f"there are two lines numbered {link.seq}")
            self.digest = None
        elif self.digest is not None and link.prev == self.digest:
            text = f"line {expected} bears the number {link.seq}"
            self._add(Fault.ALTERED, spot.file, expected, text)
            self._step(expected, None)
        elif self._stands_in_place(link, expected, following):
            self._stand_in(spot, link, expected)
        elif link.seq < expected:
            self._repeat(spot, link)
        else:
            self._gap(spot, link, expected)

    def _stands_in_place(self, link: Link, expected: int, following: Spot | None) -> bool:
        """Whether the line after this one goes on as if this were the one expected."""
        if link.kind == SEGMENT_KIND:
            return False
        if following is None or following.link is None:
            return link.seq in self._displaced
        return following.link.seq == expected + 1

    def _stand_in(self, spot: Spot, link: Link, expected: int) -> None:
        earlier = self._displaced.get(link.seq)
        if earlier is not None and earlier[0] == expected:
            earlier[1].fault = Fault.SWAPPED
            earlier[1].text = f"lines {link.seq} and {expected} have changed places"
        else:
            problem = self._add(
                Fault.REPLAYED, spot.file, expected, f"in the place of line {expected} stands one numbered {link.seq}"
            )
            if len(self._displaced) < SHOWN_MAX:
                self._displaced[expected] = (link.seq, problem)
        self._step(expected, None)

    def _repeat(self, spot: Spot, link: Link) -> None:
        if self._replayed is None or link.seq != self._replayed + 1:
            text = f"line {link.seq} stands again after line {self.seq}"
            self._add(Fault.REPLAYED, spot.file, self.seq + 1, text)
        self._replayed = link.seq

    def _gap(self, spot: Spot, link: Link, expected: int) -> None:
        last = link.seq - 1
        early = self._early.pop(expected, None)
        if early is not None and last == expected:
            self._swapped(early, expected)
        elif spot.first and link.kind == SEGMENT_KIND:
            if self._segment is not None and read_header(link.line).previous == self._segment:
                fault, told = Fault.TRUNCATED, f"the segment before lacks its end, lines {expected} to {last}"
            else:
                fault, told = Fault.MISSING_SEGMENT, f"the segments with lines {expected} to {last} are missing"
            self._add(fault, spot.file, expected, told)
        else:
            told = f"line {expected} is missing" if last == expected else f"lines {expected} to {last} are missing"
            self._add(Fault.MISSING, spot.file, expected, told)
        self._accept(spot, link)

    def _swapped(self, problem: Problem, seq: int) -> None:
        problem.fault = Fault.SWAPPED
        problem.text = f"lines {self.seq} and {seq} have changed places"

    def _accept(self, spot: Spot, link: Link) -> None:
        if link.kind == SEGMENT_KIND:
            self._segment = link.seq
        self._step(link.seq, link.digest)
        self._accepted(spot, link)

    def _step(self, seq: int, digest: str | None) -> None:
        self._digest_before, self.digest = self.digest, digest
        self.seq = seq
        self._replayed = None

    def _add(self, fault: Fault, file: str, seq: int, text: str) -> Problem:
        return self._findings.add(fault, file, seq, text)
