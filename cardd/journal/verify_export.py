"""Verification of an export against its proof."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from cardd.journal.entry import LINE_MAX
from cardd.journal.examine import Examiner, Spot
from cardd.journal.link import Head, read_seal
from cardd.journal.problems import Fault, Findings, Report
from cardd.journal.segment import RawLine
from cardd.journal.statement import Statement
from cardd.journal.verify import Anchors, Tally, spot_of

_CONTENT = "export"
_PROOF = "proof"


def verify_export(content: BinaryIO, proof: BinaryIO, anchors: Anchors | None = None) -> Report:
    """Check an export: chain, seals, succession of keys from the first one, and that nothing lacks at its end.

    Raises:
        OSError: something cannot be read.
        LineMalformed: the proof is none.
    """
    known = anchors or Anchors()
    findings = Findings()
    tally = Tally(findings, known)
    statement = Statement.parse(proof.readline(LINE_MAX + 1))
    tally.journal = statement.journal
    tally.keys.begin(statement.key, _PROOF, 1)
    last_seal = 0
    for line in iter(lambda: proof.readline(LINE_MAX + 1), b""):
        seal = read_seal(line)
        if not last_seal < seal.seq < statement.first:
            text = f"the proof's seal {seal.seq} is out of order"
            findings.add(Fault.WRONG_PROOF, _PROOF, seal.seq, text)
        last_seal = seal.seq
        tally.seal_alone(seal, _PROOF)
    examiner = Examiner(findings, tally.line, statement.first - 1, statement.prev)
    digest = hashlib.sha256()
    for spot in _spots(content, digest):
        examiner.feed(spot)
    examiner.finish()
    _compare(findings, statement, examiner, digest.hexdigest())
    tally.end(_CONTENT, max(examiner.seq, statement.last))
    head = None if examiner.digest is None else Head(statement.journal, examiner.seq, examiner.digest)
    return Report(
        problems=tuple(findings.problems),
        count=findings.count,
        notices=tuple(tally.notices(known)),
        head=head,
        entries=tally.entries,
        segments=1,
        sealed=tally.keys.sealed,
        witnessed=tally.witnessed,
    )


def _compare(findings: Findings, statement: Statement, examiner: Examiner, sha256: str) -> None:
    if examiner.seq < statement.last:
        text = f"the export ends at line {examiner.seq}, its proof at line {statement.last}"
        findings.add(Fault.TRUNCATED, _CONTENT, examiner.seq + 1, text)
    elif (examiner.seq, examiner.digest, sha256) != (statement.last, statement.head, statement.sha256):
        findings.add(Fault.WRONG_PROOF, _PROOF, statement.last, "the proof is of other lines than these")


def _spots(content: BinaryIO, digest: Any) -> Iterator[Spot]:  # hashlib's objects have no public type
    offset = 0
    for line in iter(lambda: content.readline(LINE_MAX + 1), b""):
        digest.update(line)
        yield spot_of(RawLine(offset, line, whole=line.endswith(b"\n")), _CONTENT)
        offset += len(line)
