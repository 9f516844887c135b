"""`cardctl journal`, with a running cardd and with files alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.cli.journal_words import FAULTS, KINDS, entry_line, notice
from cardd.client import CarddClient
from cardd.journal.event import Kind
from cardd.journal.problems import Fault
from tests.support.running import BIN, Running, identified, running_cardd

HOLDER = "899900000011"
NOWHERE = "unix:path=/nonexistent/bus"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A cardd that has signed once and refused a wrong PIN; tests read it, and leave it as it is."""
    with running_cardd() as one:
        one.insert()

        async def story() -> None:
            async with one.client() as client:
                card = await identified(client)
                with pytest.raises(Exception, match="PIN is wrong"):
                    await card.authenticate(pin=bytearray(b"9999"))
                session = await card.authenticate(pin=bytearray(b"1234"))
                await session.sign("signature", "RS256", hashlib.sha256(b"document").digest())

        asyncio.run(story())
        yield one


@pytest.fixture
def copy(running: Running, tmp_path: Path) -> Path:
    """The journal's files as they are now."""
    return shutil.copytree(running.folder / "journal", tmp_path / "copy")


def cardctl(*arguments: str | Path, bus: str | None = None, language: str = "C") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": language}
    environment.pop("CARDD_BUS", None)
    command = [str(BIN / "cardctl"), *(["--bus", bus] if bus else []), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def lines(result: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_search_gives_the_lines_as_they_stand(running: Running, copy: Path) -> None:
    bus = running.bus.address
    asked = cardctl("--json", "journal", "query", "--kind", "signed", "--kind", "refused", "--holder", HOLDER, bus=bus)
    assert [(one["kind"], one["result"]) for one in lines(asked)] == [("refused", "PinIncorrect"), ("signed", "ok")]
    read = cardctl(
        "--json", "journal", "query", "--kind", "signed", "--kind", "refused", "--directory", copy, bus=NOWHERE
    )
    assert read.stdout == asked.stdout
    newest = cardctl("--json", "journal", "query", "--newest-first", "--limit", "1", "--since", "1h", bus=bus)
    assert [one["kind"] for one in lines(newest)] == ["journal-read"]
    assert lines(cardctl("--json", "journal", "query", "--until", "2020-01-01", bus=bus)) == []


def test_people_read_it_in_their_language(running: Running) -> None:
    arguments = ("journal", "query", "--result", "PinIncorrect")
    english = cardctl(*arguments, bus=running.bus.address).stdout
    assert "refused  FAILED: PinIncorrect  holder 899900000011, card 26000001  uid" in english
    french = cardctl("--lang", "fr", *arguments, bus=running.bus.address).stdout
    assert "refus  ÉCHEC : PinIncorrect  titulaire 899900000011, carte 26000001" in french


@pytest.mark.parametrize(
    "arguments", [("--since", "yesterday"), ("--kind", "sung"), ("--limit", "0"), ("--since", "999999d")]
)
def test_what_means_nothing_is_refused(running: Running, arguments: tuple[str, str]) -> None:
    refused = cardctl("journal", "query", *arguments, bus=running.bus.address)
    assert refused.returncode == 2
    assert arguments[0] in refused.stderr


@pytest.mark.parametrize("with_daemon", [True, False])
def test_what_is_written_is_followed(running: Running, copy: Path, with_daemon: bool) -> None:
    place = ["--bus", running.bus.address] if with_daemon else []
    directory = [] if with_daemon else ["--directory", str(running.folder / "journal")]
    command = [str(BIN / "cardctl"), *place, "--json", "journal", "follow", "--since", "1h", "--kind", "journal-read"]
    with subprocess.Popen([*command, *directory], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            before = None if not with_daemon else json.loads(following.stdout.readline())
            lines(cardctl("--json", "journal", "query", "--card", "seen-by-the-follower", bus=running.bus.address))
            for line in following.stdout:
                found = json.loads(line)
                assert found["kind"] == "journal-read"
                if found["what"]["object"] == "card=seen-by-the-follower":
                    break
            assert before is None or before["seq"] < found["seq"]
        finally:
            following.terminate()


def test_the_daemon_and_the_files_verify(running: Running, copy: Path) -> None:
    bus = running.bus.address
    first_key = copy / "first-key.pub"
    asked = cardctl("--json", "journal", "verify", bus=bus)
    (document,) = lines(asked)
    report = document["report"]
    assert isinstance(report, dict)
    assert (report["sound"], report["problems"]) == (True, [])
    read = cardctl("journal", "verify", copy, "--key", first_key, bus=NOWHERE)
    assert read.returncode == 0, read.stdout
    assert "nothing found" in read.stdout
    assert "No witness was given" in read.stdout
    assert "No key" not in read.stdout
    witness = copy / "heads"
    witness.write_text(str(report["head"]))
    behind = cardctl("journal", "verify", copy, "--key", first_key, "--witness", witness)
    assert behind.returncode == 1
    assert "it was put back to an earlier state (rolled-back)" in behind.stdout
    by_configuration = cardctl("journal", "verify", "--witness", witness, "--config", running.cardd.config, bus=NOWHERE)
    assert by_configuration.returncode == 0, by_configuration.stdout


def test_what_was_spoilt_is_named_and_the_exit_code_says_it(copy: Path) -> None:
    (segment,) = copy.glob("journal-*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"kind":"signed"', b'"kind":"refuse"', 1))
    found = cardctl("journal", "verify", copy)
    assert found.returncode == 1
    assert f"a line was altered (altered): {segment.name}, line " in found.stdout
    french = cardctl("--lang", "fr", "journal", "verify", copy).stdout
    assert "une ligne a été modifiée (altered)" in french
    document = json.loads(cardctl("--json", "journal", "verify", copy).stdout)
    assert document["report"]["problems"][0]["fault"] == "altered"


def test_an_export_and_its_proof_convince_and_belong_together(running: Running, tmp_path: Path) -> None:
    content, key = tmp_path / "export.jsonl", running.folder / "journal" / "first-key.pub"
    done = cardctl("--json", "journal", "export", content, "--first", "2", bus=running.bus.address)
    (document,) = lines(done)
    proof = Path(str(document["proof"]))
    assert proof == tmp_path / "export.jsonl.proof"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (content, proof)] == [0o600, 0o600]
    verified = cardctl("journal", "verify", content, "--proof", proof, "--key", key)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    content.write_bytes(content.read_bytes().replace(b'"kind":"signed"', b'"kind":"refuse"', 1))
    assert cardctl("journal", "verify", content, "--proof", proof, "--key", key).returncode == 1


def test_what_cannot_be_exported_leaves_no_file(running: Running, copy: Path, tmp_path: Path) -> None:
    content = tmp_path / "export.jsonl"
    refused = cardctl("journal", "export", content, "--first", "1000000", bus=running.bus.address)
    assert refused.returncode == 2
    assert "first" in refused.stderr
    unsealed = cardctl("journal", "export", content, "--first", "1000000", "--directory", copy)
    assert unsealed.returncode == 2
    assert "Nothing of that is sealed" in unsealed.stderr
    assert not list(tmp_path.glob("export*"))


def test_files_that_are_none_are_named(tmp_path: Path, copy: Path) -> None:
    missing = tmp_path / "missing"
    for arguments in (
        ("query", "--directory", missing),
        ("verify", missing),
        ("verify", copy, "--key", copy / "journal-000000000000001.jsonl"),
        ("verify", copy, "--witness", copy / "first-key.pub"),
        ("verify", copy / "first-key.pub", "--proof", copy / "first-key.pub"),
    ):
        refused = cardctl("journal", *arguments)
        assert refused.returncode == 2, arguments
        assert str(arguments[-1]) in refused.stderr


def test_a_bus_that_is_named_and_not_there_is_told() -> None:
    assert cardctl("journal", "query", bus=NOWHERE).returncode == 7


def test_every_word_of_the_journal_has_its_translation() -> None:
    assert set(KINDS) == {one.value for one in Kind}
    assert set(FAULTS) == {one.value for one in Fault}


def test_what_is_no_entry_is_shown_without_what_could_steer_a_terminal() -> None:
    assert "\x1b" not in entry_line(b'{"kind": "\x1b[2J"}\n')
    assert "\x1b" not in entry_line(b"\x1b[2Jnonsense\xff\n")
    assert notice("The clock went back 3 times.") == "The clock went back 3 times."


async def test_the_last_is_not_asked_of_a_daemon_that_would_have_to_be_started(tmp_path: Path) -> None:
    """A private bus without cardd: the files are read instead."""
    from cardsim.stage import PrivateBus

    with PrivateBus() as bus:
        async with await CarddClient.connect(bus.address) as client:
            assert not client.daemon_runs
        config = tmp_path / "cardd.toml"
        config.write_text(f'[journal]\ndirectory = "{tmp_path / "missing"}"\n')
        refused = await asyncio.to_thread(cardctl, "journal", "query", "--config", config, bus=bus.address)
        assert refused.returncode == 2
        assert "missing" in refused.stderr
