"""Reading: descriptors, a few messages a turn, the end."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator

import pytest

from cardd.bus.descriptors import OwnedFd
from cardd.bus.framing import Incoming
from cardd.bus.message import Header, Kind, encode_message
from cardd.bus.receiver import MESSAGES_PER_TURN, RECEIVE_BYTES, Receiver


def message(serial: int, fds: int = 0) -> bytes:
    return encode_message(Header(Kind.METHOD_CALL, 0, serial, path="/a", member="M", unix_fds=fds))


class Reading:
    """A receiver and the other end of its socket."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.found: asyncio.Queue[Incoming] = asyncio.Queue()
        self.lost: list[str] = []
        self.receiver = Receiver(self.ours, 1024, self.found.put_nowait, self._on_lost)
        self.ended = asyncio.Event()
        self.received = asyncio.Event()
        self._feed = self.receiver._framer.feed
        self.receiver._framer.feed = self._note  # type: ignore[method-assign]  # to know when something was read

    def _note(self, data: bytes, descriptors: list[OwnedFd] | None = None) -> None:
        self._feed(data, descriptors)
        self.received.set()

    def _on_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self.ended.set()


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    one = Reading()
    yield one
    one.receiver.close()
    one.ours.close()
    one.theirs.close()


async def test_messages_and_descriptors_arrive(reading: Reading) -> None:
    with open("/dev/null", "rb") as file:
        socket.send_fds(reading.theirs, [message(1, fds=2)], [file.fileno(), file.fileno()])
    reading.theirs.sendall(message(2))
    first, second = await reading.found.get(), await reading.found.get()
    assert first.complete
    assert len(first.descriptors) == 2
    assert not any(os.get_inheritable(one.fileno()) for one in first.descriptors)
    assert second.descriptors == []
    first.close()


async def test_a_flood_leaves_the_loop_its_turn(reading: Reading) -> None:
    total = 10 * MESSAGES_PER_TURN
    reading.theirs.sendall(b"".join(message(number) for number in range(1, total + 1)))
    await reading.found.get()
    assert reading.found.qsize() < MESSAGES_PER_TURN
    for number in range(2, total + 1):
        assert (await reading.found.get()).header.serial == number


async def test_a_flood_that_goes_on_leaves_it_too(reading: Reading) -> None:
    total = 3000  # more than one receive takes
    data = b"".join(message(number) for number in range(1, total + 1))
    assert len(data) > 2 * RECEIVE_BYTES
    sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(reading.theirs, data))
    steps, before = [], 0
    while reading.found.qsize() < total:
        await asyncio.sleep(0)
        steps.append(reading.found.qsize() - before)
        before = reading.found.qsize()
    await sending
    assert max(steps) < 2 * MESSAGES_PER_TURN  # the last of one receive and the first of the next


async def test_closing_in_the_middle_of_a_flood(reading: Reading) -> None:
    reading.theirs.sendall(b"".join(message(number) for number in range(1, 5 * MESSAGES_PER_TURN)))
    await reading.found.get()
    before = reading.found.qsize()
    reading.receiver.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reading.found.qsize() == before


async def test_the_end_of_the_stream(reading: Reading) -> None:
    reading.theirs.close()
    await reading.ended.wait()
    assert reading.lost == ["the bus closed the connection"]


async def test_what_is_no_message_ends_it(reading: Reading) -> None:
    reading.theirs.sendall(b"\0" * 16)
    await reading.ended.wait()
    assert "no D-Bus message" in reading.lost[0]


async def test_a_process_without_descriptors_left_loses_only_those(reading: Reading) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open("/dev/null", "rb") as file:
        first = message(1, fds=1)
        socket.send_fds(reading.theirs, [first[:20]], [file.fileno()])
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        fillers = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        try:
            while True:
                try:
                    fillers.append(os.dup(file.fileno()))
                except OSError:
                    break
            await reading.received.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                os.close(filler)
        socket.send_fds(reading.theirs, [first[20:] + message(2, fds=1)], [file.fileno()])
    lost = await reading.found.get()
    assert not lost.complete
    kept = await reading.found.get()
    assert kept.complete
    kept.close()
