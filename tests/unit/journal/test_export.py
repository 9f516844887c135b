"""Exports and their proofs: accepted by both verifiers as they are, by neither once touched."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardd.journal.errors import LineMalformed
from cardd.journal.export import Exported, NothingSealed, export
from cardd.journal.link import Head, read_header
from cardd.journal.problems import Fault, Report
from cardd.journal.segment import segment_names
from cardd.journal.verify import Anchors
from cardd.journal.verify_export import verify_export
from tests.unit.journal import standalone
from tests.unit.journal.disk import MemoryDisk
from tests.unit.journal.support import SteadyClock, commit, small_store


@dataclass
class Export:
    exported: Exported
    content: bytes
    proof: bytes
    key: str


def journal() -> tuple[MemoryDisk, str]:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock)
    for number in range(0, 30, 3):
        commit(store, clock, range(number, number + 3))
        if number % 6 == 0:
            store.seal()
    store.seal()
    commit(store, clock, [30, 31])
    first = disk.open(segment_names(disk)[0]).read_at(0, 1000).splitlines(keepends=True)[0]
    return disk, read_header(first).key


DISK, KEY = journal()


def exported(first: int = 1, last: int | None = None) -> Export:
    content, proof = io.BytesIO(), io.BytesIO()
    said = export(DISK, content, proof, first=first, last=last)
    return Export(said, content.getvalue(), proof.getvalue(), KEY)


def judged(folder: Path, content: bytes, proof: bytes, key: str = KEY, heads: tuple[Head, ...] = ()) -> Report:
    (folder / "export").write_bytes(content)
    (folder / "proof").write_bytes(proof)
    report = verify_export(io.BytesIO(content), io.BytesIO(proof), Anchors(frozenset({key}), None, heads))
    other = standalone.check_export(
        folder / "export", folder / "proof", frozenset({key}), tuple(str(head) for head in heads)
    )
    assert [problem.fault.value for problem in report.problems] == standalone.faults(other)
    return report


@pytest.mark.parametrize(("first", "last"), [(1, None), (1, 10), (9, 20), (20, None), (14, 14)])
def test_an_export_is_sound_and_ends_with_a_seal(tmp_path: Path, first: int, last: int | None) -> None:
    made = exported(first, last)
    report = judged(tmp_path, made.content, made.proof)
    assert report.sound, report.problems
    assert report.head == made.exported.head
    assert report.sealed == made.exported.head.seq
    lines = made.content.splitlines(keepends=True)
    assert len(lines) == made.exported.lines == made.exported.head.seq - first + 1
    assert b'"kind":"seal"' in lines[-1]
    if last is not None:
        assert made.exported.head.seq >= last


def test_what_no_seal_covers_is_not_exported() -> None:
    with pytest.raises(NothingSealed):
        exported(first=10_000)


def test_a_spoilt_journal_is_not_exported() -> None:
    disk, _ = journal()
    inode = disk.inodes[segment_names(disk)[0]]
    inode.seen[400] = 0
    with pytest.raises(LineMalformed):
        export(disk, io.BytesIO(), io.BytesIO())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_in_the_content(tmp_path: Path, data: st.DataObject) -> None:
    made = exported(9, 24)
    content = bytearray(made.content)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not judged(tmp_path, bytes(content), made.proof).sound


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_content(tmp_path: Path, data: st.DataObject) -> None:
    made = exported(9, 24)
    cut = made.content[: data.draw(st.integers(0, len(made.content) - 1))]
    assert not judged(tmp_path, cut, made.proof).sound


def test_a_line_more(tmp_path: Path) -> None:
    made, whole = exported(1, 8), exported(1, 20)
    longer = b"".join(whole.content.splitlines(keepends=True)[: made.exported.lines + 1])
    report = judged(tmp_path, longer, made.proof)
    assert [problem.fault for problem in report.problems] == [Fault.WRONG_PROOF]


def test_the_proof_of_another_export(tmp_path: Path) -> None:
    assert not judged(tmp_path, exported(9, 20).content, exported(14, 20).proof).sound


def test_a_proof_without_one_of_its_seals(tmp_path: Path) -> None:
    made = exported(20)
    lines = made.proof.splitlines(keepends=True)
    assert len(lines) > 3
    report = judged(tmp_path, made.content, b"".join([lines[0], *lines[2:]]))
    assert Fault.BROKEN_SEAL in {problem.fault for problem in report.problems}


def test_a_proof_that_says_a_seal_twice(tmp_path: Path) -> None:
    made = exported(20)
    lines = made.proof.splitlines(keepends=True)
    report = judged(tmp_path, made.content, b"".join([*lines[:2], lines[1], *lines[2:]]))
    assert Fault.WRONG_PROOF in {problem.fault for problem in report.problems}


def test_an_export_by_a_forger_with_keys_of_his_own(tmp_path: Path) -> None:
    disk, _ = journal()
    content, proof = io.BytesIO(), io.BytesIO()
    export(disk, content, proof)
    report = judged(tmp_path, content.getvalue(), proof.getvalue())
    assert [problem.fault for problem in report.problems] == [Fault.FOREIGN_KEY]


def test_against_a_witness(tmp_path: Path) -> None:
    made = exported(9, 20)
    assert judged(tmp_path, made.content, made.proof, heads=(made.exported.head,)).witnessed == made.exported.head.seq
    lie = Head(made.exported.head.journal, 12, "0" * 64)
    report = judged(tmp_path, made.content, made.proof, heads=(lie,))
    assert [problem.fault for problem in report.problems] == [Fault.REWRITTEN]


@pytest.mark.parametrize(
    "proof", [b"", b"\n", b"{}\n", b'{"kind":"proof","schema":1}\n', b"\xff\n", b"[" * 9000 + b"\n"]
)
def test_what_is_no_proof_is_refused(tmp_path: Path, proof: bytes) -> None:
    with pytest.raises(LineMalformed):
        verify_export(io.BytesIO(b""), io.BytesIO(proof))
    (tmp_path / "export").write_bytes(b"")
    (tmp_path / "proof").write_bytes(proof)
    with pytest.raises(standalone.MODULE.Unusable):
        standalone.check_export(tmp_path / "export", tmp_path / "proof", frozenset())
