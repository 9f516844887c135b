"""A program with a terminal of its own, and somebody who reads and types there."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Mapping, Sequence

from cardsim.stage.errors import StageError

ANSWER_SECONDS = 30.0
"""How long the program may be silent while something is waited for."""


class Conversation:
    """Runs a program on a new terminal.

    Args:
        command: the program and its arguments.
        environment: of the program; None for this process's.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._user, terminal = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603  # our own arguments
            ["setsid", "--ctty", "--wait", *command],  # noqa: S607  # util-linux, wherever it is
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
        )
        os.close(terminal)
        self.seen = ""
        self._position = 0

    def until(self, text: str) -> str:
        """Read until a text is shown, after those that were waited for before; gives what came up to it.

        Raises:
            StageError: the program is silent for too long, or ends.
        """
        while (found := self.seen.find(text, self._position)) < 0:
            if not self._read():
                raise StageError(f"{text!r} never came:\n{self.seen}")
        begun, self._position = self._position, found + len(text)
        return self.seen[begun : self._position]

    def type(self, text: str) -> None:
        """Type; a line ends with a newline."""
        os.write(self._user, text.encode())

    def end(self) -> int:
        """Read to the end, and give the exit status."""
        while self._read():
            pass
        return self.process.wait(ANSWER_SECONDS)

    def close(self) -> None:
        """End it, whatever state it is in."""
        self.process.kill()
        self.process.wait()
        os.close(self._user)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._user], [], [], ANSWER_SECONDS)
        try:
            data = os.read(self._user, 4096) if ready else b""
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)
