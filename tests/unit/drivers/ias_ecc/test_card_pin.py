"""PIN and PUK of the whole driver, over recorded cards in both layouts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cardd_drivers.apdu import Command, Secrecy
from cardd_drivers.contract import (
    ErrorReference,
    MalformedCardData,
    ObjectNotFound,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinStatus,
    SignatureAlgorithm,
)
from tests.support.desk import LAYOUTS, Desk

RS256 = SignatureAlgorithm.RS256
PS256 = SignatureAlgorithm.PS256


@pytest.fixture(params=LAYOUTS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def sending(status: str, ins: int) -> Callable[[Command], bytes | None]:
    return lambda command: bytes.fromhex(status) if command.ins == ins and command.data else None


@pytest.mark.parametrize(("status", "left"), [("63C2", 2), ("63C1", 1)])
def test_a_wrong_pin_tells_the_tries_left(desk: Desk, status: str, left: int) -> None:
    card = desk.known()
    desk.override = sending(status, 0x20)
    with pytest.raises(PinIncorrect) as refused:
        card.verify_pin(bytearray(b"0000"))
    assert (refused.value.tries_left, refused.value.reference) == (left, ErrorReference.PIN)


@pytest.mark.parametrize("status", ["63C0", "6983", "6984"])
def test_the_last_try_blocks(desk: Desk, status: str) -> None:
    card = desk.known()
    desk.override = sending(status, 0x20)
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(b"0000"))


@pytest.mark.parametrize("pin", [b"", b"123", b"12345", b"abcd"])
def test_a_pin_of_a_wrong_format_never_reaches_the_card(desk: Desk, pin: bytes) -> None:
    card = desk.known()
    card.identify()
    desk.count()
    with pytest.raises(PinFormat):
        card.verify_pin(bytearray(pin))
    with pytest.raises(PinFormat):
        card.change_pin(bytearray(b"1234"), bytearray(pin))
    with pytest.raises(PinFormat):
        card.change_pin(bytearray(pin), bytearray(b"1234"))
    with pytest.raises(PinFormat) as refused:
        card.unblock_pin(bytearray(b"12345678"), bytearray(pin))
    assert refused.value.reference is ErrorReference.PIN
    with pytest.raises(PinFormat) as refused:
        card.unblock_pin(bytearray(pin), bytearray(b"1234"))
    assert refused.value.reference is ErrorReference.PUK
    assert desk.count() == 0


def test_what_the_card_was_sent_of_a_pin_is_wiped_and_marked_secret(desk: Desk) -> None:
    card = desk.known()
    card.verify_pin(bytearray(b"1234"))
    card.change_pin(bytearray(b"1234"), bytearray(b"4321"))
    card.unblock_pin(bytearray(b"12345678"), bytearray(b"5678"))
    secret = [command for command in desk.channel.given if command.ins in (0x20, 0x24, 0x2C)]
    assert len(secret) == 4
    assert all(command.secrecy is Secrecy.SECRET_DATA for command in secret)
    assert all(not any(command.data) for command in secret)


@pytest.mark.parametrize(
    ("layout", "line"),
    [("cps3-real", "002400011031323334FFFFFFFF34333231FFFFFFFF"), ("cps3-easy", "0024000108" + "3132333434333231")],
)
def test_a_pin_is_changed_in_one_command(layout: str, line: str) -> None:
    desk = Desk(layout)
    card = desk.known()
    card.identify()
    desk.count()
    card.change_pin(bytearray(b"1234"), bytearray(b"4321"))
    assert desk.channel.lines == [line]


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        ("cps3-real", ["00200002083132333435363738", "002C02010835363738FFFFFFFF"]),
        ("cps3-easy", ["00200002083132333435363738", "002C02010435363738"]),
    ],
)
def test_a_pin_is_unblocked_in_two_commands_on_both_layouts(layout: str, lines: list[str]) -> None:
    desk = Desk(layout)
    card = desk.known()
    card.identify()
    desk.count()
    card.unblock_pin(bytearray(b"12345678"), bytearray(b"5678"))
    assert desk.channel.lines == lines


def test_a_wrong_puk_is_told_as_such_and_the_pin_is_left_alone(desk: Desk) -> None:
    card = desk.known()
    desk.override = sending("63C9", 0x20)
    with pytest.raises(PinIncorrect) as refused:
        card.unblock_pin(bytearray(b"00000000"), bytearray(b"5678"))
    assert (refused.value.tries_left, refused.value.reference) == (9, ErrorReference.PUK)
    assert 0x2C not in [command.ins for command in desk.channel.sent]


def test_a_card_without_a_puk_cannot_be_unblocked() -> None:
    desk = Desk()
    aodf = desk.recorded.files[bytes.fromhex("3F0000017001")]
    del aodf[99:]
    card = desk.open()
    with pytest.raises(ObjectNotFound):
        card.unblock_pin(bytearray(b"12345678"), bytearray(b"5678"))
    assert card.capabilities().puk is None


def test_a_card_without_pins_says_so() -> None:
    desk = Desk()
    desk.recorded.files[bytes.fromhex("3F0000017001")].clear()
    card = desk.open()
    card.identify()
    assert card.capabilities().pin is None
    with pytest.raises(MalformedCardData):
        card.verify_pin(bytearray(b"1234"))


def test_a_local_pin_is_presented_in_its_own_df() -> None:
    desk = Desk()
    aodf = desk.recorded.files[bytes.fromhex("3F0000017001")]
    aodf[:] = aodf.replace(bytes.fromhex("800101"), bytes.fromhex("800181"))
    desk.override = lambda command: bytes.fromhex("63C3") if command.ins == 0x20 else None
    card = desk.known()
    card.identify()
    assert card.pin_status() == PinStatus(3)
    assert desk.channel.lines[1:] == ["00A4090C043F000001", "00200081"]
