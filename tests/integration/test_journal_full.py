"""A disk that fills up under a running cardd: nothing is served, sessions end, and it goes on by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_journal_survival import namespace_command

ROOT = Path(__file__).parents[2]

STORY = """
import asyncio, json, os, subprocess, sys
from contextlib import aclosing
from pathlib import Path
from cardd.client import CarddClient, JournalQuery, events
from cardd.errors import JournalUnavailable
from cardd.journal.files import DirectoryFiles
from cardd.journal.verify import verify
from cardd.sessions.journal_warning import warning_of
from cardd.journal import Trouble
from cardsim.stage import Stage
from tests.support.core import PATIENCE, pki_store
from tests.support.running import Running, emptied, identified

PIN, DIGEST = b"1234", bytes(32)
FULL = warning_of(Trouble.FULL)

async def warned(client, wanted):
    async with asyncio.timeout(PATIENCE), aclosing(client.watch()) as happening:
        async for event in happening:
            match event:
                case events.ServiceStarted(service) | events.ServiceChanged(service):
                    if (FULL in service.warnings) is wanted:
                        return

async def refused(work):
    try:
        await work
    except JournalUnavailable as error:
        return error.fields["reason"]
    return None

def fill(journal):
    # What the segment has as room is given back, so that the next entry needs a page that nobody has.
    (segment,) = journal.glob("journal-*.jsonl")
    os.truncate(segment, len(segment.read_bytes().rstrip(bytes(1))))
    with (journal / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return

async def story(running, journal):
    running.insert()
    async with running.client() as client:
        session = await (await identified(client)).authenticate(pin=bytearray(PIN))
        await session.sign("signature", "RS256", DIGEST)
        await warned(client, False)
        watching = asyncio.ensure_future(warned(client, True))
        fill(journal)
        # The last page of the segment may have room for some.
        for _ in range(100):
            reason = await refused(session.sign("signature", "RS256", DIGEST))
            if reason:
                break
        assert reason == "full", reason
        await watching
        assert await refused(client.journal.verify()) == "full"
        assert (await client.service()).warnings, "what needs no journal is still told"
        running.remove()
        async with asyncio.timeout(PATIENCE):
            assert await session.wait_ended() == "card-removed"
        await emptied(client)
        running.insert()
        assert await refused((await identified(client)).authenticate(pin=bytearray(PIN))) == "full"
        watching = asyncio.ensure_future(warned(client, False))
        (journal / "ballast").unlink()
        session = await (await identified(client)).authenticate(pin=bytearray(PIN))
        await session.sign("signature", "RS256", DIGEST)
        await watching
        report = await client.journal.verify()
        assert report.sound, report.problems
        async with aclosing(client.journal.query(JournalQuery(kinds=["session-ended"]))) as lines:
            ends = [json.loads(line) async for line in lines]
        assert [one["what"]["reason"] for one in ends] == ["card-removed"], ends

def main(folder):
    journal = folder / "journal"
    journal.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(journal)], check=True)
    pki_store().root_certificate()
    with Stage(folder, pki_store().directory) as stage:
        asyncio.run(story(Running(stage), journal))
        assert stage.daemon.stop() == 0
    files = DirectoryFiles(journal)
    report = verify(files)
    assert report.sound, report.problems
    print("told", report.entries)

main(Path(sys.argv[1]))
"""


def test_a_full_disk_stops_service_ends_sessions_and_is_forgotten_when_there_is_room(tmp_path: Path) -> None:
    command = namespace_command()
    if command is None:
        pytest.skip("no mount namespace can be had here (unshare)")
    done = subprocess.run(
        [*command, sys.executable, "-c", STORY, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("told ")
