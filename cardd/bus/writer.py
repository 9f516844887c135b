"""What waits for the bus to read it, and in which order it leaves."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from cardd.bus.outgoing import Outgoing

MESSAGES_PER_TURN: Final = 64
"""Sent before the loop gets its turn again."""


class Writer:
    """Sends messages over a non-blocking socket, as soon as it takes them.

    Urgent ones overtake all that has not begun to leave, in their own order. A full socket is waited for; a queue
    beyond the limit means that the bus no longer reads.

    Args:
        sock: the connection.
        queue_bytes: limit of what waits.
        on_lost: called once with the reason when the connection cannot be written any more.
    """

    def __init__(self, sock: socket.socket, queue_bytes: int, on_lost: Callable[[str], None]) -> None:
        self._sock = sock
        self._limit = queue_bytes
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._urgent: deque[Outgoing] = deque()
        self._normal: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._blocked = False
        self._pumping = False
        self._closed = False
        self._flushed: list[asyncio.Future[None]] = []

    @property
    def waiting_bytes(self) -> int:
        """What waits, in bytes."""
        return self._waiting_bytes

    def push(self, message: Outgoing, *, urgent: bool = False) -> bool:
        """Send a message now, or when its turn comes. Only the loop's own thread calls it.

        Returns:
            False when the connection is closed; the message's descriptors are closed then.
        """
        if self._closed:
            message.close()
            return False
        (self._urgent if urgent else self._normal).append(message)
        self._waiting_bytes += message.charge
        self._pump()
        if self._waiting_bytes > self._limit:
            self._lose(f"the bus does not read: {self._waiting_bytes} bytes wait for it")
        return not self._closed

    async def flushed(self) -> None:
        """Wait until nothing waits, or the connection is closed."""
        if self._closed or not self._waiting_bytes:
            return
        done: asyncio.Future[None] = self._loop.create_future()
        self._flushed.append(done)
        await done

    def close(self) -> None:
        """Stop; what waits is thrown away and its descriptors closed."""
        if self._closed:
            return
        self._closed = True
        self._wait_for_socket(blocked=False)
        for message in (*self._urgent, *self._normal):
            message.close()
        self._urgent.clear()
        self._normal.clear()
        self._waiting_bytes = 0
        self._wake_flushed()

    def _pump(self) -> None:
        if self._pumping or self._blocked or self._closed:
            return
        self._pumping = True
        try:
            for _ in range(MESSAGES_PER_TURN):
                if not self._advance():
                    return
        finally:
            self._pumping = False
        self._wait_for_socket(blocked=True)

    def _on_writable(self) -> None:
        self._wait_for_socket(blocked=False)
        self._pump()

    def _advance(self) -> bool:
        """Send one piece; whether there may be more to send now."""
        queue = self._next_queue()
        if queue is None:
            self._wake_flushed()
            return False
        message = queue[0]
        try:
            if not message.started:
                message.choose()
            message.send(self._sock)
        except BlockingIOError:
            self._wait_for_socket(blocked=True)
            return False
        except OSError as error:
            self._lose(f"the bus closed the connection ({errno.errorcode.get(error.errno or 0, 'unknown')})")
            return False
        if message.done:
            queue.popleft()
            self._waiting_bytes -= message.charge
        return True

    def _next_queue(self) -> deque[Outgoing] | None:
        """The queue whose head leaves next: a message that has begun to leave is never split."""
        if self._normal and self._normal[0].started:
            return self._normal
        return self._urgent or self._normal or None

    def _wait_for_socket(self, *, blocked: bool) -> None:
        if blocked and not self._blocked:
            self._loop.add_writer(self._sock, self._on_writable)
        elif self._blocked and not blocked:
            self._loop.remove_writer(self._sock)
        self._blocked = blocked

    def _wake_flushed(self) -> None:
        for done in self._flushed:
            if not done.done():
                done.set_result(None)
        self._flushed.clear()

    def _lose(self, reason: str) -> None:
        self.close()
        self._on_lost(reason)
