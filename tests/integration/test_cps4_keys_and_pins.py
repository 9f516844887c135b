"""Keys and PINs of the simulated CPS4, by the driver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cardd_drivers.apdu import Command, Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Card,
    CardReset,
    DecipherAlgorithm,
    DecipherFailed,
    ErrorReference,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    PinBlocked,
    PinIncorrect,
    PinStatus,
    SecurityStatusNotSatisfied,
    Transport,
    UnexpectedResponse,
)
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore
from cardsim.behaviour import BlockingTry
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.core import card_of
from tests.support.cps4 import (
    ENCRYPTION_PADDINGS,
    NEW,
    OAEP,
    PIN,
    PS256,
    PUK,
    RS256,
    RSA1_5,
    WRONG,
    Insertions,
    public_key,
)
from tests.support.replay import DictMemory, ScriptedChannel, encode


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    return PkiStore(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def insertions(store: PkiStore) -> Insertions:
    return Insertions(store)


# Keys


def test_capabilities_by_key(insertions: Insertions) -> None:
    card = insertions.insert()
    card.identify()
    insertions.channel.count()
    capabilities = card.capabilities()
    both = frozenset({RS256, PS256})
    assert capabilities.signature == {KeyName.AUTHENTICATION: both, KeyName.SIGNATURE: both}
    assert capabilities.decipher == {RSA1_5, OAEP}
    assert (capabilities.pin and capabilities.pin.maximum, capabilities.puk and capabilities.puk.maximum) == (4, 8)
    assert insertions.channel.count() == 0


def test_what_a_key_does_not_do_is_refused_before_the_card_sees_it(insertions: Insertions) -> None:
    card = insertions.verified()
    with pytest.raises(AlgorithmNotSupported):
        card.sign(KeyName.ENCRYPTION, RS256, bytes(32))
    with pytest.raises(AlgorithmNotSupported):
        card.decipher(KeyName.SIGNATURE, RSA1_5, bytes(256))
    with pytest.raises(AlgorithmNotSupported):
        card.authenticate(KeyName.SIGNATURE, b"challenge")
    assert insertions.channel.count() == 0


@pytest.mark.parametrize(("algorithm", "longest"), [(RSA1_5, 245), (OAEP, 190)])
def test_the_shortest_and_the_longest_plaintext(
    insertions: Insertions, algorithm: DecipherAlgorithm, longest: int
) -> None:
    card = insertions.verified()
    for plaintext in (b"", b"x" * longest):
        cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(plaintext, ENCRYPTION_PADDINGS[algorithm])
        deciphered = card.decipher(KeyName.ENCRYPTION, algorithm, cryptogram)
        assert isinstance(deciphered, bytearray)
        assert deciphered == plaintext


@pytest.mark.parametrize("algorithm", [RSA1_5, OAEP])
def test_decryption_is_no_way_to_a_signature_nor_an_oracle(
    insertions: Insertions, algorithm: DecipherAlgorithm
) -> None:
    card = insertions.verified()
    key = public_key(card, KeyName.ENCRYPTION)
    numbers = key.public_numbers()
    to_sign = (
        b"\x00\x01" + b"\xff" * 202 + b"\x00" + bytes.fromhex("3031300D060960864801650304020105000420") + bytes(32)
    )
    other = OAEP if algorithm is RSA1_5 else RSA1_5
    unpadded = pow(int.from_bytes(b"\x03" * 255, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    above_modulus, too_short = b"\xff" * 256, bytes(255)
    for cryptogram in (to_sign, key.encrypt(b"k", ENCRYPTION_PADDINGS[other]), unpadded, above_modulus, too_short):
        with pytest.raises(DecipherFailed) as refused:
            card.decipher(KeyName.ENCRYPTION, algorithm, cryptogram)
        assert str(refused.value) == ""
    assert card.pin_status().verified


def test_plaintexts_are_marked_secret_and_signatures_are_not(insertions: Insertions) -> None:
    card = insertions.verified()
    card.sign(KeyName.AUTHENTICATION, RS256, bytes(32))
    assert {command.secrecy for command in insertions.channel.commands[-2:]} == {Secrecy.PUBLIC}
    cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(b"k", ENCRYPTION_PADDINGS[OAEP])
    card.decipher(KeyName.ENCRYPTION, OAEP, cryptogram)
    assert {command.secrecy for command in insertions.channel.commands[-2:]} == {Secrecy.SECRET_RESPONSE}
    card.change_pin(bytearray(PIN), bytearray(NEW))
    assert {command.secrecy for command in insertions.channel.commands[-2:]} == {Secrecy.SECRET_DATA}


# PINs


def test_nothing_is_done_with_a_key_before_the_pin(insertions: Insertions) -> None:
    card = insertions.insert()
    for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE):
        with pytest.raises(SecurityStatusNotSatisfied):
            card.sign(key, RS256, bytes(32))
    with pytest.raises(SecurityStatusNotSatisfied):
        card.decipher(KeyName.ENCRYPTION, RSA1_5, bytes(256))
    with pytest.raises(SecurityStatusNotSatisfied):
        card.read_object("CPS_ACTIVITY_01_PS")
    assert card.pin_status() == PinStatus(3)


@pytest.mark.parametrize("blocking_try", BlockingTry)
def test_wrong_pins_block_and_the_puk_unblocks(store: PkiStore, blocking_try: BlockingTry) -> None:
    card = Insertions(store, behaviour=replace(LAYOUTS["cps4"].behaviour, blocking_try=blocking_try)).insert()
    for left in (2, 1):
        with pytest.raises(PinIncorrect) as refused:
            card.verify_pin(bytearray(WRONG))
        assert refused.value.tries_left == left
        assert card.pin_status() == PinStatus(left)
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(WRONG))
    assert card.pin_status() == PinStatus(0)
    with pytest.raises(PinIncorrect) as refused:
        card.unblock_pin(bytearray(b"00000000"), bytearray(NEW))
    assert refused.value.reference is ErrorReference.PUK
    card.unblock_pin(bytearray(PUK), bytearray(NEW))
    assert card.pin_status() == PinStatus(3)
    card.verify_pin(bytearray(NEW))
    assert card.pin_status().verified


def test_a_changed_pin_is_the_new_one_and_a_wrong_old_one_costs_a_try(insertions: Insertions) -> None:
    with pytest.raises(PinIncorrect) as refused:
        insertions.insert().change_pin(bytearray(WRONG), bytearray(NEW))
    assert refused.value.tries_left == 2
    insertions.insert().change_pin(bytearray(PIN), bytearray(NEW))
    card = insertions.insert()
    with pytest.raises(PinIncorrect):
        card.verify_pin(bytearray(PIN))
    card.verify_pin(bytearray(NEW))


def test_a_card_without_the_application_is_no_cps4(insertions: Insertions) -> None:
    insertions.card.master_file.aid = bytes.fromhex("8025000001FF0199")
    assert not driver.probe(insertions.channel)
    with pytest.raises(UnexpectedResponse):
        insertions.insert().identify()


# Answers that cannot be


def spoilt(instruction: int, raw: bytes) -> Card:
    """A card with its PIN verified, whose answers to one instruction are given."""
    card = card_of("physician-cps4")
    atr = card.power_on()
    honest = True

    def answer(command: Command) -> bytes:
        answered = card.transmit(encode(command))
        return answered if honest or command.ins != instruction else raw

    opened = driver.open(ScriptedChannel(answer, Transport.T1, atr), DictMemory())
    opened.verify_pin(bytearray(PIN))
    honest = False
    return opened


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("6A88", KeyNotFound),
        ("6A80", AlgorithmNotSupported),
        ("6982", SecurityStatusNotSatisfied),
        ("6881", CardReset),
        ("6F00", UnexpectedResponse),
    ],
)
def test_a_refused_environment_is_named(raw: str, error: type[Exception]) -> None:
    card = spoilt(0x22, bytes.fromhex(raw))
    for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE):
        with pytest.raises(error):
            card.sign(key, RS256, bytes(32))
    with pytest.raises(error):
        card.decipher(KeyName.ENCRYPTION, OAEP, bytes(256))


@pytest.mark.parametrize("length", [0, 1, 255])
def test_results_of_another_length_than_the_modulus_are_malformed(length: int) -> None:
    card = spoilt(0x2A, bytes(length) + b"\x90\x00")
    for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE):
        with pytest.raises(MalformedCardData):
            card.sign(key, PS256, bytes(32))
    with pytest.raises(MalformedCardData):
        card.decipher(KeyName.ENCRYPTION, RSA1_5, bytes(256))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("6A80", DecipherFailed),
        ("6985", DecipherFailed),
        ("6F00", DecipherFailed),
        ("6700", DecipherFailed),
        ("6982", SecurityStatusNotSatisfied),
        ("6D00", UnexpectedResponse),
        ("6E00", UnexpectedResponse),
        ("6881", CardReset),
    ],
)
def test_a_refused_cryptogram_has_one_error_and_what_it_cannot_cause_is_told(raw: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        spoilt(0x2A, bytes.fromhex(raw)).decipher(KeyName.ENCRYPTION, RSA1_5, bytes(256))


@pytest.mark.parametrize("raw", ["6A80", "6982", "6D00"])
def test_a_refused_reset_of_the_counter_leaves_the_pin(raw: str) -> None:
    card = spoilt(0x2C, bytes.fromhex(raw))
    with pytest.raises((UnexpectedResponse, SecurityStatusNotSatisfied)):
        card.unblock_pin(bytearray(PUK), bytearray(NEW))
    card.verify_pin(bytearray(PIN))
