"""Signatures and decryption of the whole driver, over recorded cards."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cardd_drivers.apdu import Command, Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    DecipherAlgorithm,
    DecipherFailed,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
    UnexpectedResponse,
)
from tests.support.desk import LAYOUTS, RECORDED_DIGEST, Desk
from tests.support.replay import TRANSCRIPTS

RS256 = SignatureAlgorithm.RS256
PS256 = SignatureAlgorithm.PS256


@pytest.fixture(params=LAYOUTS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def recorded_cryptogram() -> bytes:
    """A cryptogram from the recording of the real layout."""
    lines = (TRANSCRIPTS / "cps3-real" / "cryptolib-5.2.2-cps3real.sign.jsonl").read_text().splitlines()
    exchanges: list[dict[str, Any]] = [json.loads(line) for line in lines]
    first = next(index for index, each in enumerate(exchanges) if each.get("c", "").startswith("102A8086"))
    parts = [bytes.fromhex(each["c"])[5:] for each in exchanges[first : first + 2]]
    return b"".join(parts)[1:]


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
