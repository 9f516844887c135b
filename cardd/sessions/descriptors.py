"""Secrets by file descriptor: how a PIN comes in and a plaintext goes out without ever being a value on the bus.

Descriptors are hostile: closed at the other end, endless, never written, or of a kind that would block the daemon.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import stat
from collections.abc import Callable

from cardd.errors import CarddError, DescriptorUnusable
from cardd.sessions.secret import Secret

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


async def read_secret(descriptor: int, *, limit: int, timeout: float) -> Secret:
    """Read to the end of a pipe, a socket or a sealed memfd.

    Args:
        descriptor: stays open; its owner closes it.
        limit: bytes at most.
        timeout: seconds until the end must have come.

    Raises:
        DescriptorUnusable: another kind of file, longer than `limit`, not at its end in time, not readable.
    """
    kind = _kind_of(descriptor)
    if stat.S_ISREG(kind):
        _require_sealed(descriptor)
        return _read_sealed(descriptor, limit)
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        raise DescriptorUnusable(reason="it is neither a pipe nor a sealed memfd")
    collected = Secret(bytearray())
    try:
        async with asyncio.timeout(timeout):
            while await _read_some(descriptor, collected, limit):
                pass
    except TimeoutError:
        collected.wipe()
        raise DescriptorUnusable(reason=f"its writer did not finish within {timeout:g} seconds") from None
    except BaseException:
        collected.wipe()
        raise
    return collected


async def write_plaintext(
    descriptor: int, plaintext: Secret, *, timeout: float, still_valid: Callable[[], CarddError | None]
) -> None:
    """Write a plaintext to a pipe, a socket or a file that is empty of surprises.

    Args:
        descriptor: stays open; its owner closes it.
        plaintext: at most 4,096 bytes, which a pipe that polls writable takes at once (POSIX PIPE_BUF).
        timeout: seconds that the reader has for making room.
        still_valid: asked immediately before the bytes leave; an error says why they must not.

    Raises:
        DescriptorUnusable: another kind of file, no reader, no room in time.
        CarddError: what `still_valid` gave.
    """
    kind = _kind_of(descriptor)
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or _is_memfd(descriptor, kind)):
        raise DescriptorUnusable(reason="it is neither a pipe nor a memfd")
    if len(plaintext) > select.PIPE_BUF:
        raise DescriptorUnusable(reason=f"more than {select.PIPE_BUF} bytes would go through it at once")
    if not stat.S_ISREG(kind):
        await _until_ready(descriptor, writing=True, timeout=timeout)
    if (error := still_valid()) is not None:
        raise error
    try:
        written = os.write(descriptor, plaintext.buffer)
    except OSError as failure:
        raise DescriptorUnusable(reason=f"it cannot be written ({failure.strerror})") from failure
    if written != len(plaintext):
        raise DescriptorUnusable(reason="its reader took only a part")


def _kind_of(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_mode
    except OSError as error:
        raise DescriptorUnusable(reason=f"it is not open ({error.strerror})") from error


def _is_memfd(descriptor: int, kind: int) -> bool:
    if not stat.S_ISREG(kind):
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return False
    return True


def _require_sealed(descriptor: int) -> None:
    """A regular file could block the daemon (network, FUSE) or change under its eyes; a sealed memfd can do neither."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        raise DescriptorUnusable(reason="it is neither a pipe nor a sealed memfd") from None
    if seals & _SEALS != _SEALS:
        raise DescriptorUnusable(reason="its memfd is not sealed against writing, growing and shrinking")


def _read_sealed(descriptor: int, limit: int) -> Secret:
    size = os.fstat(descriptor).st_size
    if size > limit:
        raise DescriptorUnusable(reason=f"it holds more than {limit} bytes")
    buffer = bytearray(size)
    try:
        got = os.preadv(descriptor, [buffer], 0) if size else 0
    except OSError as error:
        raise DescriptorUnusable(reason=f"it cannot be read ({error.strerror})") from error
    del buffer[got:]
    return Secret(buffer)


async def _read_some(descriptor: int, collected: Secret, limit: int) -> bool:
    """Append what is there; False at the end."""
    await _until_ready(descriptor, writing=False, timeout=None)
    room = bytearray(limit + 1)
    try:
        got = os.readv(descriptor, [room])
        if len(collected) + got > limit:
            raise DescriptorUnusable(reason=f"it holds more than {limit} bytes")
        collected.buffer.extend(memoryview(room)[:got])
    except BlockingIOError:
        return True
    except OSError as error:
        raise DescriptorUnusable(reason=f"it cannot be read ({error.strerror})") from error
    finally:
        room[:] = bytes(len(room))
    return got > 0


async def _until_ready(descriptor: int, *, writing: bool, timeout: float | None) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    # The loop's selector knows a file description only once: another caller may have passed the same one.
    own = os.dup(descriptor)
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        add(own, wake)
        try:
            async with asyncio.timeout(timeout):
                await ready
        finally:
            remove(own)
    except TimeoutError:
        raise DescriptorUnusable(reason="its reader does not take what is written") from None
    except PermissionError as error:
        raise DescriptorUnusable(reason="it cannot be waited for") from error
    finally:
        os.close(own)
