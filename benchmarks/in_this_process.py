"""The daemon in this process, on the simulator's in-process readers, so that moments are known exactly; the clients are
another process.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.as_the_daemon import as_the_daemon
from cardd.config import parse
from cardd.daemon import Daemon
from cardd.readers.stack import PcscStack
from cardsim.card import CardProtocol, SimulatedCard
from cardsim.stage import PrivateBus
from cardsim.stage.daemon import SERVING_RULES
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.support.core import READER
from tests.support.running import authorities


@dataclass(slots=True)
class Bench:
    """What a story has at hand.

    Args:
        readers: at least one, all empty.
        daemon: runs on the main thread.
        bus: address.
    """

    readers: list[InProcessReader]
    daemon: Daemon
    bus: str

    @property
    def reader(self) -> InProcessReader:
        """The first one."""
        return self.readers[0]


class Clients:
    """The other process (`benchmarks.clients`).

    Args:
        bus: address.
        connections: how many clients there are in it.
    """

    def __init__(self, bus: str, connections: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.clients", bus, str(connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Clients:
        self.expect("ready")
        return self

    def __exit__(self, *exception: object) -> None:
        self.tell("quit")
        self._process.wait(20)

    def tell(self, command: str) -> None:
        """Give it a command."""
        if self._process.stdin is None:
            raise RuntimeError("no way to speak to the clients")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def line(self) -> str:
        """What it says next."""
        if self._process.stdout is None:
            raise RuntimeError("no way to hear the clients")
        return self._process.stdout.readline().strip()

    def expect(self, word: str) -> None:
        """Wait for a word."""
        if (line := self.line()) != word:
            raise RuntimeError(f"the clients said {line!r} instead of {word!r}")


class Paced:
    """A simulated card whose signatures take their time, as on a real card, without the daemon's Python lock.

    Args:
        card: the card.
        seconds: of each PSO: COMPUTE DIGITAL SIGNATURE.
    """

    def __init__(self, card: SimulatedCard, seconds: float) -> None:
        self.busy: list[tuple[float, float]] = []
        """Beginning and end of each reset and command, monotonic seconds."""
        self._card = card
        self._seconds = seconds

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self._card.atr

    @property
    def protocol(self) -> CardProtocol:
        """The card's."""
        return self._card.protocol

    def power_on(self) -> bytes:
        """The card's."""
        begun = time.monotonic()
        answer = self._card.power_on()
        self.busy.append((begun, time.monotonic()))
        return answer

    def power_off(self) -> None:
        """The card's."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """The card's answer, later."""
        begun = time.monotonic()
        if command[1:3] == b"\x2a\x9e":
            time.sleep(self._seconds)
        answer = self._card.transmit(command)
        self.busy.append((begun, time.monotonic()))
        return answer


def with_daemon(story: Callable[[Bench], None], readers: int = 1) -> None:
    """Run a daemon on the main thread, and a story on another.

    Args:
        story: gets the bench; what it raises is raised here.
        readers: how many there are.
    """
    with tempfile.TemporaryDirectory() as name, PrivateBus() as bus:
        folder = Path(name)
        config, rules = folder / "cardd.toml", folder / "rules.toml"
        rules.write_text(SERVING_RULES)
        config.write_text(
            f'[journal]\ndirectory = "{folder}/journal"\njournald = false\n'
            f'[access]\nrules = ["{rules}"]\nwithout-polkit = "same-user"\n'
            f'[tokens]\nregistry = "{folder}/tokens.sqlite"\nkey = "{folder}/token-key.pem"\n'
            f'[cards]\nmemory = "{folder}/cards"\n'
            f'[pki]\ndirectory = "{authorities(folder)}"\nsimulator = "{authorities(folder)}"\n'
            f'blocked = "{folder}/blocked.toml"\nclock-mark = "{folder}/clock-mark"\n'
            f'[revocation]\nindex = "{folder}/revocation"\nfetched = ""\n'
        )
        pcsc = InProcessPcsc()
        slots = [pcsc.add_reader(READER if not number else f"{READER} {number}") for number in range(readers)]
        daemon = Daemon(config, parse(config.read_text()), bus.address, PcscStack(pcsc))
        failures: list[BaseException] = []

        async def both() -> None:
            loop = asyncio.get_running_loop()
            running = asyncio.create_task(daemon.run())
            telling = threading.Thread(target=_tell, args=(story, Bench(slots, daemon, bus.address), failures))
            telling.start()
            await loop.run_in_executor(None, telling.join)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        with as_the_daemon():
            asyncio.run(both())
        if failures:
            raise failures[0]


def _tell(story: Callable[[Bench], None], bench: Bench, failures: list[BaseException]) -> None:
    try:
        story(bench)
    except BaseException as error:  # handed to the main thread, whole
        failures.append(error)
