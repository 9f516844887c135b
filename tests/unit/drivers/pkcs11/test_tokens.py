"""The list of tokens that a watching process tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers.isolated.messages import MalformedPacket
from cardd_drivers.pkcs11.tokens import TokenSeen, parse_tokens

SEEN = TokenSeen(7, 0, "Reader 00", "étiquette", "0001")


def views(fields: list[bytes]) -> list[memoryview]:
    return [memoryview(one) for one in fields]


def test_a_list_is_read_as_it_was_told() -> None:
    other = TokenSeen(8, 2, "", "", "")
    assert parse_tokens(views(SEEN.fields() + other.fields())) == (SEEN, other)
    assert parse_tokens([]) == ()


@pytest.mark.parametrize(
    "fields", [SEEN.fields()[:-1], SEEN.fields() * 2, [b"x", *SEEN.fields()[1:]], [*SEEN.fields()[:-1], b"\xff"]]
)
def test_what_is_no_list_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(MalformedPacket):
        parse_tokens(views(fields))


@given(st.lists(st.binary(max_size=10), max_size=12))
def test_any_fields_are_a_list_or_refused(fields: list[bytes]) -> None:
    try:
        found = parse_tokens(views(fields))
    except MalformedPacket:
        return
    assert len(found) == len({one.slot for one in found})
