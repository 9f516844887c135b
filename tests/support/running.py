"""A whole cardd as a process on a private bus, with the simulator's reader inside it or a private pcscd beside it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardd.client import Card, CarddClient, Session
from cardsim.pki import export
from cardsim.stage import CarddProcess, PrivateBus, Stage
from cardsim.stage.bus import OPEN_POLICY
from cardsim.stage.daemon import SERVING_RULES
from tests.support.core import PATIENCE, pki_store

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Running:
    """What runs, and how to act on it."""

    stage: Stage

    @property
    def folder(self) -> Path:
        """Where cardd keeps everything."""
        return self.stage.folder

    @property
    def bus(self) -> PrivateBus:
        """The bus."""
        return self.stage.bus

    @property
    def cardd(self) -> CarddProcess:
        """The daemon."""
        return self.stage.daemon

    @property
    def control(self) -> Path:
        """The simulator's control socket."""
        return self.stage.control

    def cardsim(self, *arguments: str) -> str:
        """Run `cardsim` against this reader; it must succeed."""
        command = [str(BIN / "cardsim"), *arguments, "--control", str(self.control)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def insert(self, profile: str = "physician") -> None:
        """Put a card in."""
        self.stage.insert(profile)

    def remove(self) -> None:
        """Take it out."""
        self.stage.remove()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[CarddClient]:
        """A client on this bus."""
        async with await CarddClient.connect(self.bus.address) as client:
            yield client


@contextmanager
def running_cardd(
    *,
    sections: dict[str, str] | None = None,
    policy: str | None = None,
    rules: str = SERVING_RULES,
    pin_pad: bool = False,
) -> Iterator[Running]:
    """A cardd without pcscd, its reader empty, with a PIN pad where that is wanted."""
    with tempfile.TemporaryDirectory(prefix="cardd-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = pki_store().directory
        pki_store().root_certificate()  # its small keys are made before the stage would make large ones
        with Stage(
            folder, home, policy=policy or OPEN_POLICY, sections=sections, rules=rules, pin_pad=pin_pad
        ) as stage:
            yield Running(stage)


def authorities(folder: Path) -> Path:
    """The fictional authorities, as `cardsim pki export` writes them."""
    target = folder / "authorities"
    export(pki_store(), target)
    return target


@asynccontextmanager
async def open_session(running: Running) -> AsyncIterator[Session]:
    """The physician's session, in a reader that was empty and is emptied again."""
    async with running.client() as client:
        await emptied(client)
        running.insert()
        try:
            yield await (await identified(client)).authenticate(pin=bytearray(b"1234"))
        finally:
            running.remove()


async def identified(client: CarddClient) -> Card:
    """The card that is in, once cardd knows it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for card in await client.cards():
                if card.state not in ("present", ""):
                    return card
            await asyncio.sleep(0.02)


async def emptied(client: CarddClient) -> None:
    """Wait until no card is in."""
    async with asyncio.timeout(PATIENCE):
        while await client.cards():
            await asyncio.sleep(0.02)
