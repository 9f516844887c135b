"""File descriptors with an owner, so that none is left open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType


class OwnedFd:
    """A file descriptor that closes itself unless it is taken.

    One owner at a time: a method's argument closes when its call ends, a returned one when the reply has left. A
    handler that gives a descriptor to a thread, or keeps it longer than the call, takes it first.

    Args:
        fd: an open descriptor; from now on this object closes it.

    Raises:
        ValueError: a negative number.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = -1
        if fd < 0:
            raise ValueError("a file descriptor cannot be negative")
        self._fd = fd

    @property
    def closed(self) -> bool:
        """Whether it was closed or taken."""
        return self._fd < 0

    def fileno(self) -> int:
        """The number, still owned here.

        Raises:
            ValueError: it was closed or taken.
        """
        if self._fd < 0:
            raise ValueError("the file descriptor was closed or taken")
        return self._fd

    def take(self) -> int:
        """Give up ownership and return the number; the caller closes it.

        Raises:
            ValueError: it was closed or taken.
        """
        fd = self.fileno()
        self._fd = -1
        return fd

    def duplicate(self) -> OwnedFd:
        """Another descriptor of the same open file.

        Raises:
            OSError: the process has no descriptor left (EMFILE).
        """
        return OwnedFd(os.dup(self.fileno()))

    def close(self) -> None:
        """Close it; a second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> OwnedFd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return "OwnedFd(closed)" if self.closed else f"OwnedFd({self._fd})"


def close_all(descriptors: Iterable[OwnedFd]) -> None:
    """Close each of them."""
    for descriptor in descriptors:
        descriptor.close()


def descriptors_in(value: object) -> Iterator[OwnedFd]:
    """Every descriptor within a value that a handler returned, containers included."""
    if isinstance(value, OwnedFd):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from descriptors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from descriptors_in(item)
