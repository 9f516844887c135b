"""The stage: a private bus, pcscd with a virtual reader (or the simulator's own), a simulated card, and cardd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardsim import profiles
from cardsim.stage import CarddProcess, Conversation, PrivateBus, StageError
from cardsim.stage.daemon import SERVING_RULES

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 60.0
# The demo's programs may all run in one unit, and would then count as one application: hence own-agent.
ASKING = """
[[rule]]
name = "prescriptions are the holder's to allow, one by one"
action = "sign"
key = "signature"
document-kind = "prescription"
effect = "ask"
own-agent = true
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    status: int
    output: bytes
    errors: str

    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.output)


@dataclass(slots=True)
class Stage:
    """All that runs, and how to act on it.

    Args:
        folder: for everything that the story writes.
        in_process: without pcscd, by wish; `why_in_process` says why otherwise.
    """

    folder: Path
    in_process: bool = False
    why_in_process: str = ""
    _running: ExitStack = field(default_factory=ExitStack)
    _environment: dict[str, str] = field(default_factory=dict)
    _bus: PrivateBus | None = None
    _cardd: CarddProcess | None = None

    @property
    def bus(self) -> str:
        """Address of the private bus."""
        if self._bus is None:
            raise StageError("the stage has not been set")
        return self._bus.address

    @property
    def cardd(self) -> CarddProcess:
        """The daemon."""
        if self._cardd is None:
            raise StageError("the stage has not been set")
        return self._cardd

    @property
    def control(self) -> Path:
        """The simulator's control socket."""
        return self.folder / "control"

    @property
    def environment(self) -> dict[str, str]:
        """For programs that use PC/SC on this stage."""
        return {**os.environ, "LC_ALL": "C.UTF-8", **self._environment}

    def set(self) -> None:
        """Start the bus, the readers and cardd; no card is in yet."""
        self._bus = self._running.enter_context(PrivateBus())
        home = self.folder / "simulator"
        self.cardsim("pki", "export", str(self.folder / "authorities"), "--home", str(home))
        if not self.in_process:
            self.why_in_process = self._start_pcscd()
            self.in_process = bool(self.why_in_process)
        sections = {}
        if self.in_process:
            sections["readers"] = (
                'backend = "cardsim"\n'
                f'options = {{ control = "{self.control}", home = "{home}", inserted = "no", profile = "physician" }}'
            )
        self._cardd = self._running.enter_context(
            CarddProcess(
                self.folder,
                self.bus,
                authorities=self.folder / "authorities",
                sections=sections,
                rules=ASKING + SERVING_RULES,
                environment=self._environment,
            )
        )

    def close(self) -> None:
        """Stop everything."""
        self._running.close()

    def insert(self) -> str:
        """Put the card in; gives what `cardsim` printed about it: holder, PIN, PUK."""
        if self.in_process:
            self.cardsim("insert", "--control", str(self.control))
            profile = profiles.load("physician")
            return f"holder: {profile.holder.display_name}\nPIN: {profile.card.pin}\n"
        card = subprocess.Popen(
            [
                BIN / "cardsim",
                "run",
                "--vpcd",
                f"127.0.0.1:{self._port}",
                "--control",
                self.control,
                "--home",
                self.folder / "simulator",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self._running.callback(_end, card)
        printed: list[str] = []
        for line in card.stdout or ():
            if line.strip() == "ready":
                return "".join(printed)
            printed.append(line)
        raise StageError("cardsim ended before the card was in")

    def cardsim(self, *arguments: str) -> Outcome:
        """Run the simulator's command; it must succeed."""
        outcome = self.run([str(BIN / "cardsim"), *arguments])
        if outcome.status:
            raise StageError(f"cardsim {' '.join(arguments)}: {outcome.errors}")
        return outcome

    def cardctl(self, *arguments: str, stdin: bytes = b"", pass_fds: tuple[int, ...] = ()) -> Outcome:
        """Run cardctl on the private bus."""
        return self.run([str(BIN / "cardctl"), "--bus", self.bus, *arguments], stdin=stdin, pass_fds=pass_fds)

    def converse(self, *arguments: str) -> Conversation:
        """Run cardctl on a terminal of its own, until the story ends."""
        conversation = Conversation([str(BIN / "cardctl"), "--bus", self.bus, *arguments], self.environment)
        self._running.callback(conversation.close)
        return conversation

    def run(
        self,
        command: list[str],
        *,
        stdin: bytes = b"",
        pass_fds: tuple[int, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> Outcome:
        """Run a program of this stage, with more in its environment."""
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            env={**self.environment, **(environment or {})},
            pass_fds=pass_fds,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def _start_pcscd(self) -> str:
        """Start a private pcscd; gives the reason where that cannot be."""
        if shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            return "pcscd is not installed"
        self._port = _free_port()
        path = self.folder / "pcscd" / "pcscd.comm"
        log = (self.folder / "pcscd.log").open("w")
        pcscd = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "private-pcscd", "--port", str(self._port), "--socket", path],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        self._running.callback(_end, pcscd)
        if (pcscd.stdout.readline() if pcscd.stdout else "").strip() != "ready":
            pcscd.wait()
            lines = (self.folder / "pcscd.log").read_text().splitlines()
            return lines[-1] if lines else "pcscd did not start"
        self._environment["PCSCLITE_CSOCK_NAME"] = str(path)
        return ""

    _port: int = 0


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _free_port() -> int:
    """Two ports in a row that nothing listens on: a vpcd reader listens on its port and may take the next."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
