"""Secrets by file descriptor: how a PIN comes in and a plaintext goes out without ever being a value on the bus.

Descriptors are hostile: closed at the other end, endless, never written, or of a kind that would block the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import stat
from collections.abc import Callable, Iterator

from cardd.errors import CarddError, DescriptorUnusable
from cardd.sessions.secret import Secret
from cardd_drivers.secret_memory import secret_room, wipe

_WRONG_KIND = "it is neither a pipe nor a memfd"
_FROZEN = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


async def read_secret(descriptor: int, *, limit: int, timeout: float, too_long: CarddError | None = None) -> Secret:
    """Read a pipe, or a sealed memfd, to its end.

    Args:
        descriptor: stays open; its owner closes it.
        limit: bytes at most.
        timeout: seconds until the end must have come.
        too_long: raised for more than `limit`; DescriptorUnusable where none is given.

    Raises:
        DescriptorUnusable: another kind of file, longer than `limit`, not at its end in time, not readable.
    """
    too_long = too_long or DescriptorUnusable(reason=f"it holds more than {limit} bytes")
    kind = _kind_of(descriptor)
    if stat.S_ISREG(kind):
        return _read_memfd(descriptor, limit, too_long)
    if not stat.S_ISFIFO(kind):
        raise DescriptorUnusable(reason=_WRONG_KIND)
    # At its full size from the start: a buffer that grows leaves copies behind. One byte more shows what is too long.
    room, count = secret_room(limit + 1), 0
    try:
        async with asyncio.timeout(timeout):
            with _own_pipe() as pipe:
                # It ends when there is no room left, too.
                while more := await _read_some(descriptor, pipe, room[count:]):
                    count += more
    except TimeoutError:
        wipe(room)
        raise DescriptorUnusable(reason=f"its writer did not finish within {timeout:g} seconds") from None
    except BaseException:
        wipe(room)
        raise
    if count > limit:
        wipe(room)
        raise too_long
    return Secret(room[:count])


async def write_plaintext(
    descriptor: int, plaintext: Secret, *, timeout: float, still_valid: Callable[[], CarddError | None]
) -> None:
    """Write a plaintext into a pipe or a memfd.

    Args:
        descriptor: stays open; its owner closes it.
        plaintext: at most 4,096 bytes, which a pipe takes whole or not at all (POSIX PIPE_BUF).
        timeout: seconds that the pipe's reader has for making room.
        still_valid: asked immediately before the bytes leave; an error says why they must not.

    Raises:
        DescriptorUnusable: another kind of file, no reader, no room in time.
        CarddError: what `still_valid` gave.
    """
    kind = _kind_of(descriptor)
    if len(plaintext) > select.PIPE_BUF:
        raise DescriptorUnusable(reason=f"more than {select.PIPE_BUF} bytes would go through it at once")
    if stat.S_ISREG(kind):
        _write_memfd(descriptor, plaintext, still_valid)
    elif stat.S_ISFIFO(kind):
        await _write_pipe(descriptor, plaintext, timeout, still_valid)
    else:
        raise DescriptorUnusable(reason=_WRONG_KIND)


def _kind_of(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_mode
    except OSError as error:
        raise DescriptorUnusable(reason=f"it is not open ({error.strerror})") from error


def _seals_of(descriptor: int) -> int:
    """Only a memfd has seals and no name. Another file could block the daemon (a network, FUSE)."""
    if os.fstat(descriptor).st_nlink:
        raise DescriptorUnusable(reason=_WRONG_KIND)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        raise DescriptorUnusable(reason=_WRONG_KIND) from None


def _read_memfd(descriptor: int, limit: int, too_long: CarddError) -> Secret:
    if _seals_of(descriptor) & _FROZEN != _FROZEN:
        raise DescriptorUnusable(reason="its memfd is not sealed against writing, growing and shrinking")
    size = os.fstat(descriptor).st_size
    if size > limit:
        raise too_long
    room = secret_room(size)
    try:
        got = os.preadv(descriptor, [room], 0) if size else 0
    except OSError as error:
        raise DescriptorUnusable(reason=f"it cannot be read ({error.strerror})") from error
    return Secret(room[:got])


def _write_memfd(descriptor: int, plaintext: Secret, still_valid: Callable[[], CarddError | None]) -> None:
    _seals_of(descriptor)
    _require(still_valid)
    try:
        written = os.write(descriptor, plaintext.buffer)
    except OSError as error:
        raise DescriptorUnusable(reason=f"it cannot be written ({error.strerror})") from error
    if written != len(plaintext):
        raise DescriptorUnusable(reason="it took only a part")


async def _write_pipe(
    descriptor: int, plaintext: Secret, timeout: float, still_valid: Callable[[], CarddError | None]
) -> None:
    try:
        async with asyncio.timeout(timeout):
            with _own_pipe() as (take, put):
                os.writev(put, [plaintext.buffer])
                left = len(plaintext)
                while left:
                    await _until_ready(descriptor, writing=True)
                    _require(still_valid)
                    left -= _splice_out(take, descriptor, left)
    except TimeoutError:
        raise DescriptorUnusable(reason=f"nobody made room in it within {timeout:g} seconds") from None


def _splice_out(take: int, descriptor: int, count: int) -> int:
    try:
        return os.splice(take, descriptor, count, flags=os.SPLICE_F_NONBLOCK)
    except BlockingIOError:
        return 0
    except OSError as error:
        raise DescriptorUnusable(reason=f"it cannot be written ({error.strerror})") from error


async def _read_some(descriptor: int, pipe: tuple[int, int], room: memoryview) -> int:
    """Wait for bytes and read what there is room for; gives their number, 0 at the end or where there is no room.

    They go by way of a pipe of our own: `splice` is the one call that cannot block on a pipe whose flags the other side
    controls as well.
    """
    take, put = pipe
    while room:
        await _until_ready(descriptor, writing=False)
        try:
            moved = os.splice(descriptor, put, len(room), flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:  # somebody else's reader was faster
            continue
        except OSError as error:
            raise DescriptorUnusable(reason=f"it cannot be read ({error.strerror})") from error
        return os.readv(take, [room[:moved]]) if moved else 0
    return 0


def _require(still_valid: Callable[[], CarddError | None]) -> None:
    if (error := still_valid()) is not None:
        raise error


@contextlib.contextmanager
def _own_pipe() -> Iterator[tuple[int, int]]:
    """Read end, write end; neither blocks."""
    take, put = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield take, put
    finally:
        os.close(take)
        os.close(put)


async def _until_ready(descriptor: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    # The loop's selector knows a descriptor once; another call may wait for the same one.
    own = os.dup(descriptor)
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        add(own, wake)
        try:
            await ready
        finally:
            remove(own)
    finally:
        os.close(own)
