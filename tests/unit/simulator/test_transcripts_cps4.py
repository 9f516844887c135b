"""Recorded commands of the agency's library, sent to the simulated CPS4 laid out as the recorded one.

The recorded card was software: its commands are the library's own, its answers are the truth only where the library
takes no other. Every answer must be the recorded one, but for these:

| recorded | here |
| --- | --- |
| a signature by COMPUTE DIGITAL SIGNATURE | verified under the simulated card's key |
| a raw operation on a block padded for a signature | that block again, raised to the public exponent |
| a raw operation on a cryptogram | the cryptogram is made anew for the card's key; the answer unpads to the plaintext |
| another manufacturer in EF.CIAInfo | that one |
| the last byte of EF.SN has 4 as its check digit | the file is given that byte; real cards have Luhn's digit, 2 |
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from cardsim.ias_ecc.files import EF_SN, ElementaryFile
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import cps4
from cardsim.layouts.build import master_file
from cardsim.layouts.content import CardContent, DataObject

FOLDER = Path(__file__).parents[2] / "data" / "transcripts" / "cps4"
FIRST_CONTACT = "cryptolib-5.2.2-cps4-first.enumerate.jsonl"
LOGIN = "cryptolib-5.2.2-cps4.login.jsonl"
NAMES = sorted(path.name for path in FOLDER.glob("*.jsonl"))
PLAINTEXT = b"secret de test"
RAW_BEGINS, RAW_ENDS, SIGN = (bytes.fromhex(header) for header in ("112A8086", "012A8086", "012A9E9A"))
SIGNED = {
    "0A": (padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303  # what the card was asked for
    "28": (padding.PKCS1v15(), hashes.SHA256()),
    "2C": (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
}
"""Padding and hash by algorithm reference."""
OBJECTS = {
    "CPS_DATA": (0xD107, False),
    "CPS_ID_CARD": (0xD104, False),
    "CPS_NAME_PS": (0xD115, False),
    "CPS_LANG_PS": (0xD113, False),
    "CPS_INFO_PS": (0xD114, False),
    "CPS_ACTIVITY_01_PS": (0xD120, True),
    "CPS_ACTIVITY_02_PS": (0xD121, True),
}
"""File identifier, and whether the PIN protects it, in the order of the recorded directory."""


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded exchange; without a command, the card was put under power."""

    command: bytes
    response: bytes


def exchanges(name: str) -> Iterator[Exchange]:
    """What a transcript holds."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item.get("ctl") in ("power-on", "reset"):
            yield Exchange(b"", b"")
        elif "c" in item:
            yield Exchange(bytes.fromhex(item["c"]), bytes.fromhex(item["r"]))


def recorded_file(path: str) -> bytes:
    """Content of a file, put together from recorded reads."""
    content, inside = b"", False
    for exchange in (*exchanges(FIRST_CONTACT), *exchanges(LOGIN)):
        command = exchange.command
        if command[1:2] == b"\xa4":
            inside = command[5 : 5 + command[4]].hex().upper() == path
        elif command[1:2] == b"\xb0" and inside:
            content = content[: int.from_bytes(command[2:4], "big")] + exchange.response[:-2]
    return content


@pytest.fixture
def card(content: CardContent) -> IasEccCard:
    """The recorded card but for its keys."""
    objects = (
        DataObject(label, fid, recorded_file(f"0001{fid:04X}"), private=private, writable=label == "CPS_DATA")
        for label, (fid, private) in OBJECTS.items()
    )
    recorded = dataclasses.replace(
        content,
        serial="26000123",
        label="CPS JUGE",
        puk_tries_left=3,
        authentication=dataclasses.replace(content.authentication, certificate=recorded_file("00012001")),
        signature=dataclasses.replace(content.signature, certificate=recorded_file("00012002")),
        data_objects=tuple(objects),
        authority_certificate=recorded_file("00012003"),
    )
    tree = master_file(dataclasses.replace(cps4.LAYOUT, manufacturer="JUGE DE TEST"), recorded)
    serial = tree.children[EF_SN]
    assert isinstance(serial, ElementaryFile)
    serial.content[-1] = 0x4F
    return IasEccCard(
        tree,
        atr=cps4.ATR,
        protocol=cps4.LAYOUT.protocol,
        generation=cps4.LAYOUT.generation,
        behaviour=cps4.LAYOUT.behaviour,
    )


class Replay:
    """Sends what was recorded, and judges the answers.

    Args:
        card: the card.
        authentication, signature: its public keys.
    """

    def __init__(self, card: IasEccCard, authentication: rsa.RSAPublicKey, signature: rsa.RSAPublicKey) -> None:
        self._card = card
        self._keys = {0xA0: authentication, 0xA1: signature}
        self._authentication = authentication
        self._block = b""
        self._environment = b""
        self.computed = 0

    def exchange(self, recorded: Exchange) -> None:
        """One recorded exchange."""
        header, body = recorded.command[:4], recorded.command[4:]
        data = body[1 : 1 + body[0]] if len(body) > 1 else b""
        if header == RAW_BEGINS:
            self._block = data
            answer = self._card.transmit(recorded.command) if data[:2] == b"\x00\x01" else b"\x90\x00"
            assert answer == recorded.response
        elif header == RAW_ENDS:
            self._raw(self._block + data, recorded)
        elif header == SIGN:
            self._signed(data, self._card.transmit(recorded.command), recorded.response)
        else:
            if header[1] == 0x22:
                self._environment = data
            assert self._card.transmit(recorded.command) == recorded.response, recorded.command.hex()

    def _raw(self, block: bytes, recorded: Exchange) -> None:
        """A block to sign goes as it was recorded; a cryptogram is made anew."""
        key = self._authentication
        numbers = key.public_numbers()
        signs = block[:2] == b"\x00\x01"
        if not signs:
            block = key.encrypt(PLAINTEXT, padding.PKCS1v15())
            assert self._card.transmit(RAW_BEGINS + b"\xff" + block[:255]) == b"\x90\x00"
        answer = self._card.transmit(RAW_ENDS + b"\x01" + block[255:] + b"\x00")
        assert (len(answer), answer[-2:]) == (len(recorded.response), recorded.response[-2:])
        if signs:
            raised = pow(int.from_bytes(answer[:-2], "big"), numbers.e, numbers.n)
            assert raised.to_bytes(256, "big") == block
        else:
            assert recorded.response[:2] == answer[:2] == b"\x00\x02"
            assert answer[:-2].endswith(b"\x00" + PLAINTEXT)
        self.computed += 1

    def _signed(self, digest: bytes, answer: bytes, recorded: bytes) -> None:
        assert (len(answer), answer[-2:]) == (len(recorded), recorded[-2:])
        scheme, algorithm = SIGNED[self._environment[2:3].hex().upper()]
        self._keys[self._environment[3]].verify(answer[:-2], digest, scheme, Prehashed(algorithm))
        self.computed += 1


@pytest.mark.parametrize("name", NAMES)
def test_replay_as_host(
    card: IasEccCard, authentication_key: rsa.RSAPrivateKey, signature_key: rsa.RSAPrivateKey, name: str
) -> None:
    """Each transcript from its first command to its last."""
    replay = Replay(card, authentication_key.public_key(), signature_key.public_key())
    compared = 0
    for recorded in exchanges(name):
        if not recorded.command:
            card.power_on()
            continue
        replay.exchange(recorded)
        compared += 1
    assert compared > 8
    assert replay.computed == {"sign": 15, "onesign": 1, "removal": 2}.get(name.split(".")[-2], 0)


def test_the_recordings_are_whole() -> None:
    """So that the files compared are those of the recorded sizes."""
    assert len(NAMES) == 9
    assert [len(recorded_file(f"0001200{number}")) for number in (1, 2, 3)] == [929, 896, 884]
    assert all(recorded_file(f"0001{fid:04X}") for fid, _ in OBJECTS.values())
