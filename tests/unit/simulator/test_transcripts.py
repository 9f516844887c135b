"""Recorded commands of two middlewares, sent to simulated cards laid out as the recorded ones.

The recorded cards were software: one in the layout of real CPS3 cards, one in an easier layout. The commands are the
middlewares' own. Every answer must be the recorded one, to the byte, but for what `DIFFERENCES` lists with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.ias_ecc.cps3 import with_older_side
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import build, cps3, cps3_easy
from cardsim.layouts.content import CardContent, DataObject
from cardsim.layouts.layout import Layout
from cardsim.pkcs15 import SEQUENCE, text
from cardsim.tlv import encode

TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"
PLAINTEXT = b"secret de test"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded exchange, or what happened to the power.

    Args:
        command: empty where the power changed.
        response: data and status word.
        powered: whether there is power afterwards.
    """

    command: bytes
    response: bytes
    powered: bool = True


def exchanges(path: Path) -> Iterator[Exchange]:
    """What a transcript holds."""
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if "ctl" in item:
            yield Exchange(b"", b"", powered=item["ctl"] in ("power-on", "reset"))
        else:
            yield Exchange(bytes.fromhex(item["c"]), bytes.fromhex(item["r"]))


def recorded_file(first_contact: str, path: str) -> bytes:
    """Content of a file, put together from the recorded reads of a first contact."""
    content, inside = b"", False
    for exchange in exchanges(TRANSCRIPTS / first_contact):
        command = exchange.command
        if command[1:2] == b"\xa4":
            inside = command[5 : 5 + command[4]].hex().upper() == path
        elif command[1:2] == b"\xb0" and inside and not command[2] & 0x80:
            offset = int.from_bytes(command[2:4], "big")
            content = content[:offset] + exchange.response[:-2]
    assert content
    return content


# What may differ


def a_signature(answer: bytes, recorded: bytes) -> bool:
    """As long, and with the same status word."""
    return (len(answer), answer[-2:]) == (len(recorded), recorded[-2:])


def the_right_serial(answer: bytes, recorded: bytes) -> bool:
    """The same but for the check digit."""
    return recorded == bytes.fromhex("5A0A8025000001260001234F9000") and answer == recorded[:-3] + b"\x2f\x90\x00"


@dataclass(frozen=True, slots=True)
class Difference:
    """Answers that are not the recorded ones.

    Args:
        commands: the beginnings of the commands that they answer, GET RESPONSE for them included.
        judge: from the answer and the recorded one to whether the difference is just this.
        reason: why.
    """

    commands: tuple[str, ...]
    judge: Callable[[bytes, bytes], bool]
    reason: str


DIFFERENCES = (
    Difference(("0088", "002A9E9A"), a_signature, "the keys are other ones: a signature is compared by its length"),
    Difference(
        ("00B09C000C", "00B000000C"),
        the_right_serial,
        "the recorded serial 26000123 of the easier layout ends in the digit 4; the Luhn digit over issuer and serial, "
        "as the two published real cards have it, is 2, and a simulated card always bears the right one",
    ),
)
"""Everything in which a replay may differ from its recording. Cryptograms are made anew, for the card's own key; the
plaintext is the recorded one."""


# The recorded cards


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the recorded cards.

    Args:
        folder: of its transcripts.
        layout: how it is laid out.
        personal: makes its content of a card's, whose keys stay.
    """

    folder: str
    layout: Layout
    personal: Callable[[CardContent], CardContent]


REAL_FREE_OBJECTS = {
    "CPS_ID_CARD": (0xD101, "3014130A323630303937313834350C06435053337633"),
    "CPS_NAME_PS": (0xD102, "301B0C104C4520474F46462DC3895449454E4E450C0743616D696C6C65"),
    "CPS_LANG_PS": (0xD103, "13026672"),
    "CPS_INFO_PS": (0xD104, "300A0C0231300C04534D3236"),
}
REAL_ACTIVITIES = {
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


def objects(free: dict[str, tuple[int, str]], private: dict[str, tuple[int, str]]) -> Iterator[DataObject]:
    """Data objects of labels, file identifiers and contents."""
    for label, (fid, value) in free.items():
        yield DataObject(label, fid, bytes.fromhex(value))
    for label, (fid, value) in private.items():
        yield DataObject(label, fid, bytes.fromhex(value), private=True)


def real_content(content: CardContent) -> CardContent:
    """The card of the real layout."""
    first = "cps3-real/cryptolib-5.2.2-cps3real-first.enumerate.jsonl"
    certificates = recorded_file(first, "3F000001A001"), recorded_file(first, "3F000001A002")
    return replace(
        content,
        signature=replace(content.signature, certificate=certificates[0]),
        authentication=replace(content.authentication, certificate=certificates[1]),
        data_objects=(
            DataObject("CPS_DATA", 0xD107, bytes(128), writable=True),
            *objects(REAL_FREE_OBJECTS, REAL_ACTIVITIES),
        ),
        billing_situation=encode(SEQUENCE, text("SIT FACT FICTIVE")),
        older_activities=tuple((number, encode(SEQUENCE, text(f"SITUATION {number}"))) for number in (1, 2, 4)),
    )


EASY_FIRST = "cps3-easy/opensc-0.23.enumerate.jsonl"
EASY_FREE_OBJECTS = {
    "CPS_ID_CARD": (0xD104, b"ID CARTE 26000123".hex()),
    "CPS_NAME_PS": (0xD115, b"ESSAI CAMILLE".hex()),
    "CPS_LANG_PS": (0xD113, b"fr".hex()),
    "CPS_INFO_PS": (0xD114, b"INFO PS".hex()),
}
EASY_ACTIVITIES = {
    "CPS_ACTIVITY_01_PS": (0xD120, b"SITUATION 1".hex()),
    "CPS_ACTIVITY_02_PS": (0xD121, b"SITUATION 2".hex()),
}


def easy_content(content: CardContent) -> CardContent:
    """The card of the easier layout."""
    authentication, signature, authority = (recorded_file(EASY_FIRST, f"3F000001200{number}") for number in (1, 2, 3))
    return replace(
        content,
        serial="26000123",
        label="CPS JUGE",
        puk_tries_left=3,
        signature=replace(content.signature, certificate=signature),
        authentication=replace(content.authentication, certificate=authentication),
        authority_certificate=authority,
        data_objects=(
            DataObject("CPS_DATA", 0xD107, bytes(64), writable=True),
            *objects(EASY_FREE_OBJECTS, EASY_ACTIVITIES),
        ),
        billing_situation=b"SIT FACT",
        older_activities=((1, b"SIT 1"), (2, b"SIT 2")),
    )


REAL = Subject("cps3-real", cps3.LAYOUT, real_content)
EASY = Subject("cps3-easy", replace(cps3_easy.LAYOUT, manufacturer="JUGE DE TEST"), easy_content)
SUBJECTS = {each.folder: each for each in (REAL, EASY)}
NAMES = sorted(str(path.relative_to(TRANSCRIPTS)) for name in SUBJECTS for path in (TRANSCRIPTS / name).glob("*.jsonl"))


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
        yield replace(exchange, command=header + data)


@dataclass(frozen=True, slots=True)
class Deviation:
    """An answer that is not the recorded one.

    Args:
        place: number of the command in its transcript.
        asked: the command, hexadecimal; the one before for GET RESPONSE.
        answer, recorded: what came, and what should have.
    """

    place: int
    asked: str
    answer: bytes
    recorded: bytes

    def is_just(self, difference: Difference) -> bool:
        """Whether it is the one that is listed."""
        return self.asked.startswith(difference.commands) and difference.judge(self.answer, self.recorded)


def replay(name: str, content: CardContent, authentication_key: rsa.RSAPrivateKey) -> list[Deviation]:
    """Send a transcript from its first command to its last."""
    subject = SUBJECTS[name.split("/", maxsplit=1)[0]]
    personal = subject.personal(content)
    card = IasEccCard(
        build.master_file(subject.layout, personal),
        atr=subject.layout.atr,
        protocol=subject.layout.protocol,
        generation=with_older_side(build.older_side(personal)),
        behaviour=subject.layout.behaviour,
    )
    card.power_on()
    asked, compared, deviations = "", 0, []
    for exchange in with_own_cryptograms(exchanges(TRANSCRIPTS / name), authentication_key.public_key()):
        if not exchange.command:
            (card.power_on if exchange.powered else card.power_off)()
            continue
        answer = card.transmit(exchange.command)
        if exchange.command[1] != 0xC0:
            asked = exchange.command.hex().upper()
        if answer != exchange.response:
            deviations.append(Deviation(compared, asked, answer, exchange.response))
        compared += 1
    assert compared > 5
    return deviations


@pytest.mark.parametrize("name", NAMES)
def test_replay_as_host(content: CardContent, authentication_key: rsa.RSAPrivateKey, name: str) -> None:
    """Every answer is the recorded one, but for what is listed."""
    deviations = replay(name, content, authentication_key)
    assert [each for each in deviations if not any(map(each.is_just, DIFFERENCES))] == []


def test_each_listed_difference_is_there(content: CardContent, authentication_key: rsa.RSAPrivateKey) -> None:
    """So that the list does not outlive its reasons."""
    names = ("cps3-easy/opensc-0.23.enumerate.jsonl", "cps3-easy/cryptolib-5.2.2.sign.jsonl")
    deviations = [each for name in names for each in replay(name, content, authentication_key)]
    for difference in DIFFERENCES:
        assert any(each.is_just(difference) for each in deviations), difference.reason


def test_the_recorded_certificates_are_whole(content: CardContent) -> None:
    """So that the files compared are those of the recorded sizes."""
    real, easy = real_content(content), easy_content(content)
    assert (len(real.signature.certificate), len(real.authentication.certificate)) == (1896, 1931)
    sizes = len(easy.authentication.certificate), len(easy.signature.certificate), len(easy.authority_certificate)
    assert sizes == (929, 896, 884)


def test_every_recording_of_both_layouts_is_replayed() -> None:
    """Both middlewares, with and without their caches, in every story."""
    stories = ("changepin", "enumerate", "login", "onesign", "removal", "sign", "unblock", "wrongpin")
    for folder, tag in (("cps3-easy", ""), ("cps3-real", "-cps3real")):
        for story in stories:
            for middleware in ("cryptolib-5.2.2", "opensc-0.23", "opensc-0.23-cache"):
                base, cache = middleware.removesuffix("-cache"), "-cache" * middleware.endswith("-cache")
                assert f"{folder}/{base}{tag}{cache}.{story}.jsonl" in NAMES
