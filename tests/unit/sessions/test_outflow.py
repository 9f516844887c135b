"""Content out through a pipe, whatever its reader does."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cardd.errors import DescriptorUnusable
from cardd.sessions.outflow import Bell, GivenUp, PipeOutflow, require_writable_pipe

FOREVER = 1e6
MORE_THAN_A_PIPE = bytes(range(256)) * 4096


@pytest.fixture
def bell() -> Iterator[Bell]:
    one = Bell()
    yield one
    one.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Readable and writable end; the outflow closes the latter."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_all_of_it_arrives_in_order_however_slow_the_reader_is(bell: Bell, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    got = bytearray()

    def read() -> None:
        while chunk := os.read(reading, 1000):
            got.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with closing(PipeOutflow(writing, bell, FOREVER)) as outflow:
        assert outflow.write(MORE_THAN_A_PIPE) == len(MORE_THAN_A_PIPE)
        assert outflow.write(b"") == 0
    reader.join()
    assert got == MORE_THAN_A_PIPE


def test_a_reader_that_makes_no_room_is_given_up(bell: Bell, pipe: tuple[int, int]) -> None:
    with closing(PipeOutflow(pipe[1], bell, 0)) as outflow, pytest.raises(GivenUp, match="no room within 0 seconds"):
        outflow.write(MORE_THAN_A_PIPE)


def test_ringing_does_not_give_a_reader_that_does_not_read_more_time(bell: Bell, pipe: tuple[int, int]) -> None:
    done = threading.Event()

    def ring() -> None:
        while not done.is_set():
            bell.ring()

    ringing = threading.Thread(target=ring)
    ringing.start()
    try:
        with closing(PipeOutflow(pipe[1], bell, 0.05)) as outflow, pytest.raises(GivenUp, match="no room"):
            outflow.write(MORE_THAN_A_PIPE)
    finally:
        done.set()
        ringing.join()


def test_a_pipe_that_the_reader_makes_blocking_does_not_hold_the_writer(bell: Bell, pipe: tuple[int, int]) -> None:
    """The flags belong to the open file: whoever passed it can change them at any time."""
    os.set_blocking(pipe[1], True)
    with closing(PipeOutflow(os.dup(pipe[1]), bell, 0)) as outflow, pytest.raises(GivenUp):
        outflow.write(MORE_THAN_A_PIPE)
    os.close(pipe[1])


@pytest.mark.parametrize("action", ["write", "check", "wait"])
def test_a_reader_that_leaves_ends_it(bell: Bell, action: str) -> None:
    reading, writing = os.pipe()
    with closing(PipeOutflow(writing, bell, FOREVER)) as outflow:
        outflow.check()
        os.close(reading)
        with pytest.raises(GivenUp, match="has left"):
            outflow.write(MORE_THAN_A_PIPE) if action == "write" else getattr(outflow, action)()


@pytest.mark.parametrize("action", ["write", "check", "wait"])
def test_a_bell_that_stops_ends_it(bell: Bell, pipe: tuple[int, int], action: str) -> None:
    with closing(PipeOutflow(pipe[1], bell, FOREVER)) as outflow:
        bell.stop()
        with pytest.raises(GivenUp, match="no longer wanted"):
            outflow.write(MORE_THAN_A_PIPE) if action == "write" else getattr(outflow, action)()


def test_a_thread_that_waits_is_woken(bell: Bell, pipe: tuple[int, int]) -> None:
    with closing(PipeOutflow(pipe[1], bell, FOREVER)) as outflow:
        waiting = threading.Thread(target=outflow.wait)
        waiting.start()
        bell.ring()
        waiting.join()
        bell.ring()
        outflow.wait()


def test_a_closed_bell_can_be_rung() -> None:
    bell = Bell()
    bell.close()
    bell.close()
    bell.ring()


def test_nothing_stays_open(bell: Bell, pipe: tuple[int, int]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    outflow = PipeOutflow(pipe[1], bell, FOREVER)
    assert len(os.listdir("/proc/self/fd")) == before + 2
    outflow.close()
    outflow.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_only_the_writable_end_of_a_pipe_is_taken(pipe: tuple[int, int], tmp_path: Path) -> None:
    reading, writing = pipe
    require_writable_pipe(writing)
    with pytest.raises(DescriptorUnusable, match="not the writable end"):
        require_writable_pipe(reading)
    os.close(writing)
    with pytest.raises(DescriptorUnusable, match="not open"):
        require_writable_pipe(writing)
    with (tmp_path / "file").open("wb") as file, pytest.raises(DescriptorUnusable, match="no pipe"):
        require_writable_pipe(file.fileno())
