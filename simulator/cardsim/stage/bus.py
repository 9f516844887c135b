"""A dbus-daemon of one's own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from xml.sax.saxutils import escape

from cardsim.stage.errors import StageError

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{type}</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {policy}
  {limits}
</busconfig>
"""

OPEN_POLICY = """<policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>"""


class PrivateBus:
    """Starts a dbus-daemon, and ends it on leaving the context.

    Args:
        policy: XML of the policy, all allowed by default.
        limits: limits by name, as in dbus-daemon(1).
        kind: `system` has the limits of a system bus unless `limits` says otherwise.
    """

    def __init__(
        self, *, policy: str = OPEN_POLICY, limits: dict[str, int] | None = None, kind: str = "system"
    ) -> None:
        self._policy = policy
        self._limits = limits or {}
        self._kind = kind
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def __enter__(self) -> PrivateBus:
        self._directory = tempfile.TemporaryDirectory(prefix="cardd-bus-")
        folder = Path(self._directory.name)
        folder.chmod(0o755)  # other users connect too, where the policy lets them
        limits = "\n  ".join(f'<limit name="{escape(name)}">{value}</limit>' for name, value in self._limits.items())
        config = folder / "bus.conf"
        config.write_text(
            _CONFIG.format(type=escape(self._kind), socket=folder / "socket", policy=self._policy, limits=limits)
        )
        command = [
            "dbus-daemon",
            f"--config-file={config}",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
            "--nosyslog",
        ]
        try:
            self._process, self.address = _start(command, folder / "bus.log")
        except StageError:
            self._directory.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        """Process id of the bus.

        Raises:
            RuntimeError: it has not been started.
        """
        if self._process is None:
            raise RuntimeError("the bus has not been started")
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Freeze it: it neither reads nor answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `stop`."""
        os.kill(self.pid, signal.SIGCONT)


def _start(command: list[str], log: Path) -> tuple[subprocess.Popen[str], str]:
    """Run a dbus-daemon; gives its process and its address.

    Raises:
        StageError: it is not there, or does not start; with what it said.
    """
    with log.open("w") as errors:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603  # ours
        except OSError as error:
            raise StageError(
                f"{command[0]} cannot be run ({error.strerror}): install the Debian package dbus"
            ) from error
    # It closes its output, saying nothing, where it cannot start.
    address = "" if process.stdout is None else process.stdout.readline().strip()
    if not address:
        process.communicate()
        raise StageError(f"dbus-daemon did not start:\n{log.read_text()}")
    return process, address
