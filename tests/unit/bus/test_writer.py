"""The queue: full sockets, order, the last look, descriptors, a bus that does not read."""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator

import pytest

from cardd.bus.descriptors import OwnedFd
from cardd.bus.outgoing import MESSAGE_OVERHEAD, Outgoing
from cardd.bus.writer import MESSAGES_PER_TURN, Writer

LIMIT = 64 * 1024 * 1024


class Pair:
    """A writer and the other end of its socket."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.lost: list[str] = []
        self.writer = Writer(self.ours, limit, self.lost.append)

    def fill(self) -> int:
        """Send until the socket takes no more; gives the number of bytes in it."""
        size = 0
        while not self.writer.waiting_bytes:
            self.writer.push(Outgoing(b"f" * 4096))
            size += 4096
        return size

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(self.theirs, size - len(data))
        return data

    def close(self) -> None:
        self.writer.close()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
async def pair() -> Pair:
    return Pair()


@pytest.fixture(autouse=True)
def _close(pair: Pair) -> Iterator[None]:
    yield
    pair.close()


def null() -> OwnedFd:
    return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


async def test_what_the_socket_takes_leaves_at_once(pair: Pair) -> None:
    pair.writer.push(Outgoing(b"hello"))
    assert pair.theirs.recv(100) == b"hello"
    assert not pair.writer.waiting_bytes


async def test_a_full_socket_is_waited_for(pair: Pair) -> None:
    """dbus-next's writer ends the connection at EAGAIN."""
    size = pair.fill()
    for number in range(100):
        pair.writer.push(Outgoing(b"%05d" % number * 200))
    received = await pair.read(size + 100 * 1000)
    assert received == b"f" * size + b"".join(b"%05d" % number * 200 for number in range(100))
    await pair.writer.flushed()
    assert not pair.lost
    assert not pair.writer.waiting_bytes


async def test_urgent_messages_overtake_in_their_own_order_and_split_none(pair: Pair) -> None:
    size = pair.fill()  # the last of them has begun to leave, or stands at its beginning
    started = pair.writer._normal[0].started
    pair.writer.push(Outgoing(b"normal"))
    pair.writer.push(Outgoing(b"urgent1"), urgent=True)
    pair.writer.push(Outgoing(b"urgent2"), urgent=True)
    received = await pair.read(size + len(b"normalurgent1urgent2"))
    rest = received[size if started else size - 4096 :].replace(b"f" * 4096, b"F")
    assert rest in (b"urgent1urgent2normal", b"urgent1urgent2Fnormal")


async def test_a_message_in_mid_write_is_not_split_by_an_urgent_one(pair: Pair) -> None:
    big = b"b" * 4_000_000
    pair.writer.push(Outgoing(big))
    assert pair.writer._normal[0].started
    pair.writer.push(Outgoing(b"urgent"), urgent=True)
    assert await pair.read(len(big) + 6) == big + b"urgent"


async def test_the_last_look_is_at_the_first_byte(pair: Pair) -> None:
    """A result that waits in the queue when the session ends never leaves."""
    size = pair.fill()
    ended = False
    pair.writer.push(Outgoing(b"result", substitute=lambda: b"ended!" if ended else None))
    ended = True
    pair.writer.push(Outgoing(b"Ended"), urgent=True)
    received = await pair.read(size + 11)
    assert received.replace(b"f", b"") == b"Endedended!"


async def test_the_last_look_lets_a_good_result_through(pair: Pair) -> None:
    pair.writer.push(Outgoing(b"result", substitute=lambda: None))
    assert pair.theirs.recv(100) == b"result"


async def test_a_substitute_takes_no_descriptor_along(pair: Pair) -> None:
    descriptor = null()
    pair.writer.push(Outgoing(b"result", [descriptor], substitute=lambda: b"ended!"))
    data, descriptors, _, _ = socket.recv_fds(pair.theirs, 100, 4)
    assert (data, descriptors) == (b"ended!", [])
    assert descriptor.closed


async def test_what_a_last_look_sends_comes_after(pair: Pair) -> None:
    def look() -> None:
        pair.writer.push(Outgoing(b"later"))

    pair.writer.push(Outgoing(b"result", substitute=look))
    assert pair.theirs.recv(100) == b"resultlater"


async def test_descriptors_travel_and_are_closed(pair: Pair) -> None:
    """dbus-next never closes those that it returned."""
    descriptor = null()
    pair.writer.push(Outgoing(b"message", [descriptor]))
    data, descriptors, _, _ = socket.recv_fds(pair.theirs, 100, 4)
    assert data == b"message"
    assert len(descriptors) == 1
    os.close(descriptors[0])
    assert descriptor.closed


async def test_descriptors_of_a_message_that_waits_stay_open_until_it_leaves(pair: Pair) -> None:
    size = pair.fill()
    descriptor = null()
    pair.writer.push(Outgoing(b"message", [descriptor]))
    assert not descriptor.closed
    await pair.read(size)
    await pair.writer.flushed()
    assert descriptor.closed


async def test_closing_closes_the_descriptors_that_wait(pair: Pair) -> None:
    pair.fill()
    waiting, urgent, late = null(), null(), null()
    pair.writer.push(Outgoing(b"m", [waiting]))
    pair.writer.push(Outgoing(b"m", [urgent]), urgent=True)
    pair.writer.close()
    assert not pair.writer.push(Outgoing(b"m", [late]))
    assert waiting.closed
    assert urgent.closed
    assert late.closed


async def test_a_bus_that_went_away_is_lost_once(pair: Pair) -> None:
    pair.theirs.close()
    assert not pair.writer.push(Outgoing(b"one"))
    assert not pair.writer.push(Outgoing(b"two"))
    assert len(pair.lost) == 1
    assert "EPIPE" in pair.lost[0]


async def test_a_bus_that_does_not_read_is_lost() -> None:
    pair = Pair(limit=100_000)
    try:
        pushed = 0
        while pair.writer.push(Outgoing(b"x" * 1000)):
            pushed += 1
            assert pushed < 10_000
        assert "does not read" in pair.lost[0]
        assert not pair.writer.waiting_bytes
    finally:
        pair.close()


async def test_small_messages_count_too() -> None:
    pair = Pair(limit=50 * MESSAGE_OVERHEAD)
    try:
        pair.fill()
        for _ in range(60):
            pair.writer.push(Outgoing(b"x"))
        assert pair.lost
    finally:
        pair.close()


async def test_flushed_returns_when_the_connection_closes(pair: Pair) -> None:
    pair.fill()
    waiting = asyncio.ensure_future(pair.writer.flushed())
    await asyncio.sleep(0)
    assert not waiting.done()
    pair.writer.close()
    await waiting


async def test_a_long_queue_leaves_the_loop_its_turn(pair: Pair) -> None:
    size = pair.fill()
    for _ in range(5 * MESSAGES_PER_TURN):
        pair.writer.push(Outgoing(b"small"))
    waiting = len(pair.writer._normal)
    assert waiting >= 5 * MESSAGES_PER_TURN
    reading = asyncio.ensure_future(pair.read(size + 5 * MESSAGES_PER_TURN * 5))
    steps = []
    while pair.writer._normal:
        await asyncio.sleep(0)
        steps.append(waiting - len(pair.writer._normal))
        waiting = len(pair.writer._normal)
    assert max(steps) <= MESSAGES_PER_TURN
    await reading


class NoMoreDescriptors:
    """A socket whose kernel passes no more descriptors (ETOOMANYREFS, unix(7))."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendmsg(self, buffers: list[memoryview], ancillary: list[object], _flags: int) -> int:
        if ancillary:
            raise OSError(errno.ETOOMANYREFS, "too many references")
        return self.send(bytes(buffers[0]), 0)

    def send(self, data: bytes, _flags: int) -> int:
        self.sent.append(data)
        return len(data)


async def test_too_many_descriptors_on_their_way_cost_only_that_reply() -> None:
    lost: list[str] = []
    sock = NoMoreDescriptors()
    writer = Writer(sock, LIMIT, lost.append)  # type: ignore[arg-type]  # a stand-in for a condition of the kernel
    descriptor = null()
    assert writer.push(Outgoing(b"reply", [descriptor], too_many_descriptors=b"sorry"))
    assert sock.sent == [b"sorry"]
    assert descriptor.closed
    assert not lost
