"""Asks a running simulator by its control socket."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from cardsim.control import ControlSocketError
from cardsim.control_desk import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Making a fictional PKI on first use takes seconds.
_ANSWER_SECONDS = 120.0


def ask(path: Path, command: str, **fields: str | None) -> dict[str, Any]:
    """Send one request and return its results.

    Args:
        path: of the control socket.
        command: see ``cardsim.control_desk``.
        fields: the command's keys; those that are None are left out.

    Raises: ``ControlSocketError`` when no simulator answers; ``ControlError`` when it refuses.
    """
    with _connected(path) as connection:
        _send(connection, command, fields)
        with connection.makefile("rb") as incoming:
            line = incoming.readline()
    return _results(path, line)


def follow(path: Path, reader: str | None = None) -> Iterator[str]:
    """Give a reader's exchanges as they come, a line of a transcript each, until the simulator ends.

    Args:
        path: of the control socket.
        reader: which; None: the first.

    Raises: as ``ask``.
    """
    with _connected(path) as connection:
        _send(connection, "trace", {"reader": reader})
        with connection.makefile("rb") as incoming:
            _results(path, incoming.readline())
            connection.settimeout(None)
            for line in incoming:
                yield line.decode()


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            yield connection
    except OSError as error:
        raise ControlSocketError(
            f"no simulator answers on {path} ({error.strerror or error}): start one with 'cardsim run', or name its "
            "socket by --control"
        ) from error


def _send(connection: socket.socket, command: str, fields: dict[str, str | None]) -> None:
    request = {"command": command, **{name: value for name, value in fields.items() if value is not None}}
    connection.sendall(json.dumps(request).encode() + b"\n")


def _results(path: Path, line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
        if answer.pop("ok"):
            return dict(answer)
        name, message = str(answer["error"]), str(answer["message"])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ControlSocketError(f"what answers on {path} is no simulator") from error
    raise ControlError(name, message)
