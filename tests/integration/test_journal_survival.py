"""The journal on a real file system: killed while it writes, full and freed, read-only and back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cardd.journal.files import DirectoryFiles
from cardd.journal.query import Query, search
from cardd.journal.verify import verify

WRITER = """
import asyncio, sys
from pathlib import Path
from cardd.journal import *
from cardd.journal.store import Limits

async def main(folder, start):
    journal = Journal(open_directory(Path(folder)), Settings(limits=Limits(16384)))
    await journal.start()
    number = start
    async def caller():
        nonlocal number
        while True:
            mine, number = number, number + 1
            await journal.record(Event(Kind.SIGNED, what={Detail.NUMBER: mine}))
            print(mine, flush=True)
    await asyncio.gather(*(caller() for _ in range(10)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_killed_at_any_moment_it_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  # when to kill
    acknowledged: set[int] = set()
    for life in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "journal"), str(life * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        wanted = chance.randint(1, 300)
        for _ in range(wanted):
            acknowledged.add(int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        # What it had printed before it died it had written before that.
        acknowledged.update(int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n"))
        writer.wait()
        writer.stdout.close()
    files = DirectoryFiles(tmp_path / "journal")
    report = verify(files)
    assert report.sound, report.problems
    kept = [int(found.entry.what["number"]) for found in search(files, Query(kinds=frozenset({"signed"})))]
    files.close()
    assert len(kept) == len(set(kept))
    assert acknowledged <= set(kept)


IN_NAMESPACE = """
import asyncio, os, subprocess, sys
from pathlib import Path
from cardd.journal import *
from cardd.journal.files import DirectoryFiles
from cardd.journal.query import Query, search
from cardd.journal.store import Limits
from cardd.journal.verify import verify

disk = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(disk)], check=True)

async def refused(journal, number):
    try:
        await journal.record(Event(Kind.SIGNED, what={Detail.NUMBER: number}))
    except JournalUnavailable as error:
        return error.trouble.value
    return None

async def main():
    mount("-o", "size=256k")
    files = open_directory(disk / "journal")
    mount("-o", "remount,ro")
    journal = Journal(files, Settings(limits=Limits(16384)))
    await journal.start()
    assert await refused(journal, 0) == "read-only"
    mount("-o", "remount,rw")
    assert await refused(journal, 0) is None
    (disk / "ballast").write_bytes(bytes(100_000))
    number, written = 0, [0]
    while True:
        number += 1
        trouble = await refused(journal, number)
        if trouble:
            break
        written.append(number)
    assert trouble == "full", trouble
    for _ in range(3):
        journal.note(Event(Kind.SESSION_ENDED, what={Detail.REASON: "card-removed"}))
    assert await refused(journal, 1_000_000) == "full"
    (disk / "ballast").unlink()
    assert await refused(journal, 2_000_000) is None
    written.append(2_000_000)
    await journal.close()
    files = DirectoryFiles(disk / "journal")
    report = verify(files)
    assert report.sound, report.problems
    kept = [found.entry.what["number"] for found in search(files, Query(kinds=frozenset({"signed"})))]
    assert kept == written, (kept[-3:], written[-3:])
    ends = list(search(files, Query(kinds=frozenset({"session-ended"}))))
    assert len(ends) == 3, ends
    print("told", len(written))

asyncio.run(main())
"""


def namespace_command() -> list[str] | None:
    """How to get a mount namespace of one's own; None where the kernel allows none."""
    flags = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    command = ["unshare", *flags]
    tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return command if tried.returncode == 0 else None


def test_a_read_only_and_a_full_file_system_stop_service_and_it_goes_on_by_itself(tmp_path: Path) -> None:
    command = namespace_command()
    if command is None:
        pytest.skip("no mount namespace can be had here (unshare)")
    result = subprocess.run(
        [*command, sys.executable, "-c", IN_NAMESPACE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("told ")
