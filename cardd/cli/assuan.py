"""Answers of an Assuan server (libassuan manual, "Server responses"), which may hold a PIN: in memory for secrets."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, Self

from cardd.client.secret import read_some, secret_room, wipe
from cardd.errors import AgentFailed

_LINES_MAX: Final = 4096
_HEXADECIMAL: Final = b"0123456789ABCDEF"


class AnswerPipe:
    """A pipe that a server's standard output goes into, and what has come out of it."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reading, False)
        self._room = secret_room(_LINES_MAX)
        self._count = self._taken = 0

    def __enter__(self) -> Self:
        """The pipe itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe what came, and close both ends."""
        wipe(self._room)
        self.close_writing()
        os.close(self._reading)

    @property
    def writing(self) -> int:
        """The end for the server."""
        return self._writing

    def close_writing(self) -> None:
        """Let the pipe end with the server that has inherited the other end."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    async def line(self) -> memoryview:
        """The next line, without its end; good until the next is asked for.

        Raises:
            AgentFailed: the server ended, or writes lines without end.
        """
        self._drop_taken()
        seen = 0
        while (end := self._newline(seen)) is None:
            seen = self._count
            more = await read_some(self._reading, self._room[seen:]) if seen < _LINES_MAX else 0
            if not more:
                raise AgentFailed(reason="pinentry ended, or answers nonsense")
            self._count += more
        self._taken = end + 1
        return self._room[:end]

    def _newline(self, start: int) -> int | None:
        return next((index for index in range(start, self._count) if self._room[index] == ord("\n")), None)

    def _drop_taken(self) -> None:
        left = self._count - self._taken
        self._room[:left] = self._room[self._taken : self._count]
        wipe(self._room[left : self._count])
        self._count, self._taken = left, 0


def unescaped(raw: memoryview) -> memoryview:
    """What a data line holds, its ``%XX`` resolved, in memory of its own.

    Raises:
        AgentFailed: no hexadecimal digits follow a percent sign.
    """
    room, count, position = secret_room(len(raw)), 0, 0
    try:
        while position < len(raw):
            room[count] = raw[position]
            position += 1
            if room[count] == ord("%"):
                room[count] = _octet(raw[position : position + 2])
                position += 2
            count += 1
    except ValueError:
        wipe(room)
        raise AgentFailed(reason="pinentry answers nonsense") from None
    return room[:count]


def _octet(digits: memoryview) -> int:
    high, low = digits
    return _nibble(high) << 4 | _nibble(low)


def _nibble(digit: int) -> int:
    return _HEXADECIMAL.index(digit & 0xDF if digit >= ord("a") else digit)
