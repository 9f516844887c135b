"""Asking the helper which program a process runs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path

from cardd.access.exe_protocol import PACKET_MAX, SECONDS, SOCKET, Fault, Request, parse_answer
from cardd.access.process import Process

_log = logging.getLogger(__name__)


class ExecutableHelper:
    """The helper behind its socket (`cardd.access.facts.Executables`).

    Args:
        path: of the socket.
    """

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path

    async def executable(self, pid: int, start_time: int) -> str | None:
        """The path of a program, None where it cannot be known; the log says why."""
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._ask(Request(pid, start_time))
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            _log.warning("the helper did not tell which program process %d runs: %s", pid, _reason(error))
            return None
        if isinstance(answer, Fault):
            _log.info("the program of process %d is not known: %s", pid, answer.value)
            return None
        return answer

    def problem(self) -> str | None:
        """Why rules by executable cannot be used now, None if they can: asks for this very process. Blocks shortly."""
        try:
            with Process(os.getpid()) as myself, _socket() as connection:
                connection.settimeout(SECONDS)
                connection.connect(str(self._path))
                connection.send(Request(os.getpid(), myself.stat().start_time).packet())
                answer = parse_answer(connection.recv(PACKET_MAX))
        except (OSError, ValueError) as error:
            return f"cardd-exe-helper does not answer at {self._path}: {_reason(error)}"
        return f"cardd-exe-helper refuses: {answer.value}" if isinstance(answer, Fault) else None

    async def _ask(self, request: Request) -> str | Fault:
        loop = asyncio.get_running_loop()
        with _socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, str(self._path))
            await loop.sock_sendall(connection, request.packet())
            return parse_answer(await loop.sock_recv(connection, PACKET_MAX))


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
