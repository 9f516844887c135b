"""What the daemon's process costs: memory, start, wake-ups. On the real pcscd where it can run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from scripts.demo_story.stage import Stage

from benchmarks.figure import Figure
from cardd.client import CarddClient

STARTS = 7
IDLE_SECONDS = 60.0


def measure() -> list[Figure]:
    """Every figure of this file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        # As an installed daemon starts: from compiled modules, which a development environment may not keep.
        os.environ.update(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(Path(folder, "compiled")))
        stage = Stage(Path(folder))
        with contextlib.closing(stage):
            stage.set()
            where = "the simulator's reader" if stage.in_process else "pcscd"
            starts = [_start(stage) for _ in range(STARTS)]
            stage.insert()
            asyncio.run(_use(stage))
            memory = _resident(stage.cardd.pid)
            before = _wake_ups(stage.cardd.pid)
            time.sleep(IDLE_SECONDS)
            wake_ups = _wake_ups(stage.cardd.pid) - before
    return [
        Figure("daemon/start", statistics.median(starts), "ms", "floor", 300, f"to serving; on {where}"),
        Figure("daemon/rss", memory, "MB", "floor", 45, f"a session open, 200 signatures done; on {where}"),
        Figure(
            "daemon/idle-wakeups", wake_ups, f"in {IDLE_SECONDS:.0f} s", "goal", 0, f"card in, session open; on {where}"
        ),
    ]


def _start(stage: Stage) -> float:
    """Milliseconds from running the command to serving."""
    stage.cardd.stop()
    begun = time.monotonic()
    stage.cardd.start()
    return (time.monotonic() - begun) * 1000


async def _use(stage: Stage) -> None:
    """Open a session and sign."""
    async with await CarddClient.connect(stage.bus) as client:
        while not (cards := [card for card in await client.cards() if card.identified]):
            await asyncio.sleep(0.05)
        session = await cards[0].authenticate(pin=bytearray(b"1234"))
        for _ in range(200):
            await session.sign("signature", "RS256", bytes(32))


def _resident(pid: int) -> float:
    """Resident memory in MB (10⁶ bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not tell VmRSS")


def _wake_ups(pid: int) -> int:
    """Times that any of the process's threads went to sleep by itself."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total
