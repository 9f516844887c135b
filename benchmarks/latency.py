"""How soon a removal counts and is told, and what D-Bus adds to a signature.

The daemon runs in this process, on the simulator's in-process reader, so that the moment of removal is known exactly;
the clients are another process.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.as_the_daemon import as_the_daemon
from benchmarks.driver_time import driver_times
from benchmarks.figure import Figure, percentile
from cardd.config import parse
from cardd.daemon import Daemon
from cardd.readers.stack import PcscStack
from cardsim.card import CardProtocol, SimulatedCard
from cardsim.stage import PrivateBus
from cardsim.stage.daemon import SERVING_RULES
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.support.core import READER, card_of
from tests.support.running import authorities

CONNECTIONS = 20
REMOVALS = 200
SIGNATURE_SECONDS = 0.05
"""A tenth of what a real card's RSA takes."""
SIGNATURES = 1000


@dataclass(slots=True)
class _Bench:
    reader: InProcessReader
    daemon: Daemon
    bus: str

    @contextmanager
    def clients(self, connections: int) -> Iterator[Clients]:
        with Clients(self.bus, connections) as clients:
            yield clients


class Clients:
    """The other process."""

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
        return self._card.power_on()

    def power_off(self) -> None:
        """The card's."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """The card's answer, later."""
        if command[1:3] == b"\x2a\x9e":
            time.sleep(self._seconds)
        return self._card.transmit(command)


def removals() -> list[Figure]:
    """From the event of a removal to the mark, and to `Ended` at the clients."""
    busy = f"{REMOVALS} removals while {CONNECTIONS} connections of one process"
    paced = f"{busy} sign, {SIGNATURE_SECONDS * 1000:.0f} ms each"
    flat_out = f"{busy} keep both processors busy"
    return [
        *_removals("", SIGNATURE_SECONDS, paced),
        *_removals("-flat-out", 0, flat_out),
    ]


def _removals(suffix: str, seconds: float, note: str) -> list[Figure]:
    marked: list[float] = []
    first: list[float] = []
    last: list[float] = []

    def story(bench: _Bench) -> None:
        card = Paced(card_of(), seconds)
        with bench.clients(CONNECTIONS) as clients:
            for _ in range(REMOVALS):
                bench.reader.insert(card)
                clients.tell("sign")
                clients.expect("signing")
                (presence,) = bench.daemon.sessions.presences
                removed = time.monotonic_ns()
                bench.reader.remove()
                ends = json.loads(clients.line())
                ending = presence.card.insertion.mark.ending
                if ending is None:
                    raise RuntimeError("the removal was not marked")
                marked.append((ending.at - removed) / 1e6)
                first.append((ends[0] - removed) / 1e6)
                last.append((max(ends) - removed) / 1e6)

    _with_daemon(story)
    return [
        Figure(f"removal{suffix}/marked/p50", percentile(marked, 0.5), "ms", "floor at p99", 1, note),
        Figure(f"removal{suffix}/marked/p99", percentile(marked, 0.99), "ms", "floor", 1, note),
        Figure(f"removal{suffix}/ended/p50", percentile(first, 0.5), "ms", "floor at p99", 5, note),
        Figure(f"removal{suffix}/ended/p99", percentile(first, 0.99), "ms", "floor", 5, note),
        Figure(
            f"removal{suffix}/ended-everywhere/p99",
            percentile(last, 0.99),
            "ms",
            "floor",
            5,
            "at the last client object",
        ),
    ]


def sign_overhead() -> list[Figure]:
    """What a signature takes at the client beyond what the card's thread takes for it."""
    taken: list[float] = []

    def story(bench: _Bench) -> None:
        bench.reader.insert(card_of())
        with bench.clients(1) as clients:
            clients.tell("time 20")
            clients.line()
            driver.clear()
            clients.tell(f"time {SIGNATURES}")
            taken.extend(json.loads(clients.line()))

    with driver_times() as driver:
        _with_daemon(story)
    overhead = [(all_of_it - own) * 1000 for all_of_it, own in zip(taken, driver[-len(taken) :], strict=True)]
    note = f"{len(overhead)} signatures; the driver's own time was {statistics.median(driver) * 1000:.2f} ms (median)"
    return [
        Figure("dbus/sign-overhead/p50", percentile(overhead, 0.5), "ms", "floor at p99", 3, note),
        Figure("dbus/sign-overhead/p99", percentile(overhead, 0.99), "ms", "floor", 3, note),
    ]


def _with_daemon(story: Callable[[_Bench], None]) -> None:
    """Run a daemon on the main thread, and a story on another."""
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
        )
        pcsc = InProcessPcsc()
        reader = pcsc.add_reader(READER)
        daemon = Daemon(config, parse(config.read_text()), bus.address, PcscStack(pcsc))
        failures: list[BaseException] = []

        async def both() -> None:
            loop = asyncio.get_running_loop()
            running = asyncio.create_task(daemon.run())
            telling = threading.Thread(target=_tell, args=(story, _Bench(reader, daemon, bus.address), failures))
            telling.start()
            await loop.run_in_executor(None, telling.join)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        with as_the_daemon():
            asyncio.run(both())
        if failures:
            raise failures[0]


def _tell(story: Callable[[_Bench], None], bench: _Bench, failures: list[BaseException]) -> None:
    try:
        story(bench)
    except BaseException as error:  # handed to the main thread, whole
        failures.append(error)


def measure() -> list[Figure]:
    """Every figure of this file."""
    return [*removals(), *sign_overhead()]
