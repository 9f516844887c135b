"""Command APDUs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.apdu import CommandApdu, Response, parse
from cardsim.status_words import StatusError


@pytest.mark.parametrize(
    ("command", "data", "le"),
    [
        ("00840000", b"", None),
        ("0084000008", b"", 8),
        ("00B0000000", b"", 256),
        ("00A4020C023F00", b"\x3f\x00", None),
        ("00A40204023F0000", b"\x3f\x00", 256),
        ("00A40204023F0010", b"\x3f\x00", 16),
    ],
)
def test_four_cases(command: str, data: bytes, le: int | None) -> None:
    """Cases 1 to 4 with short lengths."""
    parsed = parse(bytes.fromhex(command))
    assert (parsed.data, parsed.le) == (data, le)
    assert bytes(parsed.header) == bytes.fromhex(command)[:4]


@pytest.mark.parametrize(
    "command", ["", "00", "00A402", "00A4020C03AABB", "00A4020C02AABBCCDD", "00B000000000FF", "0020000100AA"]
)
def test_anything_else_is_a_wrong_length(command: str) -> None:
    """Cut headers, lengths that do not add up, extended lengths."""
    with pytest.raises(StatusError) as refused:
        parse(bytes.fromhex(command))
    assert refused.value.sw == 0x6700


@given(st.binary(max_size=300))
def test_parsing_ends_in_an_apdu_or_a_wrong_length(command: bytes) -> None:
    """Nothing else comes out of any bytes."""
    refused = 0x6700
    try:
        parsed = parse(command)
    except StatusError as error:
        refused = error.sw
    else:
        le = b"" if parsed.le is None else bytes([parsed.le & 0xFF])
        lc = bytes([len(parsed.data)]) if parsed.data else b""
        assert bytes(parsed.header) + lc + parsed.data + le == command
    assert refused == 0x6700


def test_data_stay_out_of_repr() -> None:
    """A PIN may be in them."""
    assert "1234" not in repr(CommandApdu(0, 0x20, 0, 1, b"1234"))
    assert "secret" not in repr(Response(b"secret"))


@pytest.mark.parametrize(
    ("command", "data", "le"),
    [
        ("00B00000000100", b"", 256),
        ("00B00000000000", b"", 65536),
        ("00A4020C0000023F00", b"\x3f\x00", None),
        ("00A402040000023F000000", b"\x3f\x00", 65536),
        ("00A402040000023F000100", b"\x3f\x00", 256),
        ("00B0000000", b"", 256),
        ("00A40204023F0010", b"\x3f\x00", 16),
    ],
)
def test_extended_lengths(command: str, data: bytes, le: int | None) -> None:
    """Where they are taken, beside the short ones."""
    parsed = parse(bytes.fromhex(command), extended=True)
    assert (parsed.data, parsed.le) == (data, le)


@pytest.mark.parametrize("command", ["00B000000000", "00A402040000023F", "00A402040000023F0000", "00A40204000000AA"])
def test_extended_lengths_that_do_not_add_up(command: str) -> None:
    """6700."""
    with pytest.raises(StatusError) as refused:
        parse(bytes.fromhex(command), extended=True)
    assert refused.value.sw == 0x6700
