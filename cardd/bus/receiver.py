"""Reads the connection: bytes and descriptors in, messages out, one a turn."""

from __future__ import annotations

import array
import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

from cardd.bus.descriptors import OwnedFd
from cardd.bus.framing import Framer, Incoming
from cardd.bus.syntax import Malformed

RECEIVE_BYTES: Final = 64 * 1024
RECEIVE_DESCRIPTORS: Final = 253  # SCM_MAX_FD of Linux: more never come at once
MESSAGES_PER_TURN: Final = 1
"""Handled before the loop gets its turn again, so that a flood of calls holds up nothing; and so that a process with
many connections hears the first message of each (a session's end) before the second of any."""

_FD_BYTES = array.array("i").itemsize


class Receiver:
    """Watches a socket and hands over each message.

    Args:
        sock: non-blocking.
        message_bytes: longest message that is kept whole.
        on_message: receives each message and owns it.
        on_lost: called once with the reason when nothing more can come.
    """

    def __init__(
        self,
        sock: socket.socket,
        message_bytes: int,
        on_message: Callable[[Incoming], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._sock = sock
        self._on_message = on_message
        self._on_lost = on_lost
        self._framer = Framer(message_bytes)
        self._loop = asyncio.get_running_loop()
        self._backlog: asyncio.Handle | None = None
        self._closed = False
        self._loop.add_reader(sock, self._on_readable)

    def close(self) -> None:
        """Stop; descriptors of unfinished messages are closed."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock)
        if self._backlog is not None:
            self._backlog.cancel()
            self._backlog = None
        self._framer.close()

    def _on_readable(self) -> None:
        if self._backlog is not None:
            return  # what was read before comes first
        try:
            data, descriptors = self._receive()
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"the bus closed the connection ({errno.errorcode.get(error.errno or 0, 'unknown')})")
            return
        if not data:
            self._lose("the bus closed the connection")
            return
        self._framer.feed(data, descriptors)
        self._hand_over()

    def _receive(self) -> tuple[bytes, list[OwnedFd] | None]:
        """One receive; descriptors are None when none were sent, too few when this process has none left."""
        data, ancillary, flags, _ = self._sock.recvmsg(
            RECEIVE_BYTES, socket.CMSG_SPACE(RECEIVE_DESCRIPTORS * _FD_BYTES), socket.MSG_CMSG_CLOEXEC
        )
        descriptors: list[OwnedFd] = []
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % _FD_BYTES])
                descriptors.extend(OwnedFd(number) for number in numbers)
        sent = bool(descriptors) or bool(flags & socket.MSG_CTRUNC)
        return data, descriptors if sent else None

    def _hand_over(self) -> None:
        self._backlog = None
        try:
            for _ in range(MESSAGES_PER_TURN):
                message = self._framer.next()
                if message is None:
                    return
                self._on_message(message)
                if self._closed:
                    return
        except Malformed as error:
            self._lose(f"the bus sends what is no D-Bus message: {error}")
            return
        self._backlog = self._loop.call_soon(self._hand_over)

    def _lose(self, reason: str) -> None:
        self.close()
        self._on_lost(reason)
