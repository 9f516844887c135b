"""The stream cut into messages, whatever pieces it comes in."""

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.bus.descriptors import OwnedFd
from cardd.bus.framing import Framer, Incoming
from cardd.bus.message import Header, Kind, encode_message
from cardd.bus.syntax import Malformed
from cardd.bus.wire import encode_body

LIMIT = 1024


def message(text: str, *, serial: int = 1, fds: int = 0, path: str = "/a") -> bytes:
    body, _ = encode_body("s", [text])
    header = Header(Kind.METHOD_CALL, 0, serial, path=path, member="M", signature="s", unix_fds=fds)
    return encode_message(header, body)


def drain(framer: Framer) -> list[Incoming]:
    found = []
    while (one := framer.next()) is not None:
        found.append(one)
    return found


def null() -> OwnedFd:
    return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=6), st.data())
def test_any_pieces_give_the_same_messages(lengths: list[int], data: st.DataObject) -> None:
    """Longer messages than allowed among them: only their bodies are missing."""
    texts = ["x" * length for length in lengths]
    stream = b"".join(message(text, serial=number) for number, text in enumerate(texts, 1))
    framer, found = Framer(LIMIT), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        framer.feed(stream[:size])
        stream = stream[size:]
        found += drain(framer)
    assert [one.header.serial for one in found] == list(range(1, len(texts) + 1))
    for one, text in zip(found, texts, strict=True):
        assert one.too_long == (len(message(text)) > LIMIT)
        if one.too_long:
            assert one.body == b""
        else:
            assert one.values("s") == [text]


def test_the_body_of_a_long_message_is_not_kept() -> None:
    framer = Framer(LIMIT)
    long = message("x" * 100_000)
    framer.feed(long[:200])
    (found,) = drain(framer)
    assert found.too_long
    assert found.header.member == "M"
    for start in range(200, len(long), 1000):
        framer.feed(long[start : start + 1000])
        assert len(framer._buffer) == 0
    framer.feed(message("after"))
    assert drain(framer)[0].values("s") == ["after"]


def test_a_header_beyond_the_limit_is_thrown_away(caplog: pytest.LogCaptureFixture) -> None:
    framer = Framer(LIMIT)
    descriptor = null()
    huge = struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, 1, 4096) + bytes(4096)
    framer.feed(huge[:50], [descriptor])
    assert framer.next() is None
    assert not framer._buffer
    framer.feed(huge[50:] + message("after"))
    assert [one.values("s") for one in drain(framer)] == [["after"]]
    assert descriptor.closed
    assert "thrown away" in caplog.text


def test_a_header_that_cannot_be_read_costs_only_itself() -> None:
    framer = Framer(LIMIT)
    descriptor = null()
    broken = struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, 1, 8) + b"\1\1o\0\xff\xff\xff\0"
    framer.feed(broken, [descriptor])
    framer.feed(message("after"))
    assert [one.values("s") for one in drain(framer)] == [["after"]]
    assert descriptor.closed


def test_what_is_no_message_ends_the_stream() -> None:
    framer = Framer(LIMIT)
    framer.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(Malformed):
        framer.next()


def test_descriptors_go_to_the_message_that_they_came_with() -> None:
    framer = Framer(LIMIT)
    first, second, third = null(), null(), null()
    framer.feed(message("none", serial=1) + message("two", serial=2, fds=2), [first, second])
    framer.feed(message("none", serial=3) + message("one", serial=4, fds=1)[:20], [third])
    framer.feed(message("one", serial=4, fds=1)[20:])
    found = {one.header.serial: one.descriptors for one in drain(framer)}
    assert found == {1: [], 2: [first, second], 3: [], 4: [third]}
    for descriptors in found.values():
        for descriptor in descriptors:
            descriptor.close()


def test_lost_descriptors_do_not_shift_those_of_the_next_message() -> None:
    framer = Framer(LIMIT)
    descriptor = null()
    framer.feed(message("lost", serial=1, fds=2), [])
    framer.feed(message("kept", serial=2, fds=1), [descriptor])
    lost, kept = drain(framer)
    assert not lost.complete
    assert kept.complete
    assert kept.descriptors == [descriptor]
    kept.close()
    assert descriptor.closed


def test_closing_closes_what_never_became_a_message() -> None:
    framer = Framer(LIMIT)
    descriptor = null()
    framer.feed(message("half", fds=1)[:30], [descriptor])
    assert framer.next() is None
    framer.close()
    assert descriptor.closed
