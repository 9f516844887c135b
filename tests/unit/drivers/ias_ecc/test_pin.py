"""Format, padding, status words and wiping of PINs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cardd_drivers.apdu import Command, NewPinEntry, PinEntry, Response, StatusWord
from cardd_drivers.contract import (
    CardError,
    ErrorReference,
    MalformedCardData,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinRules,
    PinStatus,
    SecurityStatusNotSatisfied,
    UnexpectedResponse,
)
from cardd_drivers.ias_ecc import pin
from cardd_drivers.ias_ecc.directories import parse_aodf
from cardd_drivers.ias_ecc.objects import PinObject, PinType
from tests.support.replay import recorded

COMMAND = Command(0x00, 0x20, 0x00, 0x01)
REAL, REAL_PUK = parse_aodf(bytes(recorded("cps3-real").files[bytes.fromhex("3F0000017001")]))
EASY = parse_aodf(bytes(recorded("cps3-easy").files[bytes.fromhex("3F0000017001")]))[0]
WIDE = replace(REAL, minimum=4, maximum=8)


def answered(status: int) -> Response:
    return Response(b"", StatusWord(status))


def test_rules_as_the_directory_has_them() -> None:
    assert pin.rules(REAL) == PinRules(4, 4, digits_only=True)
    assert pin.rules(replace(REAL, type=PinType.UTF8)).digits_only is False


@pytest.mark.parametrize("characters", [b"", b"123", b"12345", b"12a4", b"12 4", b"123\x00", "12３".encode()])
def test_a_pin_of_a_wrong_format_is_refused(characters: bytes) -> None:
    with pytest.raises(PinFormat) as refused:
        pin.require_format(REAL, bytearray(characters), ErrorReference.PUK)
    assert refused.value.reference is ErrorReference.PUK
    assert str(refused.value) == "puk"


def test_letters_are_taken_where_the_card_takes_them() -> None:
    pin.require_format(replace(REAL, type=PinType.UTF8), bytearray(b"abcd"), ErrorReference.PIN)


@pytest.mark.parametrize("kind", [PinType.BCD, PinType.HALF_NIBBLE_BCD, PinType.ISO_9564_1])
def test_a_coding_that_no_published_card_has_is_refused_before_a_try_is_lost(kind: PinType) -> None:
    with pytest.raises(MalformedCardData):
        pin.require_format(replace(REAL, type=kind), bytearray(b"1234"), ErrorReference.PIN)


@pytest.mark.parametrize(
    ("characters", "block"),
    [(b"1234", "31323334FFFFFFFF"), (b"123456", "313233343536FFFF"), (b"12345678", "3132333435363738")],
)
def test_a_pin_is_padded_to_the_stored_length(characters: bytes, block: str) -> None:
    with pin.padded(WIDE, bytearray(characters)) as data:
        assert data == bytes.fromhex(block)


def test_a_pin_that_needs_no_padding_is_sent_as_it_is() -> None:
    with pin.padded(EASY, bytearray(b"1234")) as data:
        assert bytes(data) == b"1234"


def test_another_pad_character_is_used() -> None:
    with pin.padded(replace(REAL, pad=0x00), bytearray(b"1234")) as data:
        assert data == b"1234" + bytes(4)


def test_two_pins_are_padded_one_after_another() -> None:
    with pin.padded(REAL, bytearray(b"1234"), bytearray(b"4321")) as data:
        assert data == bytes.fromhex("31323334FFFFFFFF34333231FFFFFFFF")


def test_padding_without_a_pad_character_is_refused_only_where_it_is_needed() -> None:
    unknown = replace(WIDE, pad=None)
    with pytest.raises(MalformedCardData), pin.padded(unknown, bytearray(b"1234")):
        pass
    with pin.padded(unknown, bytearray(b"12345678")) as data:
        assert bytes(data) == b"12345678"


def test_the_block_is_wiped_whatever_happens() -> None:
    with pytest.raises(RuntimeError), pin.padded(REAL, bytearray(b"1234")) as data:
        raise RuntimeError
    assert data == bytes(8)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x9000, PinStatus(None, verified=True)),
        (0x63C3, PinStatus(3)),
        (0x63C0, PinStatus(0)),
        (0x6983, PinStatus(0)),
        (0x6984, PinStatus(0)),
        (0x6700, PinStatus(None)),
        (0x6300, PinStatus(None)),
    ],
)
def test_what_an_empty_verify_says(status: int, expected: PinStatus) -> None:
    assert pin.status(answered(status), COMMAND) == expected


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0x63C2, PinIncorrect),
        (0x6300, PinIncorrect),
        (0x63C0, PinBlocked),
        (0x6983, PinBlocked),
        (0x6984, PinBlocked),
        (0x6982, SecurityStatusNotSatisfied),
        (0x6700, UnexpectedResponse),
        (0x6F00, UnexpectedResponse),
        (0x6A88, UnexpectedResponse),
    ],
)
def test_what_a_refused_pin_says(status: int, error: type[CardError]) -> None:
    with pytest.raises(error) as refused:
        pin.require_accepted(answered(status), COMMAND, ErrorReference.PUK)
    if isinstance(refused.value, PinIncorrect):
        assert refused.value.tries_left == (2 if status == 0x63C2 else None)
        assert refused.value.reference is ErrorReference.PUK


def test_an_accepted_pin_says_nothing() -> None:
    pin.require_accepted(answered(0x9000), COMMAND, ErrorReference.PIN)


@pytest.mark.parametrize("status", [0x6F00, 0x6982])
def test_a_status_that_says_nothing_of_a_pin_is_an_error(status: int) -> None:
    with pytest.raises((UnexpectedResponse, SecurityStatusNotSatisfied)):
        pin.status(answered(status), COMMAND)


@pytest.mark.parametrize(
    ("known", "block", "entry"),
    [
        (REAL, "FFFFFFFFFFFFFFFF", PinEntry(4, 4, 0, 8)),
        (WIDE, "FFFFFFFFFFFFFFFF", PinEntry(4, 8, 0, 8)),
        (REAL_PUK, "0000000000000000", PinEntry(8, 8, 0, 8)),  # no pad character; its digits fill the block
        (EASY, "FFFFFFFF", PinEntry(4, 4, 0, 4)),
    ],
)
def test_a_pad_gets_the_block_and_the_place_of_the_digits(known: PinObject, block: str, entry: PinEntry) -> None:
    assert pin.pad_entry(known) == (bytearray.fromhex(block), entry)


@pytest.mark.parametrize(
    ("known", "with_old", "size", "entry"),
    [
        (REAL, True, 16, NewPinEntry(4, 4, 8, old=0, new=8)),
        (REAL, False, 8, NewPinEntry(4, 4, 8, old=None, new=0)),
        (EASY, True, 8, NewPinEntry(4, 4, 4, old=0, new=4)),
    ],
)
def test_a_pad_gets_the_places_of_the_old_and_the_new_pin(
    known: PinObject, with_old: bool, size: int, entry: NewPinEntry
) -> None:
    block, found = pin.pad_new_entry(known, with_old=with_old)
    assert (len(block), found) == (size, entry)


@pytest.mark.parametrize(
    "known",
    [
        replace(REAL, type=PinType.UTF8),
        replace(WIDE, pad=None),
        replace(EASY, maximum=8),  # its length is that of the digits: a pad would have to change Lc
        replace(REAL, stored=16),
        replace(EASY, minimum=0, maximum=0),
    ],
)
def test_what_a_pad_cannot_form_is_refused(known: PinObject) -> None:
    with pytest.raises(MalformedCardData):
        pin.pad_entry(known)
