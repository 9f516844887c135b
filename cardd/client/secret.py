"""Secrets in and out by pipe, so that no message of the bus ever holds one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select

from cardd.errors import InvalidArgument
from cardd_drivers.secret_memory import SecretBytes, secret_room, wipe

__all__ = ["PlaintextPipe", "SecretBytes", "pipe_holding", "read_some", "secret_room", "wipe"]

MAXIMUM_SECRET = select.PIPE_BUF
"""Bytes that a new pipe takes at once, whatever the system (POSIX); a PIN or PUK is far shorter."""


def pipe_holding(secret: SecretBytes) -> int:
    """Put a secret into a new pipe, and wipe it.

    Args:
        secret: its characters; zeros afterwards, whatever happens.

    Returns:
        The readable end, which gives the secret and then ends. The caller closes it.

    Raises:
        InvalidArgument: longer than `MAXIMUM_SECRET`.
    """
    try:
        if len(secret) > MAXIMUM_SECRET:
            raise InvalidArgument(argument="pin", reason="it is far too long")
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            if secret:
                os.write(writing, secret)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
    finally:
        wipe(secret)
    return reading


class PlaintextPipe:
    """A pipe whose writable end goes to the daemon; what comes out is gathered here."""

    def __init__(self, limit: int) -> None:
        """Open the pipe.

        Args:
            limit: bytes that may come at most.
        """
        self._limit = limit
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reading, False)

    def take_writing(self) -> int:
        """Hand out the writable end, once; whoever takes it closes it, for the pipe ends when no copy is left."""
        writing, self._writing = self._writing, -1
        return writing

    def close(self) -> None:
        """Close what is open."""
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
        self._reading = self._writing = -1

    async def gather(self) -> bytearray:
        """Read until the pipe ends.

        Raises:
            OSError: more came than the limit.
        """
        # One buffer that never grows, so that no copy of the plaintext stays behind in freed memory.
        gathered = bytearray(self._limit + 1)
        count = 0
        while (more := await read_some(self._reading, memoryview(gathered)[count:])) > 0:
            count += more
            if count > self._limit:
                wipe(gathered)
                raise OSError("more plaintext came than the cryptogram can hold")
        del gathered[count:]
        return gathered


async def read_some(descriptor: int, free: memoryview) -> int:
    """Wait for what comes and read it straight into place; gives the number of bytes, 0 at the end.

    Args:
        descriptor: non-blocking; a pipe.
        free: where to; released afterwards.
    """
    loop = asyncio.get_running_loop()
    with free:
        while True:
            with contextlib.suppress(BlockingIOError):
                return os.readv(descriptor, [free])
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(descriptor, _wake, readable)
            try:
                await readable
            finally:
                loop.remove_reader(descriptor)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
