"""Secrets by descriptor: every way in which the other side can get it wrong, or try to hurt."""

import asyncio
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.errors import CarddError, DescriptorUnusable, SessionEnded
from cardd.sessions.descriptors import read_secret, write_plaintext
from cardd.sessions.secret import Secret

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    take, put = os.pipe2(os.O_CLOEXEC)
    yield take, put
    for end in (take, put):
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def memfd(content: bytes, seals: int) -> int:
    descriptor = os.memfd_create("pin", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def valid() -> CarddError | None:
    return None


async def test_a_pipe_is_read_to_its_end(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"12")
    reading = asyncio.create_task(read_secret(pipe[0], limit=16, timeout=5))
    await asyncio.sleep(0)
    os.write(pipe[1], b"34")
    os.close(pipe[1])
    assert (await reading).buffer == bytearray(b"1234")


async def test_a_pipe_is_never_waited_for_with_the_loop_held(pipe: tuple[int, int]) -> None:
    """The read end blocks by its flags, and another reader takes the bytes between the wake-up and the read."""
    os.write(pipe[1], b"1")
    reading = asyncio.create_task(read_secret(pipe[0], limit=16, timeout=0.2))
    await asyncio.sleep(0)
    os.read(pipe[0], 1)
    with pytest.raises(DescriptorUnusable, match="did not finish"):
        await reading


async def test_a_writer_that_never_writes_is_given_up(pipe: tuple[int, int]) -> None:
    with pytest.raises(DescriptorUnusable, match="did not finish within"):
        await read_secret(pipe[0], limit=16, timeout=0.05)


async def test_an_endless_writer_is_cut_at_the_limit(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"9" * 4096)
    with pytest.raises(DescriptorUnusable, match="more than 16 bytes"):
        await read_secret(pipe[0], limit=16, timeout=5)


async def test_an_empty_pipe_gives_an_empty_secret(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    assert len(await read_secret(pipe[0], limit=16, timeout=5)) == 0


async def test_the_write_end_cannot_be_read(pipe: tuple[int, int]) -> None:
    with pytest.raises(DescriptorUnusable):
        await read_secret(pipe[1], limit=16, timeout=0.2)


async def test_a_closed_descriptor_is_named(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(DescriptorUnusable, match="not open"):
        await read_secret(pipe[0], limit=16, timeout=1)


async def test_a_sealed_memfd_is_read() -> None:
    descriptor = memfd(b"1234", SEALS)
    assert (await read_secret(descriptor, limit=16, timeout=1)).buffer == bytearray(b"1234")
    os.close(descriptor)


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_WRITE, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK])
async def test_a_memfd_that_can_still_change_is_refused(seals: int) -> None:
    descriptor = memfd(b"1234", seals)
    with pytest.raises(DescriptorUnusable, match="not sealed"):
        await read_secret(descriptor, limit=16, timeout=1)
    os.close(descriptor)


async def test_a_huge_memfd_is_refused() -> None:
    descriptor = memfd(b"1" * 100_000, SEALS)
    with pytest.raises(DescriptorUnusable, match="more than 16"):
        await read_secret(descriptor, limit=16, timeout=1)
    os.close(descriptor)


async def test_a_plain_file_a_device_and_a_socket_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    path.write_bytes(b"1234")
    ours, theirs = socket.socketpair()
    with path.open("rb") as file, Path("/dev/zero").open("rb") as device, ours, theirs:
        for descriptor in (file.fileno(), device.fileno(), ours.fileno()):
            with pytest.raises(DescriptorUnusable, match="neither a pipe nor a memfd"):
                await read_secret(descriptor, limit=16, timeout=1)
            with pytest.raises(DescriptorUnusable, match="neither a pipe nor a memfd"):
                await write_plaintext(descriptor, Secret(bytearray(b"x")), timeout=1, still_valid=valid)


async def test_a_plaintext_goes_into_a_pipe_and_into_a_memfd(pipe: tuple[int, int]) -> None:
    await write_plaintext(pipe[1], Secret(bytearray(b"plain")), timeout=1, still_valid=valid)
    assert os.read(pipe[0], 100) == b"plain"
    descriptor = os.memfd_create("out")
    await write_plaintext(descriptor, Secret(bytearray(b"plain")), timeout=1, still_valid=valid)
    assert os.pread(descriptor, 100, 0) == b"plain"
    os.close(descriptor)


async def test_a_full_pipe_is_given_up_without_holding_the_loop(pipe: tuple[int, int]) -> None:
    size = fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ)
    os.write(pipe[1], b"x" * size)
    with pytest.raises(DescriptorUnusable, match="nobody made room"):
        await write_plaintext(pipe[1], Secret(bytearray(b"plain")), timeout=0.05, still_valid=valid)


async def test_a_pipe_without_reader_is_named(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(DescriptorUnusable, match="cannot be written"):
        await write_plaintext(pipe[1], Secret(bytearray(b"plain")), timeout=1, still_valid=valid)


async def test_nothing_is_written_once_the_session_has_ended(pipe: tuple[int, int]) -> None:
    with pytest.raises(SessionEnded):
        await write_plaintext(
            pipe[1],
            Secret(bytearray(b"plain")),
            timeout=1,
            still_valid=lambda: SessionEnded(reason="card-removed"),
        )
    os.set_blocking(pipe[0], False)
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 1)


async def test_no_descriptor_is_left_open(pipe: tuple[int, int]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(DescriptorUnusable):
            await read_secret(pipe[0], limit=16, timeout=0.001)
        await write_plaintext(pipe[1], Secret(bytearray(b"p")), timeout=1, still_valid=valid)
        os.read(pipe[0], 10)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_secret_is_wiped_and_shows_nothing() -> None:
    buffer = bytearray(b"1234")
    with memoryview(buffer) as same_memory, Secret(buffer) as secret:
        assert "1234" not in repr(secret)
        secret.wipe()
        assert same_memory == bytes(4)
    raised = bytearray(b"1234")
    with pytest.raises(LookupError), Secret(raised):
        raise LookupError
    assert raised == bytes(4)
