"""What the daemon's process costs: memory, start, wake-ups. On the real pcscd where it can run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scripts.demo_story.stage import Stage

from benchmarks.figure import Figure
from benchmarks.load import distinct_cards
from cardd.client import Card, CarddClient
from cardd.client.events import CardChanged, CardInserted, CardRemoved, Event
from cardsim.pki import export
from cardsim.stage import CarddProcess, PrivateBus
from cardsim.stage import Stage as SimulatorStage
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import pki_store
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

STARTS = 7
IDLE_SECONDS = 60.0
TIMERS_SECONDS = 65.0
"""After the last client has left: the journal sums its connections up once a minute."""
READERS = 8
INSERTIONS = 10_000
WARM_UP = 1_000
SESSION_EVERY = 10


def measure() -> list[Figure]:
    """Every figure of this file."""
    with tempfile.TemporaryDirectory() as folder:
        # As an installed daemon starts: from compiled modules, which a development environment may not keep.
        os.environ.update(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(Path(folder, "compiled")))
        return [*lone_card(), *idle_readers(), *growth()]


def lone_card() -> list[Figure]:
    """Start, memory and wake-ups with a card in and a session open."""
    with _folder() as folder, contextlib.closing(Stage(folder)) as stage:
        stage.set()
        where = "the simulator's reader" if stage.in_process else "pcscd"
        starts = [_start(stage) for _ in range(STARTS)]
        stage.insert()
        asyncio.run(_use(stage))
        memory = _resident(stage.cardd.pid)
        wake_ups = _idle(stage.cardd.pid)
        asyncio.run(_use_tokens(stage))
        with_tokens = _resident(stage.cardd.pid)
    idle = f"in {IDLE_SECONDS:.0f} s"
    return [
        Figure("daemon/start", statistics.median(starts), "ms", "floor", 300, f"to serving; on {where}"),
        Figure("daemon/rss", memory, "MB", "floor", 45, f"a session open, 200 signatures done; on {where}"),
        Figure("daemon/rss/tokens", with_tokens, "MB", "floor", 45, f"the same, and a token minted; on {where}"),
        Figure("daemon/idle-wakeups", wake_ups, idle, "goal", 0, f"card in, session open; on {where}"),
    ]


def idle_readers() -> list[Figure]:
    """Wake-ups with eight readers on pcscd, a card in each; nothing where pcscd cannot run."""
    store = pki_store()
    try:
        with _folder() as folder, PrivateBus() as bus, PrivatePcscd(READERS) as pcscd, contextlib.ExitStack() as cards:
            export(store, folder / "authorities")
            for port, card in zip(pcscd.ports, distinct_cards(READERS), strict=True):
                reader = VpcdReader(VpcdAddress(port=port))
                reader.insert(card)
                cards.callback(reader.remove)
            with CarddProcess(folder, bus.address, authorities=folder / "authorities") as cardd:
                asyncio.run(_known(bus.address, READERS))
                wake_ups = _idle(cardd.pid)
    except PcscdUnavailable:
        return []
    note = "a card in each, known, no session; on pcscd"
    return [Figure(f"daemon/idle-wakeups/{READERS}-readers", wake_ups, f"in {IDLE_SECONDS:.0f} s", "goal", 0, note)]


def growth() -> list[Figure]:
    """How much memory thousands of insertions leave behind, in the simulator's reader."""
    pki_store().root_certificate()  # its small keys are made before the stage would make large ones
    with _folder() as folder, SimulatorStage(folder, pki_store().directory) as stage:
        early, late = asyncio.run(_insert_often(stage))
    note = f"{late:.1f} MB after them, {early:.1f} MB after the first {WARM_UP:,}; a session in every tenth"
    return [Figure(f"daemon/growth/{INSERTIONS}-insertions", late - early, "MB", "goal", 1, note)]


async def _insert_often(stage: SimulatorStage) -> tuple[float, float]:
    """Resident memory after the warm-up and in the end, in MB."""
    early = 0.0
    async with await CarddClient.connect(stage.address) as client, aclosing(client.watch()) as happening:
        for number in range(1, INSERTIONS + 1):
            stage.insert()
            card = await _next_card(happening)
            if number % SESSION_EVERY == 0:
                session = await card.authenticate(pin=bytearray(b"1234"))
                await session.sign("signature", "RS256", bytes(32))
            stage.remove()
            async for event in happening:
                if isinstance(event, CardRemoved):
                    break
            if number == WARM_UP:
                early = _resident(stage.daemon.pid)
    return early, _resident(stage.daemon.pid)


async def _next_card(happening: AsyncGenerator[Event, None]) -> Card:
    """The next one that is known."""
    async for event in happening:
        if isinstance(event, CardInserted | CardChanged) and event.card.identified:
            return event.card
    raise RuntimeError("nothing more happens")


async def _known(bus: str, count: int) -> None:
    """Wait until so many cards are known."""
    async with await CarddClient.connect(bus) as client:
        while len([card for card in await client.cards() if card.identified]) < count:
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cardd-bench-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _idle(pid: int) -> int:
    """Wake-ups of a process while nobody asks anything of it, and none of its timers is due for what went before."""
    time.sleep(TIMERS_SECONDS)
    before = _wake_ups(pid)
    time.sleep(IDLE_SECONDS)
    return _wake_ups(pid) - before


async def _use_tokens(stage: Stage) -> None:
    """Mint a token in the session that is open."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    async with await CarddClient.connect(stage.bus) as client:
        session = await (await client.cards())[0].authenticate()
        await session.mint_token(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


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
