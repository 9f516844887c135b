"""A private pcscd with virtual readers for integration tests.

``scripts/private-pcscd`` does the work; this drives it. libpcsclite reads ``PCSCLITE_CSOCK_NAME`` once a process, at
its first call, so every private pcscd of one test process has the same socket path, and only one runs at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smartcard import scard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "private-pcscd"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_NOTICE_MS = 10_000
# Two ports for each copy of the driver.
_SLOTS_OF_ONE_DRIVER = 2


class PcscdUnavailable(Exception):
    """No private pcscd can run on this machine; the message is the reason, in words for a skipped test."""


def _socket_path() -> Path:
    """Return the one socket path of this process (see the module's text), in a directory made on first use."""
    return Path(tempfile.gettempdir(), f"cardd-test-pcscd-{os.getpid()}", "pcscd.comm")


def free_ports(count: int) -> int:
    """Return the first of ``count`` consecutive TCP ports that nothing listens on now.

    Below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes one meanwhile.
    """
    for first in range(20000 + os.getpid() % 5000, 32768 - count, count):
        with contextlib.ExitStack() as opened:
            try:
                for port in range(first, first + count):
                    probe = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("", port))
            except OSError:
                continue
            return first
    raise PcscdUnavailable(f"no {count} free TCP ports in a row")


class PrivatePcscd:
    """A pcscd of its own with ``readers`` virtual readers; a context manager.

    Parameters:
        readers: how many (rounded up to an even number).
        activated: pcscd is started by its first client, through its socket, as systemd does it.

    Attributes:
        ports: the TCP port of each reader, in the order of ``reader_names``.
        reader_names: what PC/SC calls them.
        socket_path: its client socket, for ``PCSCLITE_CSOCK_NAME``.

    Raises: ``PcscdUnavailable`` on entering where it cannot run.
    """

    def __init__(self, readers: int = 1, *, activated: bool = False) -> None:
        count = readers + readers % _SLOTS_OF_ONE_DRIVER
        first = free_ports(count)
        self.ports = tuple(range(first, first + count))
        devices = ["Virtual PCD", *(f"Virtual PCD {n}" for n in range(2, count // _SLOTS_OF_ONE_DRIVER + 1))]
        self.reader_names = tuple(f"{device} 00 0{slot}" for device in devices for slot in range(2))
        self.socket_path = _socket_path()
        self._options = ["--activated"] if activated else []
        self._log: list[str] = []
        self._log_reader: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._environment_before: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return this process's environment with the variable that leads libpcsclite here."""
        return {**os.environ, "PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def log(self) -> str:
        """Return what pcscd has logged so far, over all its restarts."""
        return "".join(self._log)

    @property
    def pid(self) -> int:
        """Return the process id of pcscd itself.

        Raises: ``RuntimeError`` when it is not running.
        """
        # pcscd ends its number with a newline and a zero byte.
        text = self.socket_path.resolve().with_name("pcscd.pid").read_text(encoding="ascii").strip("\n\0 ")
        if self._process is None:
            raise RuntimeError("the private pcscd is not running")
        return int(text)

    def __enter__(self) -> Self:
        self.start()
        self._environment_before = os.environ.get("PCSCLITE_CSOCK_NAME")
        os.environ["PCSCLITE_CSOCK_NAME"] = str(self.socket_path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._environment_before is None:
            os.environ.pop("PCSCLITE_CSOCK_NAME", None)
        else:
            os.environ["PCSCLITE_CSOCK_NAME"] = self._environment_before
        self.stop()
        shutil.rmtree(self.socket_path.parent, ignore_errors=True)

    def start(self) -> None:
        """Start pcscd and return when clients and cards can connect.

        Raises: ``PcscdUnavailable`` with the script's own words, or with its silence after 20 s.
        """
        self.socket_path.parent.mkdir(mode=0o755, exist_ok=True)
        process = subprocess.Popen(
            [
                *(sys.executable, str(_SCRIPT), "--port", str(self.ports[0])),
                *("--socket", str(self.socket_path), "--readers", str(len(self.ports)), *self._options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._process = process
        from_here = len(self._log)
        self._log_reader = threading.Thread(target=self._read_log, args=(process,), name="pcscd-log", daemon=True)
        self._log_reader.start()
        # A script that hangs must not hang the tests: its end closes the pipe that readline waits on.
        alarm = threading.Timer(_START_SECONDS, process.terminate)
        alarm.start()
        try:
            ready = process.stdout.readline() if process.stdout else ""
        finally:
            alarm.cancel()
        if ready != "ready\n":
            self.stop()
            raise PcscdUnavailable("".join(self._log[from_here:]).strip() or "private-pcscd said nothing")

    def stop(self) -> None:
        """Stop pcscd as a service manager does (SIGTERM); harmless when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._log_reader is not None:
            self._log_reader.join(_STOP_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def crash(self) -> None:
        """Kill pcscd without warning (SIGKILL): sockets break, its files stay."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def restart(self) -> None:
        """Stop pcscd and start it again on the same ports and socket."""
        self.stop()
        self.start()

    def await_empty(self, slot: int = 0) -> None:
        """Return when pcscd has noticed that no card is in a slot; it looks every 0.4 s, and takes a card that comes in
        between for the one before.

        Raises: ``TimeoutError``.
        """
        self._await_state(slot, scard.SCARD_STATE_EMPTY)

    def await_card(self, slot: int = 0) -> None:
        """Return when programs can see the card in a slot.

        Raises: ``TimeoutError``.
        """
        self._await_state(slot, scard.SCARD_STATE_PRESENT)

    def _await_state(self, slot: int, wanted: int) -> None:
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        state = scard.SCARD_STATE_UNAWARE
        try:
            while result == scard.SCARD_S_SUCCESS and not state & wanted:
                names = [(self.reader_names[slot], state)]
                result, [(_, state, _)] = scard.SCardGetStatusChange(context, _NOTICE_MS, names)
        finally:
            scard.SCardReleaseContext(context)
        if result != scard.SCARD_S_SUCCESS:
            raise TimeoutError(f"{self.reader_names[slot]} stays as it was: {scard.SCardGetErrorMessage(result)}")

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside pcscd's namespace, where /run/pcscd is the private one; text mode, output captured.

        Parameters:
            argv: the command.
            options: further arguments of ``subprocess.run``.
        """
        given: dict[str, Any] = {"capture_output": True, "env": self.environment, **options}
        return subprocess.run(self._inside(argv), check=False, text=True, **given)

    def popen(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command inside pcscd's namespace; text mode. The caller ends it."""
        return subprocess.Popen(self._inside(argv), env=env or self.environment, text=True, **options)

    def _inside(self, argv: Sequence[str]) -> list[str]:
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--mount", "--root", *user, "--target", str(self.pid), f"--wd={Path.cwd()}", "--", *argv]

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        if process.stderr is not None:
            self._log.extend(process.stderr)
