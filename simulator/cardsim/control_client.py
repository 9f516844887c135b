"""Asks a running simulator by its control socket."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from cardsim.control import ControlSocketError
from cardsim.control_desk import ControlError

if TYPE_CHECKING:
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
    request = {"command": command, **{name: value for name, value in fields.items() if value is not None}}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as incoming:
                line = incoming.readline()
    except OSError as error:
        raise ControlSocketError(
            f"no simulator answers on {path} ({error.strerror or error}): start one with 'cardsim run', or name its "
            "socket by --control"
        ) from error
    return _results(path, line)


def _results(path: Path, line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
        if answer.pop("ok"):
            return dict(answer)
        name, message = str(answer["error"]), str(answer["message"])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ControlSocketError(f"what answers on {path} is no simulator") from error
    raise ControlError(name, message)
