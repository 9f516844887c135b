"""Packets between the daemon and a token's process: whatever comes is a packet or is refused."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers.isolated.messages import FIELD_MAX, PACKET_MAX, MalformedPacket, compose, parse, receive


@given(st.integers(0, 255), st.lists(st.binary(max_size=200), max_size=20))
def test_what_is_composed_is_parsed_as_it_was(code: int, fields: list[bytes]) -> None:
    found, parsed = parse(compose(code, fields))
    assert (found, [bytes(one) for one in parsed]) == (code, fields)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_packet_or_refused(raw: bytes) -> None:
    try:
        code, fields = parse(memoryview(raw))
    except MalformedPacket:
        return
    assert bytes(compose(code, fields)) == raw


@pytest.mark.parametrize("fields", [[bytes(FIELD_MAX + 1)], [bytes(FIELD_MAX)] * 3, [b""] * 513])
def test_what_is_too_long_is_not_composed(fields: list[bytes]) -> None:
    with pytest.raises(ValueError, match="no packet"):
        compose(1, fields)


def test_a_packet_that_is_too_long_is_refused_and_the_end_is_none() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            theirs.send(bytes(PACKET_MAX + 1))
            with pytest.raises(MalformedPacket, match="more than"):
                receive(ours)
        assert receive(ours) is None
