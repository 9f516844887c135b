"""Identification and the number of exchanges, over recorded cards in both layouts."""

from __future__ import annotations

import pytest

from cardd_drivers.contract import (
    CardKind,
    DecipherAlgorithm,
    Identity,
    KeyName,
    PinRules,
    PinStatus,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import driver
from tests.support.desk import LAYOUTS, RECORDED_DIGEST, Desk, require_valid
from tests.support.replay import Conduct, LongRead

RS256 = SignatureAlgorithm.RS256
PS256 = SignatureAlgorithm.PS256


@pytest.fixture(params=LAYOUTS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def test_an_unknown_card_in_the_real_layout_is_authenticated_in_25_commands() -> None:
    desk = Desk()
    card = desk.open()
    assert card.identify() == Identity("99213845", CardKind.CPS3)
    certificate = card.read_certificate(KeyName.AUTHENTICATION)
    assert card.pin_status() == PinStatus(3)
    card.verify_pin(bytearray(b"1234"))
    require_valid(certificate, card.sign(KeyName.AUTHENTICATION, RS256, RECORDED_DIGEST), RECORDED_DIGEST)
    assert desk.channel.lines == [
        "00B09C000C",
        "00B09E0065",
        "00A4090C043F000001",
        *(line for fid in ("5031", "7001", "7002", "7005") for line in (f"00A4020C02{fid}", "00B0000000")),
        "00A4020C02A002",
        *(f"00B0{block:02X}0000" for block in range(7)),
        "00B007008B",
        "00200001",
        "002000010831323334FFFFFFFF",
        "002241A406840182800102",
        "0088000033" + "3031300D060960864801650304020105000420" + RECORDED_DIGEST.hex().upper(),
        "00C0000000",
    ]
    assert desk.count() == 25


def test_where_long_reads_answer_6cxx_it_takes_29() -> None:
    desk = Desk(conduct=Conduct(LongRead.WRONG_LE))
    card = desk.open()
    card.identify()
    card.read_certificate(KeyName.AUTHENTICATION)
    card.pin_status()
    card.verify_pin(bytearray(b"1234"))
    card.sign(KeyName.AUTHENTICATION, RS256, RECORDED_DIGEST)
    assert desk.count() == 29


def test_a_known_card_is_authenticated_in_7_commands(desk: Desk) -> None:
    card = desk.known()
    identity = card.identify()
    assert desk.count() == 1
    assert card.pin_status() == PinStatus(3)
    certificate = card.read_certificate(KeyName.AUTHENTICATION)
    card.verify_pin(bytearray(b"1234"))
    require_valid(certificate, card.sign(KeyName.AUTHENTICATION, RS256, RECORDED_DIGEST), RECORDED_DIGEST)
    assert identity.serial in ("99213845", "26000123")
    assert [line[:8] for line in desk.channel.lines] == [
        "00200001",
        "00A4090C",
        "00200001",
        "002241A4",
        "00880000",
        "00C00000",
    ]


def test_one_more_signature_takes_3_commands(desk: Desk) -> None:
    card = desk.known()
    card.identify()
    card.verify_pin(bytearray(b"1234"))
    desk.count()
    signature = card.sign(KeyName.SIGNATURE, RS256, RECORDED_DIGEST)
    assert desk.channel.lines == [
        "002241B606840181800142",
        "002A9E9A20" + RECORDED_DIGEST.hex().upper(),
        "00C0000000",
    ]
    require_valid(card.read_certificate(KeyName.SIGNATURE), signature, RECORDED_DIGEST)


def test_the_signature_certificate_is_read_when_asked_for_and_then_remembered(desk: Desk) -> None:
    card = desk.known()
    card.identify()
    first = card.read_certificate(KeyName.SIGNATURE)
    desk.count()
    assert card.read_certificate(KeyName.SIGNATURE) == first
    again = desk.open()
    again.identify()
    assert again.read_certificate(KeyName.SIGNATURE) == first
    assert desk.count() == 1
    assert first != again.read_certificate(KeyName.AUTHENTICATION)


def test_the_encryption_certificate_is_the_authentication_one(desk: Desk) -> None:
    card = desk.known()
    assert card.read_certificate(KeyName.ENCRYPTION) == card.read_certificate(KeyName.AUTHENTICATION)


def test_a_forgotten_card_is_read_again_by_the_same_object(desk: Desk) -> None:
    card = desk.known()
    serial = card.identify().serial
    desk.memory.forget(serial)
    desk.count()
    card.identify()
    card.read_certificate(KeyName.AUTHENTICATION)
    assert desk.count() > 10


def test_what_a_card_can_do_is_known_without_asking_it(desk: Desk) -> None:
    card = desk.known()
    card.identify()
    desk.count()
    capabilities = card.capabilities()
    assert desk.count() == 0
    assert capabilities.signature == {KeyName.AUTHENTICATION: {RS256}, KeyName.SIGNATURE: {RS256}}
    assert capabilities.decipher == {DecipherAlgorithm.RSA1_5}
    assert capabilities.pin == PinRules(4, 4, digits_only=True)
    assert capabilities.puk == PinRules(8, 8, digits_only=True)


def test_capabilities_before_identification_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(RuntimeError):
        Desk().open().capabilities()


def test_opening_and_matching_send_nothing() -> None:
    desk = Desk()
    desk.open()
    driver.matches(desk.channel.atr)
    assert desk.count() == 0


def test_a_probe_asks_the_card_for_its_serial_number() -> None:
    desk = Desk()
    desk.open()
    assert driver.probe(desk.channel)
    assert desk.channel.lines == ["00B09C000C"]
    desk.override = lambda command: bytes.fromhex("6A82")
    assert not driver.probe(desk.channel)


@pytest.mark.parametrize(
    "conduct",
    [
        Conduct(LongRead.END_OF_FILE),
        Conduct(LongRead.WRONG_LE, read_max=231),
        Conduct(read_max=128),
        Conduct(read_max=231, refuse_over_max=True),
        Conduct(select_without_answer=False),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cards_of_other_conduct_give_the_same(layout: str, conduct: Conduct) -> None:
    plain, other = Desk(layout).open(), Desk(layout, conduct).open()
    label = "CPS_ACTIVITY_01_PS" if layout == "cps3-real" else "CPS_DATA"
    for name in (KeyName.AUTHENTICATION, KeyName.SIGNATURE):
        assert plain.read_certificate(name) == other.read_certificate(name)
    assert plain.read_object(label) == other.read_object(label)
    assert plain.capabilities() == other.capabilities()


def test_a_directory_cut_where_an_object_ends_is_noticed_when_the_certificate_shows_the_limit() -> None:
    # A card that gives 198 bytes at a time, and a PIN directory whose third object, the PUK, begins just there.
    desk = Desk(conduct=Conduct(read_max=198))
    aodf = desk.recorded.files[bytes.fromhex("3F0000017001")]
    aodf[:] = aodf[:99] + aodf[:99] + aodf[99:]
    card = desk.open()
    card.identify()
    assert card.capabilities().puk is None
    card.read_certificate(KeyName.AUTHENTICATION)
    assert card.capabilities().puk == PinRules(8, 8, digits_only=True)
    again = desk.open()
    again.identify()
    assert desk.count() == 1
    assert again.capabilities().puk is not None
