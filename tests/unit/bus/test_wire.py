"""Values as bytes, and hostile bytes as an error."""

import os
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from dbus_next.signature import SignatureTree
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.bus.descriptors import OwnedFd
from cardd.bus.syntax import Malformed, Unsendable
from cardd.bus.wire import MAX_DEPTH, MAX_VALUES, Variant, decode_body, encode_body, variant

LITTLE = ord("l")
BIG = ord("B")


def decode(signature: str, data: bytes, descriptors: tuple[OwnedFd, ...] = ()) -> list[Any]:
    return decode_body(signature, data, LITTLE, descriptors)


@pytest.fixture
def null() -> Iterator[OwnedFd]:
    with OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)) as descriptor:
        yield descriptor


@pytest.mark.parametrize(
    ("signature", "values"),
    [
        ("", []),
        ("ssayu", ["authentication", "é", b"\0\xff", 7]),
        ("a{sv}", [{"a": Variant("b", True), "b": Variant("as", ["x", "y"])}]),
        ("(ia(sx))", [[1, [["n", -5]]]]),
        ("aa{sv}", [[{}, {"k": Variant("t", 1 << 63)}]]),
        ("nqiuxtdboyg", [-1, 2, -3, 4, -5, 6, 0.5, False, "/a", 255, "a{sv}"]),
        ("a{oa{sa{sv}}}", [{"/a": {"i.f": {"P": Variant("s", "v")}}}]),
    ],
)
def test_values_survive_the_way(signature: str, values: list[Any]) -> None:
    body, descriptors = encode_body(signature, values)
    assert decode(signature, body) == values
    assert not descriptors


def test_big_endian_is_read() -> None:
    assert decode_body("us", struct.pack(">II3sx", 7, 3, b"abc"), BIG, ()) == [7, "abc"]


def test_tuples_and_byte_likes_are_lists_and_bytes() -> None:
    body, _ = encode_body("(ii)asay", [(1, 2), ("a", "b"), bytearray(b"xy")])
    assert decode("(ii)asay", body) == [[1, 2], ["a", "b"], b"xy"]


def test_descriptors_travel_as_their_index(null: OwnedFd) -> None:
    other = null.duplicate()
    body, descriptors = encode_body("hsh", [null, "x", other])
    assert descriptors == [null, other]
    assert decode("hsh", body, (null, other)) == [null, "x", other]
    other.close()


def test_two_arguments_never_share_a_descriptor(null: OwnedFd) -> None:
    first, second = decode("hh", struct.pack("<II", 0, 0), (null,))
    assert first is null
    assert second.fileno() != null.fileno()
    second.close()


def test_a_descriptor_that_was_not_sent(null: OwnedFd) -> None:
    with pytest.raises(Malformed, match="not sent along"):
        decode("h", struct.pack("<I", 1), (null,))


def test_copies_do_not_outlive_a_body_that_is_refused(null: OwnedFd) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Malformed):
        decode("hhs", struct.pack("<II", 0, 0), (null,))
    assert os.listdir("/proc/self/fd") == before


def test_descriptors_within_variants_are_refused(null: OwnedFd) -> None:
    with pytest.raises(Malformed):
        decode("v", b"\1h\0\0" + struct.pack("<I", 0), (null,))


@pytest.mark.parametrize(
    ("signature", "values"),
    [
        ("s", ["with\0nul"]),
        ("s", ["\ud800"]),
        ("a{sv}", [{"\0": Variant("s", "x")}]),
        ("o", ["/a\n"]),
        ("o", ["/" + "é"]),
        ("as", ["abc"]),
        ("ay", [5]),
        ("ay", ["text"]),
        ("u", [-1]),
        ("y", [256]),
        ("b", [1]),
        ("s", [None]),
        ("(ss)", [("a",)]),
        ("a{sv}", [{"a": "plain"}]),
        ("a{sv}", [["a"]]),
        ("ss", ["a"]),
        ("h", [3]),
        ("g", ["a"]),
    ],
)
def test_what_the_bus_would_not_take_is_refused_here(signature: str, values: list[Any]) -> None:
    """The bus closes the connection of whoever sends it a NUL in a string: a certificate's name must not do that."""
    with pytest.raises(Unsendable):
        encode_body(signature, values)


@pytest.mark.parametrize(("signature", "value"), [("s", "a\0b"), ("as", ["a\0b"]), ("u", "x"), ("o", "x")])
def test_a_variant_is_checked_when_it_is_made(signature: str, value: object) -> None:
    with pytest.raises(Unsendable):
        variant(signature, value)


def test_a_secret_is_in_no_error_text() -> None:
    for signature, value in (("u", "1234secret"), ("s", "secret\0"), ("s", "secret\ud800"), ("as", "secret")):
        with pytest.raises(Unsendable) as caught:
            encode_body(signature, [value])
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("signature", "data"),
    [
        ("s", b""),
        ("s", struct.pack("<I", 100) + b"abc\0"),
        ("u", b"\1\0\0\0\0"),
        ("ay", struct.pack("<I", 0xFFFFFFFF)),
        ("s", struct.pack("<I", 1) + b"\xff\0"),
        ("v", b"\0\0"),
        ("v", b"\2ss\0"),
        ("v", b"\5{sv}s\0"),
        ("v", b"\1a\0"),
        ("a{sv}", struct.pack("<II", 4, 0)),
    ],
)
def test_bodies_that_are_not_what_they_say(signature: str, data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(signature, data)


def test_a_body_of_countless_values_is_refused() -> None:
    """They would hold up the loop: 256 KiB hold 65,000 numbers."""
    numbers = encode_body("an", [[0] * (MAX_VALUES + 1)])[0]
    with pytest.raises(Malformed, match="values"):
        decode("an", numbers)


def test_nesting_is_bounded() -> None:
    data = b"\1v\0" * (MAX_DEPTH + 1) + b"\1y\0\7"
    with pytest.raises(Malformed, match="nested"):
        decode("v", data)


@settings(deadline=None)
@given(st.sampled_from(["s", "ay", "a{sv}", "v", "ssaya{sv}", "ah", "aa{sv}", "(sv)g", "aav"]), st.binary(max_size=200))
def test_any_bytes_are_values_or_refused(signature: str, data: bytes) -> None:
    try:
        values = decode(signature, data)
    except Malformed:
        return
    assert len(values) == len(SignatureTree(signature).types)


def test_signatures_within_variants_are_not_kept() -> None:
    """dbus-next keeps every signature that it ever saw: any client could fill the memory."""
    before = len(SignatureTree._cache)
    for number in range(1, 100):
        signature = "(" + "y" * number + ")"
        body = bytes([len(signature)]) + signature.encode() + b"\0"
        decode("v", body + bytes(-len(body) % 8) + bytes(number))
    assert len(SignatureTree._cache) == before
