"""BER-TLV."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim import tlv

TAGS = st.sampled_from([0x04, 0x30, 0x80, 0x7F48, 0x7F41, 0xBF8101, 0xBFFB05])


@given(st.lists(st.tuples(TAGS, st.binary(max_size=400)), max_size=5))
def test_what_is_encoded_is_parsed_back(items: list[tuple[int, bytes]]) -> None:
    """Tags of one to three bytes, lengths of one to three."""
    objects = [tlv.Tlv(tag, value) for tag, value in items]
    assert tlv.parse(b"".join(item.encode() for item in objects)) == objects


@given(st.binary(max_size=64))
def test_any_bytes_parse_or_raise_the_one_error(data: bytes) -> None:
    """Hostile input."""
    try:
        objects = tlv.parse(data)
    except tlv.TlvError as error:
        objects, offset = [], error.offset
    else:
        offset = 0
    assert 0 <= offset <= len(data)
    assert sum(len(item.value) for item in objects) <= len(data)


@pytest.mark.parametrize("data", ["80", "8002AA", "8080AA0000", "808201", "7F", "BF81", "BF818181", "8084000000AA"])
def test_truncated_and_indefinite_are_refused(data: str) -> None:
    """Cut tags, cut lengths, cut values."""
    with pytest.raises(tlv.TlvError):
        tlv.parse(bytes.fromhex(data))


def test_lengths_in_their_shortest_form() -> None:
    """127, 128 and 256 bytes."""
    assert tlv.encode(0x04, bytes(127))[:2] == bytes.fromhex("047F")
    assert tlv.encode(0x04, bytes(128))[:3] == bytes.fromhex("048180")
    assert tlv.encode(0x04, bytes(128), bytes(128))[:4] == bytes.fromhex("04820100")
