"""Answers of an Assuan server, read without a copy."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cli.assuan import AnswerPipe, unescaped
from cardd.errors import AgentFailed


async def test_lines_come_one_by_one_however_they_were_written() -> None:
    with AnswerPipe() as pipe:
        os.write(pipe.writing, b"OK hello\nD 12")
        assert bytes(await pipe.line()) == b"OK hello"
        os.write(pipe.writing, b"34\nOK\n")
        data = await pipe.line()
        assert bytes(data) == b"D 1234"
        assert bytes(await pipe.line()) == b"OK"
        assert b"34" not in bytes(data), "a line is wiped when the next is asked for"


async def test_what_came_is_wiped_at_the_end() -> None:
    with AnswerPipe() as pipe:
        os.write(pipe.writing, b"D 1234\nOK\n")
        line = await pipe.line()
    assert bytes(line) == bytes(6)


async def test_a_server_that_ends_or_never_ends_its_line_is_an_error() -> None:
    with AnswerPipe() as pipe:
        os.write(pipe.writing, b"D 12")
        pipe.close_writing()
        with pytest.raises(AgentFailed):
            await pipe.line()
    with AnswerPipe() as pipe:
        os.write(pipe.writing, b"x" * 5000)
        with pytest.raises(AgentFailed):
            await pipe.line()


@given(st.binary(max_size=64))
def test_escaped_octets_come_back(plain: bytes) -> None:
    for form in ("%{:02X}", "%{:02x}"):
        escaped = "".join(form.format(one) for one in plain).encode()
        assert bytes(unescaped(memoryview(escaped))) == plain


@pytest.mark.parametrize("raw", [b"%", b"%4", b"%4G", b"1%%%"])
def test_a_broken_escape_is_an_error(raw: bytes) -> None:
    with pytest.raises(AgentFailed):
        unescaped(memoryview(raw))
