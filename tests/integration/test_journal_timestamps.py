"""`cardctl journal timestamp` and authorities that misbehave: nothing is kept that would not hold later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.journal.files import DirectoryFiles
from cardd.journal.link import Head
from tests.integration.test_journal_witnesses import cardctl
from tests.support.tsa import LocalTsa
from tests.unit.journal.support import SteadyClock, commit, small_store

REJECTED = bytes.fromhex("30053003020102")
"""TimeStampResp without a token: status rejection (RFC 3161, 2.4.2)."""


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTsa]:
    with LocalTsa(tmp_path_factory.mktemp("tsa")).serving() as one:
        yield one


@pytest.fixture
def journal(tmp_path: Path, tsa: LocalTsa) -> Path:
    """A journal whose daemon does not run; the authority is as good as on its first day."""
    tsa.answer, tsa.status = tsa.reply, 200
    folder = tmp_path / "journal"
    clock = SteadyClock()
    store = small_store(DirectoryFiles(folder, create=True), clock)
    commit(store, clock, range(12))
    store.close()
    return folder


def stamp(journal: Path, tsa: LocalTsa, target: Path, *more: str | Path) -> tuple[int, str]:
    told = cardctl("journal", "timestamp", target, "--tsa", tsa.url, "--directory", journal, *more)
    return told.returncode, told.stdout + told.stderr


def test_a_journal_without_its_daemon_is_stamped(journal: Path, tsa: LocalTsa, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.mkdir()
    told = cardctl(
        "--json", "journal", "timestamp", target, "--tsa", tsa.url, "--tsa-root", tsa.root, "--directory", journal
    )
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    response = Path(document["file"])
    assert sorted(one.suffix for one in target.iterdir()) == [".head", ".tsr"]
    head = Head.parse(response.with_suffix(".head").read_text().strip())
    assert str(head) == document["head"]
    found = cardctl("--json", "journal", "verify", journal, "--witness", response, "--tsa-root", tsa.root)
    assert json.loads(found.stdout)["report"]["witnessed"] == head.seq
    unrooted = cardctl("journal", "verify", journal, "--witness", response)
    assert unrooted.returncode == 2
    assert "--tsa-root" in unrooted.stderr


def replayed(tsa: LocalTsa, journal: Path, target: Path) -> None:
    """The same head is stamped again: a captured response has its hash, and another nonce."""
    captured: list[bytes] = []

    def keeping(query: bytes) -> bytes:
        captured.append(tsa.reply(query))
        return captured[0]

    tsa.answer = keeping
    assert stamp(journal, tsa, target, "--tsa-root", tsa.root)[0] == 0
    for one in target.iterdir():
        one.unlink()


def altered(tsa: LocalTsa) -> None:
    def flipping(query: bytes) -> bytes:
        content = bytearray(tsa.reply(query))
        content[-10] ^= 1  # in the signature
        return bytes(content)

    tsa.answer = flipping


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("rejected", "not granted"),
        ("garbage", "not a timestamp response"),
        ("huge", "more than 65536 bytes"),
        ("failing", "Internal Server Error"),
        ("altered", "does not hold"),
        ("replayed", "Nonce"),
        ("foreign", "does not hold"),
    ],
)
def test_what_does_not_hold_is_not_kept(journal: Path, tsa: LocalTsa, tmp_path: Path, how: str, said: str) -> None:
    target, root = tmp_path / "kept", tsa.root
    target.mkdir()
    match how:
        case "rejected":
            tsa.answer = lambda _query: REJECTED
        case "garbage":
            tsa.answer = lambda _query: b"<html>"
        case "huge":
            tsa.answer = lambda _query: bytes(70_000)
        case "failing":
            tsa.status = 500
        case "altered":
            altered(tsa)
        case "replayed":
            replayed(tsa, journal, target)
        case "foreign":
            root = LocalTsa(tmp_path / "other", "Other Timestamps").root
    code, told = stamp(journal, tsa, target, "--tsa-root", root)
    assert code == 1, told
    assert said in told, told
    assert list(target.iterdir()) == []


def test_what_is_missing_is_said(journal: Path, tsa: LocalTsa, tmp_path: Path) -> None:
    assert stamp(journal, tsa, tmp_path)[0] == 2
    assert stamp(journal, tsa, tmp_path / "missing", "--tsa-root", tsa.root)[0] == 2
    for url in ("file:///etc/passwd", "http://127.0.0.1:1/", "nonsense"):
        told = cardctl("journal", "timestamp", tmp_path, "--tsa", url, "--tsa-root", tsa.root, "--directory", journal)
        assert told.returncode == 1, url
        assert url in told.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    assert stamp(empty, tsa, tmp_path, "--tsa-root", tsa.root)[0] == 2
