"""The whole driver over recorded cards: results, exchanges and their number, on both layouts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd_drivers.apdu import Command, Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Card,
    CardKind,
    DecipherAlgorithm,
    DecipherFailed,
    ErrorReference,
    Identity,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    ObjectNotFound,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinRules,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
    UnexpectedResponse,
)
from cardd_drivers.ias_ecc import driver
from tests.support.replay import (
    TRANSCRIPTS,
    Conduct,
    DictMemory,
    LongRead,
    RecordedCard,
    ScriptedChannel,
    recorded,
)

LAYOUTS = ("cps3-real", "cps3-easy")
RECORDED_DIGEST = bytes.fromhex("C14D2A8798E64F59128AE9443A10C28C4824AA3FA93AE360F6AA205D95CF0910")
"""The digest that the recorded programs signed with both keys."""
RS256 = SignatureAlgorithm.RS256
PS256 = SignatureAlgorithm.PS256


class Desk:
    """A recorded card, a memory, and as many channels as a test opens."""

    def __init__(self, layout: str = "cps3-real", conduct: Conduct | None = None) -> None:
        self.recorded: RecordedCard = recorded(layout, conduct)
        self.memory = DictMemory()
        self.override: Callable[[Command], bytes | None] = lambda _command: None
        self.channel = ScriptedChannel(self.answer)

    def answer(self, command: Command) -> bytes:
        """The override's answer, else the recorded card's."""
        overridden = self.override(command)
        return self.recorded.answer(command) if overridden is None else overridden

    def open(self) -> Card:
        """A new channel to the card just reset."""
        self.recorded.answer(Command(0x00, 0xA4, 0x09, 0x0C, bytes.fromhex("3F00")))
        self.channel = ScriptedChannel(self.answer)
        return driver.open(self.channel, self.memory)

    def known(self) -> Card:
        """A card whose layout and authentication certificate are remembered."""
        card = self.open()
        card.identify()
        card.read_certificate(KeyName.AUTHENTICATION)
        return self.open()

    def count(self) -> int:
        """Commands since the last count."""
        count = len(self.channel.sent)
        self.channel.sent.clear()
        return count


@pytest.fixture(params=LAYOUTS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def require_valid(certificate: bytes, signature: bytes, digest: bytes) -> None:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def recorded_cryptogram() -> bytes:
    """A cryptogram from the recording of the real layout."""
    lines = (TRANSCRIPTS / "cps3-real" / "cryptolib-5.2.2-cps3real.sign.jsonl").read_text().splitlines()
    exchanges: list[dict[str, Any]] = [json.loads(line) for line in lines]
    first = next(index for index, each in enumerate(exchanges) if each.get("c", "").startswith("102A8086"))
    parts = [bytes.fromhex(each["c"])[5:] for each in exchanges[first : first + 2]]
    return b"".join(parts)[1:]


# Identification and the number of exchanges.


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


def test_one_more_decryption_takes_4_commands_and_its_plaintext_is_secret() -> None:
    desk = Desk()
    card = desk.known()
    card.identify()
    card.verify_pin(bytearray(b"1234"))
    desk.count()
    plaintext = card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, recorded_cryptogram())
    assert isinstance(plaintext, bytearray)
    assert plaintext == b"secret de test"
    assert [line[:8] for line in desk.channel.lines] == ["002241B8", "102A8086", "002A8086", "00C00000"]
    assert [command.secrecy for command in desk.channel.sent[2:]] == [Secrecy.SECRET_RESPONSE] * 2


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
    # The first entry of the certificate directory has 84 bytes: with 84 at a time it looks like a whole directory.
    desk = Desk(conduct=Conduct(read_max=84))
    desk.recorded.files[bytes.fromhex("3F0000017001")][:] = desk.recorded.files[bytes.fromhex("3F0000017001")][:99]
    card = desk.open()
    card.identify()
    certificate = card.read_certificate(KeyName.AUTHENTICATION)
    assert certificate == Desk().open().read_certificate(KeyName.AUTHENTICATION)
    assert card.read_certificate(KeyName.SIGNATURE) != certificate


# PIN and PUK.


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


# Keys.


@pytest.mark.parametrize("key", [KeyName.AUTHENTICATION, KeyName.SIGNATURE])
@pytest.mark.parametrize("size", [0, 20, 31, 33, 64])
def test_a_digest_of_another_size_is_refused_before_the_card_sees_it(key: KeyName, size: int) -> None:
    desk = Desk()
    card = desk.known()
    with pytest.raises(ValueError, match="32 bytes"):
        card.sign(key, RS256, bytes(size))
    assert desk.count() == 0


def test_authenticate_signs_the_digest_of_the_challenge() -> None:
    desk = Desk()
    card = desk.known()
    seen: list[bytes] = []

    def answer(command: Command) -> bytes | None:
        if command.ins == 0x88:
            seen.append(bytes(command.data))
            return bytes(256) + b"\x90\x00"
        return None

    desk.override = answer
    card.authenticate(KeyName.AUTHENTICATION, b"challenge")
    assert seen[0][-32:] == hashlib.sha256(b"challenge").digest()
    with pytest.raises(AlgorithmNotSupported):
        card.authenticate(KeyName.SIGNATURE, b"challenge")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(KeyName.AUTHENTICATION, PS256), (KeyName.ENCRYPTION, RS256), (KeyName.SIGNATURE, PS256)],
)
def test_what_a_key_does_not_do_is_refused(key: KeyName, algorithm: SignatureAlgorithm) -> None:
    card = Desk().known()
    with pytest.raises(AlgorithmNotSupported):
        card.sign(key, algorithm, RECORDED_DIGEST)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(KeyName.SIGNATURE, DecipherAlgorithm.RSA1_5), (KeyName.ENCRYPTION, DecipherAlgorithm.RSA_OAEP_256)],
)
def test_what_a_key_does_not_decipher_is_refused(key: KeyName, algorithm: DecipherAlgorithm) -> None:
    card = Desk().known()
    with pytest.raises(AlgorithmNotSupported):
        card.decipher(key, algorithm, bytes(256))


def test_pss_is_done_where_the_card_lists_it_and_the_list_is_read_once() -> None:
    desk = Desk()
    info = desk.recorded.files[bytes.fromhex("3F0000015032")]
    info[:] = info.replace(bytes.fromhex("06092A864886F70D01010B020142"), bytes.fromhex("06092A864886F70D01010A020145"))
    card = desk.known()
    card.identify()

    def answer(command: Command) -> bytes | None:
        if command.ins == 0x22:
            return b"\x90\x00"
        return bytes(256) + b"\x90\x00" if command.ins == 0x2A else None

    desk.override = answer
    assert PS256 not in card.capabilities().signature[KeyName.SIGNATURE]
    for _ in range(2):
        card.sign(KeyName.SIGNATURE, PS256, RECORDED_DIGEST)
    assert [line for line in desk.channel.lines if line.startswith("0022")] == ["002241B606840181800145"] * 2
    assert sum(line.endswith("5032") for line in desk.channel.lines) == 1
    assert PS256 in card.capabilities().signature[KeyName.SIGNATURE]
    again = desk.open()
    assert again.identify().label == "CPS3v3-2600971845"
    assert PS256 in again.capabilities().signature[KeyName.SIGNATURE]


@pytest.mark.parametrize(
    ("ins", "status", "error"),
    [
        (0x22, "6A88", KeyNotFound),
        (0x22, "6A80", AlgorithmNotSupported),
        (0x22, "6F00", UnexpectedResponse),
        (0x2A, "6982", SecurityStatusNotSatisfied),
        (0x2A, "6985", UnexpectedResponse),
        (0x2A, "6F00", UnexpectedResponse),
        (0x2A, "AABB9000", MalformedCardData),
        (0x2A, "9000", MalformedCardData),
    ],
)
def test_refusals_of_a_signature(ins: int, status: str, error: type[Exception]) -> None:
    desk = Desk()
    card = desk.known()
    desk.override = lambda command: bytes.fromhex(status) if command.ins == ins else None
    with pytest.raises(error):
        card.sign(KeyName.SIGNATURE, RS256, RECORDED_DIGEST)


@pytest.mark.parametrize("status", ["6A80", "6985", "6F00", "6700", "6988"])
def test_a_refused_cryptogram_tells_nothing_more(status: str) -> None:
    desk = Desk()
    card = desk.known()
    desk.override = lambda command: (
        bytes.fromhex("9000" if command.cla & 0x10 else status) if command.ins == 0x2A else None
    )
    with pytest.raises(DecipherFailed) as refused:
        card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, bytes(256))
    assert str(refused.value) == ""


@pytest.mark.parametrize(("status", "error"), [("6982", SecurityStatusNotSatisfied), ("6D00", UnexpectedResponse)])
def test_a_refusal_that_no_cryptogram_can_cause_is_told(status: str, error: type[Exception]) -> None:
    desk = Desk()
    card = desk.known()
    desk.override = lambda command: bytes.fromhex(status) if command.ins == 0x2A else None
    with pytest.raises(error):
        card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, bytes(256))


@pytest.mark.parametrize("size", [0, 255, 257, 512])
def test_a_cryptogram_of_another_size_never_reaches_the_card(size: int) -> None:
    desk = Desk()
    card = desk.known()
    card.identify()
    desk.count()
    with pytest.raises(DecipherFailed):
        card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, bytes(size))
    assert desk.count() == 0


def test_a_plaintext_longer_than_the_padding_allows_is_refused() -> None:
    desk = Desk()
    card = desk.known()

    def answer(command: Command) -> bytes | None:
        if command.ins != 0x2A:
            return None
        return b"\x90\x00" if command.cla & 0x10 else bytes(246) + b"\x90\x00"

    desk.override = answer
    with pytest.raises(MalformedCardData):
        card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, bytes(256))


# Certificates and data objects.


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
