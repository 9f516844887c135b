"""Asking on the terminal: codes without echo, into a buffer that can be wiped."""

from __future__ import annotations

import asyncio
import os
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cardd.cli.failures import NoTerminal
from cardd.client.secret import secret_room, wipe
from cardd.errors import DescriptorUnusable, NotAuthorizedDismissed

_LINE_MAX = 256
"""Characters of a code: far more than any has."""
WRITE_SECONDS = 30.0
"""How long whoever passes a descriptor may take to write into it."""

_YES = (b"y", b"yes", b"o", b"oui")


class Terminal:
    """The terminal that the user sits at, whatever is redirected.

    Waiting for an answer holds up nothing: it can be cancelled when the question has become moot.

    Args:
        descriptor: open for reading and writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, text: str) -> None:
        """Write a line."""
        os.write(self._descriptor, f"{text}\n".encode())

    async def ask_secret(self, prompt: str) -> memoryview:
        """Ask for a code, without echo.

        Returns:
            What was typed, for the caller to wipe.

        Raises:
            NotAuthorizedDismissed: an empty line, or Ctrl-D.
        """
        with self._without_echo():
            os.write(self._descriptor, f"{prompt} ".encode())
            try:
                typed = await self._line()
            finally:
                os.write(self._descriptor, b"\n")
        if not typed:
            raise NotAuthorizedDismissed
        return typed

    async def confirm(self, question: str) -> bool:
        """Ask yes or no; anything but a yes is a no."""
        os.write(self._descriptor, f"{question} ".encode())
        return bytes(await self._line()).strip().lower() in _YES

    async def _line(self) -> memoryview:
        # The terminal gathers a whole line before it is readable at all (termios(3), canonical mode).
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, readable)
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)
        return read_line(self._descriptor)

    @contextmanager
    def _without_echo(self) -> Iterator[None]:
        before = termios.tcgetattr(self._descriptor)
        silent = list(before)
        silent[3] = before[3] & ~termios.ECHO
        # TCSAFLUSH: what was typed ahead, with echo, is no code.
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, silent)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, before)


@contextmanager
def controlling_terminal() -> Iterator[Terminal]:
    """Open the terminal that the process belongs to.

    Raises:
        NoTerminal: it belongs to none.
    """
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise NoTerminal from error
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)


def read_line(descriptor: int) -> memoryview:
    """Read up to a newline or the end, a byte at a time: what follows is for another reader.

    Args:
        descriptor: open for reading.

    Returns:
        The line without its end, for the caller to wipe; there is no other copy of it.

    Raises:
        DescriptorUnusable: it cannot be read, or no line ends within a sensible length.
    """
    room = secret_room(_LINE_MAX)
    try:
        count = _fill(descriptor, room)
    except BaseException:
        wipe(room)
        raise
    if count and room[count - 1] == ord("\r"):
        count -= 1
    return room[:count]


def _fill(descriptor: int, buffer: memoryview) -> int:
    deadline = time.monotonic() + WRITE_SECONDS
    # Not select(2), which waits in vain for a number that is not open and above those that the kernel has room for.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    for count in range(len(buffer)):
        # A pipe that nobody writes must not keep the command for ever; a file is ready at once.
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise DescriptorUnusable(reason=f"nobody wrote it within {WRITE_SECONDS:g} seconds")
        try:
            more = os.readv(descriptor, [buffer[count : count + 1]])
        except OSError as error:
            raise DescriptorUnusable(reason=f"it cannot be read ({error.strerror})") from error
        if more == 0 or buffer[count] == ord("\n"):
            return count
    raise DescriptorUnusable(reason=f"it holds a line of more than {len(buffer) - 1} bytes")


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
