"""`scripts/journal-verify` as a stranger runs it: from the command line, with and without Python's cryptography."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cardd.journal import CallerRef, Detail, Event, HolderRef, Journal, Kind, Settings, open_directory
from cardd.journal.export import export
from cardd.journal.files import DirectoryFiles
from cardd.journal.store import Limits

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "journal-verify"


def run(*arguments: str | Path, without: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script; ``without`` is a folder that hides the library cryptography."""
    environment = {**os.environ, **({"PYTHONPATH": str(without)} if without else {})}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.fixture
def no_cryptography(tmp_path: Path) -> Path:
    folder = tmp_path / "hidden" / "cryptography"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('hidden for this test')\n")
    return folder.parent


@pytest.fixture
async def journal(tmp_path: Path) -> tuple[Path, str]:
    """A closed journal of a few segments; its directory and its last head."""
    folder = tmp_path / "journal"
    running = Journal(open_directory(folder), Settings(limits=Limits(4096)))
    await running.start()
    for number in range(25):
        what: dict[Detail, str | int] = {Detail.NUMBER: number, Detail.DOCUMENT_TITLE: "Ordonnance \u202e é"}
        await running.record(Event(Kind.SIGNED, "ok", HolderRef("899700000012", "1"), CallerRef(1000), what))
    await running.close()
    return folder, str(running.head)


def spoil(folder: Path) -> None:
    name = sorted(folder.glob("journal-*"))[1]
    content = name.read_bytes().replace(b'"number":9', b'"number":8', 1)
    name.chmod(0o640)
    name.write_bytes(content)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_sound_journal_and_then_a_spoilt_one(
    journal: tuple[Path, str], no_cryptography: Path, *, hidden: bool
) -> None:
    folder, head = journal
    without = no_cryptography if hidden else None
    result = run("--key", folder / "first-key.pub", "--witness", head, folder, without=without)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing found; 25 entries" in result.stdout
    assert "cannot be known" not in result.stdout
    spoil(folder)
    result = run("--key", folder / "first-key.pub", "--json", folder, without=without)
    assert result.returncode == 1, result.stdout + result.stderr
    said = json.loads(result.stdout)
    assert said["problems"][0]["fault"] == "altered"
    assert any("witness" in notice for notice in said["notices"])


def test_a_forged_seal_is_seen_without_the_library_too(journal: tuple[Path, str], no_cryptography: Path) -> None:
    folder, _ = journal
    last = sorted(folder.glob("journal-*"))[-1]
    content = last.read_bytes()
    place = content.rindex(b'"signature":"') + 13
    flipped = b"0" if content[place : place + 1] != b"0" else b"1"
    last.write_bytes(content[:place] + flipped + content[place + 1 :])
    for without in (None, no_cryptography):
        result = run(folder, without=without)
        assert result.returncode == 1
        assert "broken-seal" in result.stdout


def test_a_folder_put_back_is_seen_by_a_head_and_by_a_note_of_it(journal: tuple[Path, str], tmp_path: Path) -> None:
    folder, head = journal
    for name in sorted(folder.glob("journal-*"))[2:]:
        name.unlink()
    result = run(folder)
    assert result.returncode == 0
    assert "cannot be known" in result.stdout
    note = tmp_path / "note"
    note.write_text(f"Monday, {head}\n")
    for witness in (head, note):
        result = run("--witness", witness, folder)
        assert result.returncode == 1, witness
        assert "rolled-back" in result.stdout


def test_an_export_and_its_proof(journal: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = journal
    content, proof = tmp_path / "export.jsonl", tmp_path / "proof.jsonl"
    files = DirectoryFiles(folder)
    with content.open("wb") as lines, proof.open("wb") as said:
        export(files, lines, said, first=8)
    files.close()
    result = run("--key", folder / "first-key.pub", "--proof", proof, content)
    assert result.returncode == 0, result.stdout + result.stderr
    content.write_bytes(content.read_bytes().replace(b'"number":9', b'"number":8', 1))
    result = run("--key", folder / "first-key.pub", "--proof", proof, content)
    assert result.returncode == 1
    assert "altered" in result.stdout


def test_archived_segments_and_the_first_kept_header(journal: tuple[Path, str], tmp_path: Path) -> None:
    folder, head = journal
    names = sorted(folder.glob("journal-*"))
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in names[:2]:
        shutil.move(name, archive)
    header = tmp_path / "header"
    header.write_bytes(names[2].read_bytes().splitlines(keepends=True)[0])
    assert run(folder).returncode == 1
    result = run("--header", header, "--witness", head, folder)
    assert result.returncode == 0, result.stdout
    result = run("--key", folder / "first-key.pub", archive)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["/nonexistent"],
        ["--key", "short", "."],
        ["--witness", "/nonexistent", "."],
        [str(SCRIPT)],
        ["--header", "/etc/passwd", "."],
    ],
)
def test_what_cannot_be_checked_is_said(journal: tuple[Path, str], arguments: list[str]) -> None:
    folder, _ = journal
    result = run(*[str(folder) if one == "." else one for one in arguments])
    assert result.returncode == 2
    assert result.stderr.startswith("journal-verify: ")


def test_it_imports_nothing_of_the_daemon() -> None:
    assert "cardd." not in "".join(line for line in SCRIPT.read_text().splitlines() if "import" in line)
