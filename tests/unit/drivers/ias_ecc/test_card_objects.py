"""Certificates, data objects and the memory of the whole driver, over recorded cards."""

from __future__ import annotations

import pytest

from cardd_drivers.contract import (
    KeyName,
    ObjectNotFound,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)
from tests.support.desk import LAYOUTS, Desk

RS256 = SignatureAlgorithm.RS256
PS256 = SignatureAlgorithm.PS256


@pytest.fixture(params=LAYOUTS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def test_a_card_without_a_certificate_for_a_key_says_so() -> None:
    desk = Desk()
    del desk.recorded.files[bytes.fromhex("3F0000017005")][84:]
    card = desk.open()
    with pytest.raises(ObjectNotFound):
        card.read_certificate(KeyName.AUTHENTICATION)
    desk.recorded.files[bytes.fromhex("3F0000017002")].clear()
    desk.memory.forget("99213845")
    with pytest.raises(ObjectNotFound):
        desk.open().read_certificate(KeyName.SIGNATURE)


def test_data_objects_are_found_by_their_label(desk: Desk) -> None:
    card = desk.known()
    data = card.read_object("CPS_DATA")
    assert data == bytes(desk.recorded.files[bytes.fromhex("3F000001D107")])
    with pytest.raises(ObjectNotFound):
        card.read_object("CPS_NOTHING")


def test_the_directory_of_data_objects_is_remembered_their_content_is_not() -> None:
    desk = Desk()
    card = desk.known()
    before = card.read_object("CPS_ACTIVITY_01_PS")
    desk.recorded.files[bytes.fromhex("3F000001D120")][-1] ^= 1
    again = desk.open()
    after = again.read_object("CPS_ACTIVITY_01_PS")
    assert after != before
    assert not any(line.endswith("7006") for line in desk.channel.lines)
    assert before not in desk.memory.kept.values()


def test_a_protected_data_object_wants_the_pin() -> None:
    desk = Desk()
    card = desk.known()
    card.read_object("CPS_DATA")
    desk.override = lambda command: bytes.fromhex("6982") if command.ins == 0xB0 else None
    with pytest.raises(SecurityStatusNotSatisfied):
        card.read_object("CPS_ACTIVITY_01_PS")


def test_a_card_whose_data_directory_is_missing_has_no_data_objects() -> None:
    desk = Desk()
    del desk.recorded.files[bytes.fromhex("3F0000017006")]
    with pytest.raises(ObjectNotFound):
        desk.open().read_object("CPS_DATA")


# Memory.


@pytest.mark.parametrize("spoilt", [b"", b"garbage", b"ias-ecc layout 1\n", bytes(60_000)])
def test_a_spoilt_memory_is_replaced_by_what_the_card_says(spoilt: bytes) -> None:
    desk = Desk()
    desk.known()
    for key in desk.memory.kept:
        desk.memory.kept[key] = spoilt
    card = desk.open()
    card.identify()
    assert card.read_certificate(KeyName.AUTHENTICATION) == Desk().open().read_certificate(KeyName.AUTHENTICATION)
    assert card.read_object("CPS_DATA") == bytes(128)
    assert spoilt not in desk.memory.kept.values()


def test_a_remembered_certificate_with_more_behind_it_is_read_again() -> None:
    desk = Desk()
    card = desk.known()
    certificate = card.read_certificate(KeyName.AUTHENTICATION)
    (key,) = [key for key, value in desk.memory.kept.items() if value == certificate]
    desk.memory.kept[key] = certificate + b"\x00"
    assert desk.open().read_certificate(KeyName.AUTHENTICATION) == certificate


def test_another_card_does_not_profit_from_the_memory() -> None:
    desk = Desk()
    desk.known()
    desk.recorded.files[bytes.fromhex("3F00D003")][7:11] = bytes.fromhex("99214803")
    card = desk.open()
    assert card.identify().serial == "99214803"
    assert desk.count() == 11
