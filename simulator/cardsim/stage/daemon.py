"""cardd as a process of its own, on a bus of our own, with a configuration of our own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from cardsim.stage.errors import StageError

READY = "serves org.cardd1"
"""What cardd logs once it owns its name."""
SERVING_RULES = """
[[rule]]
name = "whoever has the stage signs without a question"
action = "sign"
key = "signature"
effect = "allow"
"""
_PKI_FILES = {"blocked": "blocked.toml", "clock-mark": "clock-mark"}
START_SECONDS = 30.0
STOP_SECONDS = 20.0


class CarddProcess:
    """Runs cardd, and stops it on leaving the context.

    Args:
        folder: for its configuration, its log and its memory of cards; exists.
        bus: address of the bus.
        authorities: directory of the simulator's authorities, as `cardsim pki export` writes it; None: none trusted.
        sections: further configuration as TOML text by section name, for instance ``{"cards": 'hold = "insertion"'}``.
        rules: who may do what, as text of a file of rules; the session's own user signs without a question by default.
        environment: added to this process's environment.
        command: how cardd is run, when not from beside this Python.
    """

    def __init__(
        self,
        folder: Path,
        bus: str,
        *,
        authorities: Path | None = None,
        sections: Mapping[str, str] | None = None,
        rules: str = SERVING_RULES,
        environment: Mapping[str, str] | None = None,
        command: list[str] | None = None,
    ) -> None:
        self.config = folder / "cardd.toml"
        self.log_path = folder / "cardd.log"
        self._folder = folder
        self._bus = bus
        self._environment = {**os.environ, **(environment or {})}
        self._command = command or [_program("cardd")]
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.rules = folder / "rules.toml"
        self.rules.write_text(rules)
        self._write_config(authorities, dict(sections or {}))

    def __enter__(self) -> CarddProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the running daemon.

        Raises:
            StageError: it does not run.
        """
        if self._process is None or self._process.poll() is not None:
            raise StageError(f"cardd does not run:\n{self.log()[-2000:]}")
        return self._process.pid

    def start(self) -> None:
        """Run it, and wait until it serves.

        Raises:
            StageError: it ended, or does not serve in time.
        """
        self._ready.clear()
        self._process = subprocess.Popen(  # noqa: S603  # our own arguments
            [*self._command, "--config", str(self.config), "--bus", self._bus],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        reader = threading.Thread(target=self._collect, args=(self._process,), daemon=True)
        reader.start()
        if not self._ready.wait(START_SECONDS) or self._process.poll() is not None:
            self.stop()
            raise StageError(f"cardd did not start:\n{self.log()[-2000:]}")

    def stop(self) -> int | None:
        """Stop it in order; gives its exit status, None where it did not run."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise StageError(f"cardd did not stop:\n{self.log()[-2000:]}") from None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self, timeout: float) -> int:
        """Wait until it ends by itself; gives its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self._process is None:
            raise StageError("cardd does not run")
        return self._process.wait(timeout)

    def log(self) -> str:
        """What it has logged so far."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def _collect(self, process: subprocess.Popen[str]) -> None:
        if process.stderr is None:
            return
        with process.stderr as lines, self.log_path.open("a") as log:
            for line in lines:
                log.write(line)
                log.flush()
                if READY in line:
                    self._ready.set()
        self._ready.set()  # it ended: whoever waits looks

    def _write_config(self, authorities: Path | None, sections: dict[str, str]) -> None:
        trust = self._folder / "trust"
        trust.mkdir(exist_ok=True)
        pki = [f'directory = "{trust}"', *([] if authorities is None else [f'simulator = "{authorities}"'])]
        pki += [f'{key} = "{self._folder / file}"' for key, file in _PKI_FILES.items()]
        # The CRLs lie beside the simulator's authorities.
        revocation = f'index = "{self._folder / "revocation"}"\nfetched = ""'
        sections["revocation"] = "\n".join([revocation, sections.get("revocation", "")])
        memory = f'memory = "{self._folder / "cards"}"'
        journal = f'directory = "{self._folder / "journal"}"\njournald = false\ntold = "{self._folder / "told"}"'
        # No polkitd runs on a bus of our own.
        access = f'rules = ["{self.rules}"]\nwithout-polkit = "same-user"'
        sections["access"] = sections.get("access", access)
        sections["journal"] = "\n".join([journal, sections.get("journal", "")])
        tokens = f'registry = "{self._folder / "tokens.sqlite"}"\nkey = "{self._folder / "token-key.pem"}"'
        sections["tokens"] = "\n".join([tokens, sections.get("tokens", "")])
        sections["pki"] = "\n".join([*pki, sections.get("pki", "")])
        sections["cards"] = "\n".join([memory, sections.get("cards", "")])
        self.config.write_text("".join(f"[{name}]\n{text}\n" for name, text in sections.items()))


def _program(name: str) -> str:
    """A command that was installed beside this Python, else one of the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name
