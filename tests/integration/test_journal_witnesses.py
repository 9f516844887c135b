"""A journal put back to an earlier state, sound in itself: each kind of witness betrays it, to both verifiers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cardd.tokens.strict import base64url, base64url_bytes, json_bytes
from tests.integration.test_journal_survival import namespace_command
from tests.support.core import pki_store
from tests.support.running import BIN, identified, running_cardd
from tests.support.tsa import LocalTsa
from tests.unit.tokens.support import Device

SCRIPTS = Path(__file__).parents[2] / "scripts"
KINDS = ("note", "export", "token", "timestamp")


@dataclass(frozen=True)
class Story:
    """What became of a journal, and what was kept elsewhere.

    Args:
        early: a copy of its directory, from before the witnesses saw it.
        late: as it is now.
        key: the first public key.
        kept: by kind of witness, the file.
        tsa: the timestamp authority's root.
        folder: for what a test makes.
    """

    early: Path
    late: Path
    key: Path
    kept: dict[str, Path]
    tsa: Path
    folder: Path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A cardd that signs; its journal is copied, and after that seen by all."""
    folder = tmp_path_factory.mktemp("witnesses")
    early, late, kept = folder / "early", folder / "late", folder / "kept"
    kept.mkdir()
    with running_cardd() as running, LocalTsa(folder / "tsa").serving() as tsa:
        running.insert()
        bus = running.bus.address

        async def work() -> None:
            async with running.client() as client:
                session = await (await identified(client)).authenticate(pin=bytearray(b"1234"))
                await session.sign("signature", "RS256", bytes(32))
                shutil.copytree(running.folder / "journal", early)
                await session.sign("signature", "RS256", bytes(32))
                (kept / "note").write_text(f"Monday: {await client.journal.head()}\n")
                minted = await session.mint_token(Device().public.spki)
                (kept / "token").write_text(minted.token)

        asyncio.run(work())
        told = cardctl("--bus", bus, "--json", "journal", "timestamp", kept, "--tsa", tsa.url, "--tsa-root", tsa.root)
        assert told.returncode == 0, told.stderr
        exported = cardctl("--bus", bus, "journal", "export", kept / "export", "--proof", kept / "proof")
        assert exported.returncode == 0, exported.stderr
        shutil.copytree(running.folder / "journal", late)
    files = {"timestamp": Path(json.loads(told.stdout)["file"]), "export": kept / "proof"}
    files |= {name: kept / name for name in ("note", "token")}
    return Story(early, late, late / "first-key.pub", files, tsa.root, folder)


def cardctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = [str(BIN / "cardctl"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def run(*command: str | Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, check=check)


def by_cardctl(story: Story, folder: Path, *witnesses: Path) -> subprocess.CompletedProcess[str]:
    """Our own verifier."""
    root = ("--root", pki_store().root_certificate(), "--tsa-root", story.tsa)
    seen = [part for one in witnesses for part in ("--witness", one)]
    return cardctl("--json", "journal", "verify", folder, "--key", story.key, *seen, *root)


def alone(story: Story, folder: Path, *witnesses: Path) -> subprocess.CompletedProcess[str]:
    """The two stand-alone programs, one after the other."""
    noted = [one for one in witnesses if one.name == "note"]
    others = [one for one in witnesses if one.name != "note"]
    root = pem(pki_store().root_certificate(), story.folder / "root.pem")
    if others:
        told = run(sys.executable, SCRIPTS / "journal-witness", "--tsa-root", story.tsa, "--root", root, *others)
        assert told.returncode == 0, told.stderr
        noted.append(story.folder / "heads")
        noted[-1].write_text(told.stdout)
    arguments = [part for one in noted for part in ("--witness", one)]
    return run(sys.executable, SCRIPTS / "journal-verify", "--json", "--key", story.key, *arguments, folder)


def pem(certificate: Path, target: Path) -> Path:
    form = "PEM" if certificate.read_bytes().startswith(b"-----") else "DER"
    run("openssl", "x509", "-in", certificate, "-inform", form, "-out", target, check=True)
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_witness_confirms_the_journal_as_it_is(story: Story, kind: str) -> None:
    found = by_cardctl(story, story.late, story.kept[kind])
    assert found.returncode == 0, found.stdout + found.stderr
    document = json.loads(found.stdout)
    assert [one["kind"] for one in document["witnesses"]] == [kind]
    line = int(document["witnesses"][0]["last"].split(":")[1])
    assert document["report"]["witnessed"] == line > 0
    other = alone(story, story.late, story.kept[kind])
    assert other.returncode == 0, other.stdout + other.stderr
    assert json.loads(other.stdout)["witnessed"] == line


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_put_back_is_betrayed(story: Story, kind: str) -> None:
    for found in (by_cardctl(story, story.early, story.kept[kind]), alone(story, story.early, story.kept[kind])):
        assert found.returncode == 1, found.stdout + found.stderr
        document = json.loads(found.stdout)
        problems = document.get("report", document)["problems"]
        assert [one["fault"] for one in problems] == ["rolled-back"]


def test_without_a_witness_it_is_said_that_nobody_can_know(story: Story) -> None:
    for found in (by_cardctl(story, story.early), alone(story, story.early)):
        assert found.returncode == 0, found.stdout + found.stderr
        document = json.loads(found.stdout)
        notices = document.get("report", document)["notices"]
        assert any("put back to an earlier state cannot be known" in one for one in notices)


def test_the_timestamp_is_one_for_openssl_too(story: Story) -> None:
    response = story.kept["timestamp"]
    told = run(
        "openssl",
        "ts",
        "-verify",
        "-in",
        response,
        "-data",
        response.with_suffix(".head"),
        "-CAfile",
        story.tsa,
        check=True,
    )
    assert "Verification: OK" in told.stdout


def forged(story: Story, kind: str, where: Path) -> Path:
    """A witness that says that it saw a line more, its signature as it was."""
    source = story.kept[kind]
    target = Path(shutil.copy(source, where))
    if kind == "timestamp":
        head = source.with_suffix(".head").read_text()
        target.with_suffix(".head").write_text(a_line_more(head))
    else:
        header, payload, signature = source.read_text().split(".")
        claims = json.loads(base64url_bytes(payload))
        claims["journal_head"] = a_line_more(claims["journal_head"])
        target.write_text(f"{header}.{base64url(json_bytes(claims))}.{signature}")
    return target


def a_line_more(head: str) -> str:
    journal, line, digest = head.split(":")
    return f"{journal}:{int(line) + 1}:{digest}"


@pytest.mark.parametrize(
    ("kind", "code", "error"), [("token", 10, "TokenAltered"), ("timestamp", 1, "TimestampRefused")]
)
def test_a_forged_witness_is_refused(story: Story, kind: str, code: int, error: str, tmp_path: Path) -> None:
    file = forged(story, kind, tmp_path)
    found = by_cardctl(story, story.late, file)
    assert found.returncode == code, found.stdout
    assert error in found.stdout
    root = pem(pki_store().root_certificate(), tmp_path / "root.pem")
    told = run(sys.executable, SCRIPTS / "journal-witness", "--tsa-root", story.tsa, "--root", root, file)
    assert (told.returncode, told.stdout) == (2, ""), told.stderr


@pytest.mark.parametrize("kind", ["token", "timestamp"])
def test_a_witness_of_another_authority_is_refused(story: Story, kind: str, tmp_path: Path) -> None:
    other = LocalTsa(tmp_path / "other", "Other Timestamps").root
    found = cardctl(
        "journal", "verify", story.late, "--witness", story.kept[kind], "--tsa-root", other, "--root", other
    )
    assert found.returncode in (1, 2, 10), found.stdout
    assert "nothing found" not in found.stdout
    told = run(sys.executable, SCRIPTS / "journal-witness", "--tsa-root", other, "--root", other, story.kept[kind])
    assert (told.returncode, told.stdout) == (2, ""), told.stderr


JOURNALD_STORY = """
import asyncio, os, shutil, socket, subprocess, sys, time
from pathlib import Path
from cardd.journal import *
from cardd.journal.mirror import SOCKET, JournaldMirror

folder = Path(sys.argv[1])
for place in ("/run/systemd", "/run/log"):
    os.makedirs(place, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
os.makedirs("/run/systemd/journal")
journald = subprocess.Popen(["/lib/systemd/systemd-journald"], stderr=subprocess.DEVNULL)

def ready():
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.connect(str(SOCKET))
        return True
    except OSError:
        return False

while not ready():
    assert journald.poll() is None, "journald does not run"
    time.sleep(0.02)

async def main():
    journal = Journal(open_directory(folder / "journal"), mirror=JournaldMirror())
    await journal.start()
    forged = str(Head("ab" * 16, 1, "cd" * 32))
    for number in range(20):
        title = "a letter\\nCARDD_HEAD=" + forged
        await journal.record(Event(Kind.SIGNED, what={Detail.NUMBER: number, Detail.DOCUMENT_TITLE: title}))
        if number == 9:
            shutil.copytree(folder / "journal", folder / "early")
    await journal.close()

asyncio.run(main())
subprocess.run(["journalctl", "--sync"], check=True)
(here,) = Path("/run/log/journal").iterdir()
select = ["SYSLOG_IDENTIFIER=cardd-journal"]
export = subprocess.run(["journalctl", "-D", here, "-o", "export", *select], capture_output=True, check=True).stdout
(folder / "here.export").write_bytes(export)
remote = folder / "remote.journal"
subprocess.run(["/lib/systemd/systemd-journal-remote", "-o", remote, "-"], input=export, check=True)
told = subprocess.run(["journalctl", "--file", remote, "-o", "json", *select], capture_output=True, check=True).stdout
(folder / "remote.json").write_bytes(told)
journald.terminate()
journald.wait()
"""


def test_real_journald_and_a_remote_one_are_witnesses(tmp_path: Path) -> None:
    """The stage's journald is the real one; what it holds is sent on as systemd-journal-upload would. In every entry
    a caller has written a head of his own choice, which nobody takes for one."""
    command = namespace_command()
    if command is None or os.geteuid() != 0:
        pytest.skip("a journald of one's own needs root and a mount namespace (unshare)")
    if not Path("/lib/systemd/systemd-journal-remote").exists():
        pytest.skip("systemd-journal-remote is not installed")
    done = subprocess.run(
        [*command, sys.executable, "-c", JOURNALD_STORY, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("here.export", "remote.json"):
        heads = tmp_path / "heads"
        told = run(sys.executable, SCRIPTS / "journal-witness", tmp_path / name, check=True)
        heads.write_text(told.stdout)
        assert len(told.stdout.splitlines()) == 20
        for folder, status, faults in (("journal", 0, []), ("early", 1, ["rolled-back"])):
            ours = cardctl("--json", "journal", "verify", tmp_path / folder, "--witness", tmp_path / name)
            assert ours.returncode == status, ours.stdout + ours.stderr
            document = json.loads(ours.stdout)
            assert [one["fault"] for one in document["report"]["problems"]] == faults
            assert [(one["kind"], one["heads"]) for one in document["witnesses"]] == [("journald", 20)]
            verifier = (SCRIPTS / "journal-verify", "--json", "--witness", heads, tmp_path / folder)
            other = run(sys.executable, *verifier)
            assert other.returncode == status, other.stdout + other.stderr
            assert [one["fault"] for one in json.loads(other.stdout)["problems"]] == faults
        # Read as a text, heads that callers wrote would count: it is refused.
        naive = run(sys.executable, SCRIPTS / "journal-verify", "--witness", tmp_path / name, tmp_path / "journal")
        assert (naive.returncode, "journal-witness" in naive.stderr) == (2, True)
