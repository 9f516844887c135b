"""One booted machine: a throw-away copy of the image, in namespaces of its own, until the block is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from scripts.system_test.image import REPOSITORY
from scripts.system_test.nspawn import nspawn

CLONE: Final = str(REPOSITORY)
"""Where the clone is seen in the machine, read only: at its own path, which its virtual environment names."""
WHEELS: Final = "/usr/src/wheels"
_BOOT_SECONDS: Final = 90.0
_HALT_SECONDS: Final = 30.0
_LOG_LINES: Final = 30


class MachineError(Exception):
    """The machine did not do what it should; the text says what."""


class Machine:
    """A booted machine.

    Args:
        image: root directory of a Debian; it stays as it is, what the machine writes is in memory.
        wheels: Python packages, seen at `WHEELS`.
    """

    def __init__(self, image: Path, wheels: Path) -> None:
        self._command = nspawn(
            f"--directory={image}",
            "--machine=cardd-system-test",
            "--volatile=overlay",
            f"--bind-ro={wheels}:{WHEELS}",
            f"--bind-ro={CLONE}",
            "--notify-ready=yes",
            "--console=read-only",
            "--boot",
        )
        self._leader = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(f"{folder}/notify")
            notices.settimeout(_BOOT_SECONDS)
            environment = {**os.environ, "NOTIFY_SOCKET": f"{folder}/notify"}
            self._process = subprocess.Popen(
                self._command, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
            )
            try:
                self._await_boot(notices)
            except BaseException:
                self._stop()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()
        self._log.close()

    def run(self, *command: str, terminal: bool = False) -> int:
        """Run a command in the machine as a unit of its own, its output here.

        Args:
            command: by its path or name there.
            terminal: with this terminal, for a person.

        Returns:
            Its exit code.
        """
        where = "--pty" if terminal else "--pipe"
        inside = ["systemd-run", "--quiet", "--collect", "--wait", "--service-type=exec", where, "--", *command]
        standard_input = None if terminal else subprocess.DEVNULL
        entered = ["nsenter", f"--target={self._leader}", "--all", "--", *inside]
        return subprocess.run(entered, check=False, stdin=standard_input).returncode

    def check(self, *command: str) -> None:
        """Run a command that must succeed.

        Raises:
            MachineError: it did not.
        """
        status = self.run(*command)
        if status != 0:
            raise MachineError(f"in the machine this ended with {status}: {' '.join(command)}")

    def _await_boot(self, notices: socket.socket) -> None:
        """Wait for what nspawn (the leader's process id) and the machine's init ("ready") tell, see sd_notify(3)."""
        try:
            while True:
                for line in notices.recv(4096).decode().splitlines():
                    name, _, value = line.partition("=")
                    if name == "X_NSPAWN_LEADER_PID":
                        self._leader = int(value)
                    if line == "READY=1" and self._leader:
                        return
        except TimeoutError:
            raise MachineError(
                f"it did not boot within {_BOOT_SECONDS:g} s. Its last words:\n{self._words()}"
            ) from None

    def _words(self) -> str:
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-_LOG_LINES:])

    def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        # To nspawn: shut the machine down.
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_HALT_SECONDS)
        except subprocess.TimeoutExpired:
            # With it goes its init (its parent-death signal), and with that everything inside.
            process.kill()
            process.wait()
