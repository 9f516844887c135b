"""Codes asked on a terminal: no echo, no copies, cancelled when the question is moot."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cli import terminal as module
from cardd.cli.terminal import Terminal, read_line
from cardd.errors import DescriptorUnusable, NotAuthorizedDismissed


class Pair:
    """A pseudo-terminal: cardctl's side, and the user's."""

    def __init__(self) -> None:
        self.user, self.program = pty.openpty()
        self.terminal = Terminal(self.program)
        self._echo: list[bool] = []

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.program)[3] & termios.ECHO)

    async def until_shown(self, text: str) -> str:
        """Read what the user sees until a text is there."""
        seen = ""
        while text not in seen:
            await _readable(self.user)
            seen += os.read(self.user, 4096).decode()
        return seen

    def type(self, text: bytes) -> None:
        """The user types."""
        os.write(self.user, text)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    await ready.wait()
    loop.remove_reader(descriptor)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    os.close(made.user)
    os.close(made.program)


async def test_a_code_is_not_echoed(pair: Pair) -> None:
    asking = asyncio.create_task(pair.terminal.ask_secret("PIN:"))
    seen = await pair.until_shown("PIN: ")
    assert not pair.echoes()
    pair.type(b"1234\n")
    assert await asking == bytearray(b"1234")
    assert pair.echoes()
    pair.terminal.tell("done")
    seen += await pair.until_shown("done")
    assert "1234" not in seen


@pytest.mark.parametrize("typed", [b"\n", b"\x04"])
async def test_an_empty_answer_dismisses_the_question(pair: Pair, typed: bytes) -> None:
    asking = asyncio.create_task(pair.terminal.ask_secret("PIN:"))
    await pair.until_shown("PIN: ")
    pair.type(typed)
    with pytest.raises(NotAuthorizedDismissed):
        await asking
    assert pair.echoes()


async def test_a_moot_question_is_given_up_and_the_echo_comes_back(pair: Pair) -> None:
    asking = asyncio.create_task(pair.terminal.ask_secret("PIN:"))
    await pair.until_shown("PIN: ")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert pair.echoes()


@pytest.mark.parametrize(
    ("typed", "agreed"), [(b"y\n", True), (b"o\n", True), (b" Oui \n", True), (b"n\n", False), (b"\n", False)]
)
async def test_only_a_yes_is_a_yes(pair: Pair, typed: bytes, agreed: bool) -> None:
    asking = asyncio.create_task(pair.terminal.confirm("Go on?"))
    await pair.until_shown("Go on? ")
    pair.type(typed)
    assert await asking is agreed


def _pipe_with(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


@given(line=st.binary(max_size=module._LINE_MAX - 1).filter(lambda line: b"\n" not in line and b"\r" not in line),
       rest=st.binary(max_size=20))  # fmt: skip
def test_a_line_is_read_and_no_more(line: bytes, rest: bytes) -> None:
    reading = _pipe_with(line + b"\n" + rest)
    try:
        assert read_line(reading) == bytearray(line)
        assert os.read(reading, 100) == rest
    finally:
        os.close(reading)


@pytest.mark.parametrize(("content", "line"), [(b"1234", b"1234"), (b"1234\r\n", b"1234"), (b"", b""), (b"\n", b"")])
def test_ends_of_lines(content: bytes, line: bytes) -> None:
    reading = _pipe_with(content)
    assert read_line(reading) == bytearray(line)
    os.close(reading)


def test_an_endless_line_is_refused() -> None:
    reading = _pipe_with(b"1" * module._LINE_MAX)
    with pytest.raises(DescriptorUnusable):
        read_line(reading)
    os.close(reading)


def test_what_is_no_line_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    wiped: list[bytes] = []
    monkeypatch.setattr(module, "wipe", lambda buffer: wiped.append(bytes(buffer)))
    reading = _pipe_with(b"1234\n" + b"1" * module._LINE_MAX)
    read_line(reading)
    with pytest.raises(DescriptorUnusable):
        read_line(reading)
    os.close(reading)
    assert [content[:4] for content in wiped] == [b"1111"], "a line is its reader's to wipe"


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(DescriptorUnusable, match="Bad file descriptor"):
        read_line(987)
