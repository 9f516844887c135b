"""Much content out through a pipe, from a thread: bounded memory, readers that do not read, readers that leave."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import stat
import time
from typing import TYPE_CHECKING

from cardd.errors import DescriptorUnusable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PIECE = 64 * 1024
"""Bytes that a new pipe holds (Linux)."""


class GivenUp(Exception):
    """Nobody takes the content; the text says why."""


class Bell:
    """Wakes a thread that waits for a pipe. Rung from the loop."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.stopped = False

    def fileno(self) -> int:
        """For poll(2)."""
        return self._descriptor

    def ring(self) -> None:
        """Wake the thread, now or when it waits next."""
        if self._descriptor >= 0:
            os.eventfd_write(self._descriptor, 1)

    def stop(self) -> None:
        """Have the thread give up."""
        self.stopped = True
        self.ring()

    def silence(self) -> None:
        """The thread has woken."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Give it back, once the thread is gone."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class PipeOutflow(io.RawIOBase):
    """The writable end of a pipe as a file that never blocks for longer than its reader is waited for.

    The bytes go by way of a pipe of our own: `splice` is the one call that cannot block on a pipe whose flags the other
    side controls as well.

    Args:
        descriptor: writable end of a pipe; closed here.
        bell: wakes the thread that writes.
        patience: seconds that the reader has for making room.
    """

    def __init__(self, descriptor: int, bell: Bell, patience: float) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._bell = bell
        self._patience = patience
        try:
            self._take, self._put = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            os.close(descriptor)
            raise

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write everything.

        Raises:
            GivenUp: the reader has left, or does not read.
        """
        with memoryview(data).cast("B") as view:
            done = 0
            while done < len(view):
                # Ours is empty here, so that it takes something; how much, the system says.
                left = os.write(self._put, view[done : done + _PIECE])
                done += left
                while left:
                    self._until_room()
                    left -= self._splice(left)
            return done

    def check(self) -> None:
        """Look whether anybody still wants the content.

        Raises:
            GivenUp: it is to be given up.
        """
        self._wait(0, 0)

    def wait(self) -> None:
        """Wait until the bell rings.

        Raises:
            GivenUp: the reader has left, or it is to be given up.
        """
        self._wait(None, 0)

    def close(self) -> None:
        """Close the pipe: its reader sees the end."""
        if not self.closed:
            for descriptor in (self._descriptor, self._take, self._put):
                os.close(descriptor)
        super().close()

    def _until_room(self) -> None:
        until = time.monotonic() + self._patience
        while not self._wait(left := max(0.0, until - time.monotonic()), select.POLLOUT):
            if not left:
                raise GivenUp(f"its reader made no room within {self._patience:g} seconds")

    def _wait(self, seconds: float | None, events: int) -> bool:
        """Whether there is room; if not, the bell has rung or the time is over."""
        polling = select.poll()
        polling.register(self._descriptor, events)
        polling.register(self._bell, select.POLLIN)
        found = dict(polling.poll(None if seconds is None else seconds * 1000))
        self._bell.silence()
        if self._bell.stopped:
            raise GivenUp("it is no longer wanted")
        seen = found.get(self._descriptor, 0)
        if seen & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise GivenUp("its reader has left")
        return bool(seen & select.POLLOUT)

    def _splice(self, count: int) -> int:
        try:
            return os.splice(self._take, self._descriptor, count, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise GivenUp(f"it cannot be written ({error.strerror})") from error


def require_writable_pipe(descriptor: int) -> None:
    """Let pass the writable end of a pipe.

    Raises:
        DescriptorUnusable: something else, which could block the daemon or keep nothing.
    """
    try:
        kind = os.fstat(descriptor).st_mode
        writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError as error:
        raise DescriptorUnusable(reason=f"it is not open ({error.strerror})") from error
    if not stat.S_ISFIFO(kind):
        raise DescriptorUnusable(reason="it is no pipe")
    if not writable:
        raise DescriptorUnusable(reason="it is not the writable end of its pipe")
