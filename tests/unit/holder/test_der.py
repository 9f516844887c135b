"""The strict DER reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.holder import der
from cardd.holder.errors import DerError, MalformedCertificate
from cardd.holder.fields import read_fields


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("02", 1),  # no length
        ("0201", 0),  # value truncated
        ("028101", 1),  # long form of a short length
        ("02820080" + "00" * 128, 1),  # leading zero in the length
        ("3080", 1),  # indefinite
        ("02850000000001", 1),  # five length octets
        ("0282", 1),  # length truncated
        ("1f0100", 0),  # tag above 30
        ("020100" + "02", 4),  # a second element breaks off
    ],
)
def test_what_is_not_der_is_refused_with_its_offset(data: str, offset: int) -> None:
    with pytest.raises(DerError) as raised:
        list(der.elements(bytes.fromhex(data)))
    assert raised.value.offset == offset


def test_elements_in_their_order() -> None:
    found = list(der.elements(bytes.fromhex("020105" + "0c024142" + "0481" + "80" + "00" * 128)))
    assert [(e.tag, len(e.value), e.offset) for e in found] == [(0x02, 1, 0), (0x0C, 2, 3), (0x04, 128, 7)]


@pytest.mark.parametrize(
    ("contents", "value"), [("00", 0), ("7f", 127), ("0080", 128), ("80", -128), ("ff", -1), ("00ff", 255)]
)
def test_integers(contents: str, value: int) -> None:
    assert der.integer(bytes.fromhex(contents)) == value


@pytest.mark.parametrize("contents", ["", "0000", "007f", "ff80", "ffff"])
def test_integers_not_in_their_shortest_form(contents: str) -> None:
    with pytest.raises(DerError):
        der.integer(bytes.fromhex(contents))


@given(st.integers())
def test_every_integer_is_read_back(value: int) -> None:
    contents = value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)
    assert der.integer(contents) == value


@pytest.mark.parametrize(
    ("contents", "dotted"),
    [("2a817a01470102" + "02", "1.2.250.1.71.1.2.2"), ("550403", "2.5.4.3"), ("883703", "2.999.3"), ("27", "0.39")],
)
def test_object_identifiers(contents: str, dotted: str) -> None:
    assert der.object_identifier(bytes.fromhex(contents)) == dotted


@pytest.mark.parametrize("contents", ["", "2a81", "2a8001", "2a" + "ff" * 19 + "7f"])
def test_malformed_object_identifiers(contents: str) -> None:
    with pytest.raises(DerError):
        der.object_identifier(bytes.fromhex(contents))


@pytest.mark.parametrize(
    ("tag", "value", "text"),
    [
        (0x0C, "É".encode(), "É"),
        (0x13, b"FR", "FR"),
        (0x14, b"\xc9", "É"),
        (0x1E, "É".encode("utf-16-be"), "É"),
        (0x1C, "É".encode("utf-32-be"), "É"),
    ],
)
def test_strings(tag: int, value: bytes, text: str) -> None:
    assert der.string(der.Element(tag, value, 0)) == text


@pytest.mark.parametrize(("tag", "value"), [(0x0C, b"\xff"), (0x13, b"\xc9"), (0x1E, b"\x00"), (0x04, b"A")])
def test_octets_that_are_no_string_are_not_shown(tag: int, value: bytes) -> None:
    with pytest.raises(DerError) as raised:
        der.string(der.Element(tag, value, 0))
    assert raised.value.__cause__ is None


@given(st.binary(max_size=200))
def test_hostile_bytes_give_elements_or_the_one_error(data: bytes) -> None:
    found: list[der.Element] = []
    try:
        found.extend(der.elements(data))
    except DerError as error:
        offset = error.offset
    else:
        offset = len(data)
    assert 0 <= offset <= len(data)
    assert sum(len(e.value) + 2 for e in found) <= len(data)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(MalformedCertificate):
        read_fields(data)
