"""Recorded commands of two middlewares, sent to the simulated card laid out as the recorded one.

The recorded card was software in the layout of real CPS3 cards. Every answer must be the recorded one, but for

- what keys compute: other keys here, so length and status word are compared, and cryptograms are made anew;
- class A0, the older side of a CPS3, which is refused here with 6E00 as a whole;
- the one command after class A0 that the recorded card refused with 6E00 until its root AID was selected again.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.layouts.content import CardContent, DataObject
from tests.unit.simulator.conftest import MakeHost

FOLDER = Path(__file__).parents[2] / "data" / "transcripts" / "cps3-real"
FIRST_CONTACT = "cryptolib-5.2.2-cps3real-first.enumerate.jsonl"
NAMES = sorted(path.name for path in FOLDER.glob("*.jsonl"))
PLAINTEXT = b"secret de test"

FREE_OBJECTS = {
    "CPS_ID_CARD": (0xD101, "3014130A323630303937313834350C06435053337633"),
    "CPS_NAME_PS": (0xD102, "301B0C104C4520474F46462DC3895449454E4E450C0743616D696C6C65"),
    "CPS_LANG_PS": (0xD103, "13026672"),
    "CPS_INFO_PS": (0xD104, "300A0C0231300C04534D3236"),
}
ACTIVITIES = {
    "CPS_ACTIVITY_01_PS": (
        0xD120,
        "EE2F8416436162696E6574206475206A75676520666963746966850F343939393030303030303435303031860453413037",
    ),
    "CPS_ACTIVITY_02_PS": (
        0xD121,
        "EE2B841748C3B4706974616C20666963746966206475206A756765850A31393930303030303130860453413031",
    ),
    "CPS_ACTIVITY_04_PS": (0xD123, "EE21840D43656E74726520666963746966850A31393930303030303238860453413035"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded exchange, or a reset."""

    command: bytes
    response: bytes

    @property
    def resets(self) -> bool:
        """A power-on instead of an exchange."""
        return not self.command


def exchanges(name: str) -> Iterator[Exchange]:
    """What a transcript holds."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item.get("ctl") in ("power-on", "reset"):
            yield Exchange(b"", b"")
        elif "c" in item:
            yield Exchange(bytes.fromhex(item["c"]), bytes.fromhex(item["r"]))


def recorded_file(path: str) -> bytes:
    """Content of a file, put together from the recorded reads of the first contact."""
    content, inside = b"", False
    for exchange in exchanges(FIRST_CONTACT):
        command = exchange.command
        if command[1] == 0xA4:
            inside = command[5:].hex().upper() == path
        elif command[1] == 0xB0 and inside:
            offset = int.from_bytes(command[2:4], "big")
            content = content[:offset] + exchange.response[:-2]
    return content


@pytest.fixture
def recorded_content(content: CardContent) -> CardContent:
    """The recorded card but for its keys."""
    objects = (
        DataObject("CPS_DATA", 0xD107, bytes(128), writable=True),
        *(DataObject(label, fid, bytes.fromhex(value)) for label, (fid, value) in FREE_OBJECTS.items()),
        *(DataObject(label, fid, bytes.fromhex(value), private=True) for label, (fid, value) in ACTIVITIES.items()),
    )
    return dataclasses.replace(
        content,
        signature=dataclasses.replace(content.signature, certificate=recorded_file("3F000001A001")),
        authentication=dataclasses.replace(content.authentication, certificate=recorded_file("3F000001A002")),
        data_objects=objects,
    )


def with_own_cryptograms(recorded: Iterator[Exchange], key: rsa.RSAPublicKey) -> Iterator[Exchange]:
    """The same exchanges, with cryptograms that the simulated card's key can decipher."""
    rest = b""
    for exchange in recorded:
        header, data = exchange.command[:5], exchange.command[5:]
        if header[:4] == bytes.fromhex("102A8086"):
            cryptogram = data[:1] + key.encrypt(PLAINTEXT, padding.PKCS1v15())
            data, rest = cryptogram[: len(data)], cryptogram[len(data) :]
        elif header[:4] == bytes.fromhex("002A8086"):
            data = rest
        yield Exchange(header + data, exchange.response)


def computes(command: bytes) -> bool:
    """INTERNAL AUTHENTICATE and COMPUTE DIGITAL SIGNATURE."""
    return command[:2] == b"\x00\x88" or command[:4] == bytes.fromhex("002A9E9A")


@pytest.mark.parametrize("name", NAMES)
def test_replay_as_host(
    make_host: MakeHost, recorded_content: CardContent, authentication_key: rsa.RSAPrivateKey, name: str
) -> None:
    """Each transcript from its first command to its last."""
    changes = {field.name: getattr(recorded_content, field.name) for field in dataclasses.fields(recorded_content)}
    card = make_host(content_changes=changes).card
    by_key, compared = False, 0
    recorded = list(with_own_cryptograms(exchanges(name), authentication_key.public_key()))
    for previous, exchange in itertools.pairwise([Exchange(b"", b""), *recorded]):
        if exchange.resets:
            card.power_on()
            continue
        answer = card.transmit(exchange.command)
        if exchange.command[0] == 0xA0:
            assert answer == b"\x6e\x00"
            continue
        if exchange.response == b"\x6e\x00" and previous.command[0] == 0xA0:
            continue
        by_key = computes(exchange.command) or (by_key and exchange.command[1] == 0xC0)
        if by_key:
            assert (len(answer), answer[-2:]) == (len(exchange.response), exchange.response[-2:])
        else:
            assert answer == exchange.response, exchange.command.hex()
        compared += 1
    assert compared > 5


def test_the_recorded_certificates_are_whole() -> None:
    """So that the files compared are those of the recorded sizes."""
    assert len(recorded_file("3F000001A001")) == 1896
    assert len(recorded_file("3F000001A002")) == 1931
