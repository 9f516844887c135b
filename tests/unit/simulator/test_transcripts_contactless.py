"""Recorded commands of two middlewares without contact, sent to simulated cards laid out as the recorded ones.

As `test_transcripts`: every answer must be the recorded one, to the byte, but for what `DIFFERENCES` lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from cardsim.card import CardProtocol
from cardsim.ias_ecc.access_rules import Interface
from cardsim.ias_ecc.files import FileRules
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import build, cps3, cps3_easy
from cardsim.layouts.content import CardContent
from cardsim.layouts.layout import ApplicationEntry, ContactlessFace, Layout
from cardsim.tlv import Tlv, encode, parse
from tests.unit.simulator.test_transcripts import (
    TRANSCRIPTS,
    Deviation,
    Difference,
    a_signature,
    exchanges,
    recorded_file,
    the_right_serial,
)

INTERNAL_AUTHENTICATE = 0x88
REAL_STORY = "cps3-real-contactless/cryptolib-5.2.2-cps3realcl.contactless.jsonl"
EASY_STORY = "cps3-easy-contactless/cryptolib-5.2.2-contactless.contactless.jsonl"
NAMES = sorted(str(path.relative_to(TRANSCRIPTS)) for path in TRANSCRIPTS.glob("*-contactless/*.jsonl"))


def the_rule_that_is_applied(answer: bytes, recorded: bytes) -> bool:
    """The same file control parameters, but for a rule for the contactless interface."""
    return answer[-2:] == recorded[-2:] and _without_contactless_rules(answer[:-2]) == recorded[:-2]


def _without_contactless_rules(fcp: bytes) -> bytes:
    template = parse(fcp)[0]
    fields = (_kept(each) for each in parse(template.value))
    return encode(template.tag, *fields)


def _kept(field: Tlv) -> bytes:
    if field.tag != 0xA1:
        return encode(field.tag, field.value)
    rules = (encode(rule.tag, rule.value) for rule in parse(field.value) if rule.tag != Interface.CONTACTLESS.value)
    return encode(field.tag, *rules)


DIFFERENCES = (
    Difference(("0088",), a_signature, "the key is another one; the signature is verified in a test of its own"),
    Difference(("00B000000C",), the_right_serial, "the recorded serial of the easier layout has a wrong check digit"),
    Difference(
        ("00A40904",),
        the_rule_that_is_applied,
        "the recorded card of the easier layout shows a rule for the contacts alone, and applies it without contact "
        "too; a simulated card applies what stands under 9C, and shows it",
    ),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the recorded cards: its layout, and what makes its content of a card's."""

    layout: Layout
    personal: Callable[[CardContent], CardContent]


def real_content(content: CardContent) -> CardContent:
    """The card of the real layout."""
    return replace(content, technical=replace(content.signature, certificate=recorded_file(REAL_STORY, "3F000002A001")))


def easy_content(content: CardContent) -> CardContent:
    """The card of the easier layout."""
    technical = replace(content.signature, certificate=recorded_file(EASY_STORY, "3F0000022001"))
    return replace(content, serial="26000123", technical=technical)


def _easy_layout() -> Layout:
    """The easier layout with the application that its contact recordings do not show."""
    layout, face = cps3_easy.LAYOUT, cps3.LAYOUT.contactless
    assert isinstance(face, ContactlessFace)
    free = FileRules(bytes.fromhex("03FF00"), bytes.fromhex("03FF00"))
    return replace(
        layout,
        manufacturer="JUGE DE TEST",
        applications=(*layout.applications, ApplicationEntry(face.aid, "CPX IAS CL", contactless=True, ddo_aid=None)),
        rules=replace(layout.rules, administered=free, frozen=free),
        numbers=replace(
            layout.numbers,
            contactless_certificate_directory=0x7004,
            technical_certificate=0x2001,
            technical_key=0x03,
        ),
        contactless=replace(face, label="CPS JUGE", identifier=b"\x03", rules=free),
    )


SUBJECTS = {
    "cps3-real-contactless": Subject(cps3.LAYOUT, real_content),
    "cps3-easy-contactless": Subject(_easy_layout(), easy_content),
}


def card_of(name: str, content: CardContent) -> IasEccCard:
    """The recorded card, met without contact."""
    subject = SUBJECTS[name.split("/", maxsplit=1)[0]]
    assert subject.layout.contactless is not None
    return IasEccCard(
        build.master_file(subject.layout, subject.personal(content)),
        atr=subject.layout.contactless.atr,
        protocol=CardProtocol.T1,
        generation=subject.layout.generation,
        interface=Interface.CONTACTLESS,
        behaviour=subject.layout.behaviour,
    )


def replay(name: str, content: CardContent) -> list[Deviation]:
    """Send a transcript from its first command to its last."""
    card = card_of(name, content)
    card.power_on()
    deviations, compared = [], 0
    for exchange in exchanges(TRANSCRIPTS / name):
        if not exchange.command:
            (card.power_on if exchange.powered else card.power_off)()
            continue
        answer = card.transmit(exchange.command)
        if answer != exchange.response:
            deviations.append(Deviation(compared, exchange.command.hex().upper(), answer, exchange.response))
        compared += 1
    assert compared > 20
    return deviations


@pytest.mark.parametrize("name", NAMES)
def test_replay_as_host(content: CardContent, name: str) -> None:
    """Every answer is the recorded one, but for what is listed."""
    deviations = replay(name, content)
    assert [each for each in deviations if not any(map(each.is_just, DIFFERENCES))] == []


def test_each_listed_difference_is_there(content: CardContent) -> None:
    """So that the list does not outlive its reasons."""
    deviations = replay(EASY_STORY, content)
    for difference in DIFFERENCES:
        assert any(each.is_just(difference) for each in deviations), difference.reason


@pytest.mark.parametrize("name", [REAL_STORY, EASY_STORY])
def test_the_signature_asked_for_is_one(content: CardContent, signature_key: rsa.RSAPrivateKey, name: str) -> None:
    """The card signs the recorded DigestInfo with its technical key, no PIN having been presented."""
    card = card_of(name, content)
    card.power_on()
    for exchange in exchanges(TRANSCRIPTS / name):
        answer = card.transmit(exchange.command) if exchange.command else b""
        if exchange.command[1:2] == bytes([INTERNAL_AUTHENTICATE]):
            digest = exchange.command[5 + 19 : 5 + 51]  # Lc 33: a DigestInfo of 19 bytes before the SHA-256 value
            signature_key.public_key().verify(answer[:-2], digest, padding.PKCS1v15(), Prehashed(SHA256()))
            return
    pytest.fail("no INTERNAL AUTHENTICATE in the transcript")


def test_both_recorded_certificates_are_whole(content: CardContent) -> None:
    """So that the files compared are those of the recorded sizes."""
    sizes = [
        len(made.technical.certificate) for made in (real_content(content), easy_content(content)) if made.technical
    ]
    assert sizes == [1736, 850]


def test_every_recording_without_contact_is_replayed() -> None:
    """The agency's library on both layouts; OpenSC, which does not know the card."""
    assert {REAL_STORY, EASY_STORY, "cps3-easy-contactless/opensc-0.23-contactless.contactless.jsonl"} == set(NAMES)
