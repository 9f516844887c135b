"""BER-TLV and ASN.1 values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers import tlv
from cardd_drivers.contract import MalformedCardData
from cardd_drivers.tlv import Tlv


def value(data: str, tag: int = 0x04) -> Tlv:
    return Tlv(tag, bytes.fromhex(data), 0)


def test_padding_between_objects_is_skipped_and_offsets_count_it() -> None:
    assert tlv.parse(bytes.fromhex("00 0402AABB FFFF 020105 00")) == (
        Tlv(0x04, b"\xaa\xbb", 3),
        Tlv(0x02, b"\x05", 9),
    )


@pytest.mark.parametrize("length", ["81C8", "8200C8", "830000C8"])
def test_long_lengths_are_read_minimal_or_not(length: str) -> None:
    (found,) = tlv.parse(bytes.fromhex("04" + length) + bytes(200))
    assert len(found.value) == 200


def test_a_tag_of_two_octets_is_one_number_and_knows_that_it_is_constructed() -> None:
    (found,) = tlv.parse(bytes.fromhex("7F4103 800108"))
    assert (found.tag, found.constructed) == (0x7F41, True)
    assert tlv.children(found) == (Tlv(0x80, b"\x08", 5),)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("04", 1),  # no length
        ("0403AABB", 2),  # value cut
        ("0480AABB0000", 1),  # indefinite length
        ("0484000000010A", 1),  # length in 4 octets
        ("0482FF", 2),  # length cut
        ("1F8181", 3),  # endless tag
        ("020105 0405", 5),  # the second object
    ],
)
def test_what_does_not_fit_is_refused_with_its_offset(data: str, offset: int) -> None:
    with pytest.raises(MalformedCardData) as refused:
        tlv.parse(bytes.fromhex(data))
    assert refused.value.offset == offset


def test_an_error_in_a_child_tells_its_offset_in_the_file() -> None:
    (outer,) = tlv.parse(bytes.fromhex("3006 020105 0405AA"))
    with pytest.raises(MalformedCardData) as refused:
        tlv.children(outer)
    assert refused.value.offset == 7


def test_a_primitive_object_has_no_children() -> None:
    with pytest.raises(MalformedCardData):
        tlv.children(value("0500"))


@pytest.mark.parametrize(("data", "whole"), [("", True), ("0402AABB", True), ("0402AA", False), ("0402AABB30", False)])
def test_a_cut_is_noticed(data: str, whole: bool) -> None:
    assert tlv.is_complete(bytes.fromhex(data)) is whole


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        ("0560", {1, 2}),
        ("060040", {9}),
        ("040C10", {4, 5, 11}),
        ("00", set()),
        ("08", set()),  # as published cards have it
        ("0800", set()),
    ],
)
def test_bit_strings_well_formed_and_as_published_cards_have_them(data: str, bits: set[int]) -> None:
    assert tlv.bit_string(value(data)) == bits


@pytest.mark.parametrize("data", ["", "0801", "0900", "05"])
def test_other_malformed_bit_strings_are_refused(data: str) -> None:
    with pytest.raises(MalformedCardData):
        tlv.bit_string(value(data))


@pytest.mark.parametrize(("data", "number"), [("00", 0), ("0081", 0x81), ("82", 0x82), ("7F", 0x7F), ("00FF", 0xFF)])
def test_a_reference_is_a_byte_also_where_asn1_reads_it_negative(data: str, number: int) -> None:
    assert tlv.reference(value(data)) == number


@pytest.mark.parametrize("data", ["", "0100", "FF00", "00" * 9])
def test_a_reference_that_is_no_byte_is_refused(data: str) -> None:
    with pytest.raises(MalformedCardData):
        tlv.reference(value(data))


@pytest.mark.parametrize(
    ("data", "oid"),
    [("2A864886F70D01010A", "1.2.840.113549.1.1.10"), ("2B0E03021A", "1.3.14.3.2.26"), ("8837", "2.999")],
)
def test_object_identifiers(data: str, oid: str) -> None:
    assert tlv.object_identifier(value(data)) == oid


@pytest.mark.parametrize("data", ["", "2A86", "FF" * 20 + "01"])
def test_a_cut_or_endless_object_identifier_is_refused(data: str) -> None:
    with pytest.raises(MalformedCardData):
        tlv.object_identifier(value(data))


def test_a_label_that_is_no_utf8_is_still_a_label() -> None:
    assert tlv.text(value("43E9")) == "C�"


CONVERTERS = (tlv.integer, tlv.reference, tlv.bit_string, tlv.object_identifier, tlv.text, tlv.octets)


def error_of(convert: Callable[[Tlv], object], found: Tlv) -> MalformedCardData | None:
    """The one error that a conversion may raise, or None."""
    try:
        convert(found)
    except MalformedCardData as error:
        return error
    return None


@given(st.binary(max_size=300))
def test_any_bytes_give_values_or_the_one_error(data: bytes) -> None:
    outer = Tlv(0x30, data, 0)
    refused = error_of(tlv.children, outer)
    if refused is not None:
        assert refused.offset is not None
        assert 0 <= refused.offset <= len(data)
        return
    for found in tlv.children(outer):
        assert data[found.offset : found.offset + len(found.value)] == found.value
        for convert in CONVERTERS:
            error = error_of(convert, found)
            assert error is None or error.offset == found.offset


@given(st.lists(st.tuples(st.sampled_from([0x02, 0x04, 0x30, 0x7F41]), st.binary(max_size=300)), max_size=5))
def test_what_was_written_is_read(objects: list[tuple[int, bytes]]) -> None:
    def write(tag: int, content: bytes) -> bytes:
        return tag.to_bytes(1 if tag < 0x100 else 2, "big") + b"\x82" + len(content).to_bytes(2, "big") + content

    data = b"".join(write(tag, content) for tag, content in objects)
    assert [(found.tag, found.value) for found in tlv.parse(data)] == objects
    assert not data or not tlv.is_complete(data[:-1]) or objects[-1][1] == b""
