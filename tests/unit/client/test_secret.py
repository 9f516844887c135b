"""Pipes for secrets."""

from __future__ import annotations

import asyncio
import os

import pytest

from cardd.client.secret import MAXIMUM_SECRET, PlaintextPipe, pipe_holding, wipe
from cardd.errors import InvalidArgument


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_wipe_keeps_the_length() -> None:
    secret = bytearray(b"1234")
    wipe(secret)
    assert secret == bytes(4)


@pytest.mark.parametrize("length", [0, 4, MAXIMUM_SECRET])
def test_the_pipe_gives_the_secret_and_ends(length: int) -> None:
    secret = bytearray(b"7" * length)
    with open(pipe_holding(secret), "rb") as reading:
        assert reading.read() == b"7" * length
    assert secret == bytes(length)


def test_too_long_a_secret_is_refused_and_wiped() -> None:
    before = _open_descriptors()
    secret = bytearray(b"7" * (MAXIMUM_SECRET + 1))
    with pytest.raises(InvalidArgument):
        pipe_holding(secret)
    assert not any(secret)
    assert _open_descriptors() <= before


def test_the_pipe_is_not_inherited() -> None:
    reading = pipe_holding(bytearray(b"1234"))
    assert not os.get_inheritable(reading)
    os.close(reading)


async def test_plaintext_in_pieces_is_gathered_to_the_end() -> None:
    pipe = PlaintextPipe(100)
    writing = pipe.take_writing()
    gathering = asyncio.create_task(pipe.gather())
    await asyncio.sleep(0)
    os.write(writing, b"first ")
    await asyncio.sleep(0)
    os.write(writing, b"second")
    os.close(writing)
    assert await gathering == b"first second"
    pipe.close()


async def test_more_plaintext_than_the_limit_is_refused() -> None:
    pipe = PlaintextPipe(10)
    writing = pipe.take_writing()
    os.write(writing, b"x" * 11)
    os.close(writing)
    with pytest.raises(OSError, match="more plaintext"):
        await pipe.gather()
    pipe.close()


async def test_plaintext_of_exactly_the_limit_is_whole() -> None:
    pipe = PlaintextPipe(10)
    writing = pipe.take_writing()
    os.write(writing, b"x" * 10)
    os.close(writing)
    assert await pipe.gather() == b"x" * 10
    pipe.close()


async def test_giving_up_while_gathering_leaves_nothing_open() -> None:
    before = _open_descriptors()
    pipe = PlaintextPipe(10)
    gathering = asyncio.create_task(pipe.gather())
    await asyncio.sleep(0)
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering
    pipe.close()
    assert _open_descriptors() <= before
