"""Secrets in and out by pipe, so that no message of the bus ever holds one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select

from cardd.errors import InvalidArgument

MAXIMUM_SECRET = select.PIPE_BUF
"""Bytes that a new pipe takes at once, whatever the system (POSIX); a PIN or PUK is far shorter."""


def wipe(secret: bytearray) -> None:
    """Overwrite the secret with zeros, in place."""
    secret[:] = bytes(len(secret))


def pipe_holding(secret: bytearray) -> int:
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
        while (more := await self._read_into(memoryview(gathered)[count:])) > 0:
            count += more
            if count > self._limit:
                wipe(gathered)
                raise OSError("more plaintext came than the cryptogram can hold")
        del gathered[count:]
        return gathered

    async def _read_into(self, free: memoryview) -> int:
        loop = asyncio.get_running_loop()
        with free:
            while True:
                with contextlib.suppress(BlockingIOError):
                    return os.readv(self._reading, [free])
                readable: asyncio.Future[None] = loop.create_future()
                loop.add_reader(self._reading, _wake, readable)
                try:
                    await readable
                finally:
                    loop.remove_reader(self._reading)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
