"""The driver of the contactless CPS3 on a simulated card: its commands, each counted, and what hostile ones lead to."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.cards.drivers import Drivers
from cardd_drivers import contactless, ias_ecc
from cardd_drivers.apdu import Command, Response
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Card,
    CardError,
    CardKind,
    CardRemoved,
    DecipherAlgorithm,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    Match,
    ObjectNotFound,
    SignatureAlgorithm,
)
from cardsim import personalise, profiles
from cardsim.ias_ecc.access_rules import Interface
from cardsim.ias_ecc.system import IasEccCard
from cardsim.profiles.loader import parse
from tests.integration.test_driver_on_every_switch import behaviours
from tests.support.core import pki_store
from tests.support.desk import require_valid
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory, encode
from tests.unit.drivers.ias_ecc.test_hostile import CHANGES, PIN_COMMANDS

CHALLENGE = b"a fresh challenge of the daemon's"
KNOWN = ["00B09C000C", "00A4090C043F000002", "002241A406840181800102"]
"""Serial, application, environment; INTERNAL AUTHENTICATE follows."""
STEPS: tuple[Callable[[Card], object], ...] = (
    lambda card: card.identify(),
    lambda card: card.read_certificate(KeyName.TECHNICAL),
    lambda card: card.read_object("CPS_DATA"),
    lambda card: card.authenticate(KeyName.TECHNICAL, CHALLENGE),
)
PIN_STEPS: tuple[Callable[[Card], object], ...] = (
    lambda card: card.pin_status(),
    lambda card: card.puk_status(),
    lambda card: card.verify_pin(bytearray(b"1234")),
    lambda card: card.verify_pin_on_pad(),
    lambda card: card.change_pin(bytearray(b"1234"), bytearray(b"4321")),
    lambda card: card.unblock_pin(bytearray(b"12345678"), bytearray(b"1234")),
)
HONEST_COMMANDS = 25
COMMANDS_MOST = 1_000


def simulated(profile: str = "physician") -> IasEccCard:
    return personalise(profiles.load(f"{profile}:contactless"), pki_store())


HONEST_CARD = functools.cache(simulated)
"""For tests that leave it as it is."""


class Desk:
    """One card that is held to a reader again and again, and what is remembered of it."""

    def __init__(self, profile: str = "physician") -> None:
        self.card = simulated(profile)
        self.memory = DictMemory()
        self.channel = DirectChannel(self.card)

    def tap(self, remove_at: int | None = None) -> Card:
        self.channel = DirectChannel(self.card, remove_at)
        return contactless.driver.open(self.channel, self.memory)

    def known(self) -> Card:
        """The card, after it was held to the reader once."""
        prove(self.tap())
        return self.tap()

    @property
    def lines(self) -> list[str]:
        return [raw.hex().upper() for raw in self.channel.sent]


def prove(card: Card) -> bytes:
    """What a tap is for: who, by which certificate, and that it is there."""
    card.identify()
    certificate = card.read_certificate(KeyName.TECHNICAL)
    answer = card.authenticate(KeyName.TECHNICAL, CHALLENGE)
    require_valid(certificate, answer, hashlib.sha256(CHALLENGE).digest())
    return certificate


# Recognition


def test_its_atr_is_ours_alone() -> None:
    """Certain for this driver, nothing for the contact one, so that neither has to ask the card."""
    atr = simulated().atr
    assert contactless.driver.matches(atr) is Match.CERTAIN
    assert ias_ecc.driver.matches(atr) is Match.NO
    chosen = Drivers.discover().choose(atr, lambda: pytest.fail("no probe is needed"))
    assert chosen is not None
    assert chosen.name == "contactless"


@pytest.mark.parametrize(
    ("atr", "match"),
    [
        ("3B8F80010031B86404B0ECC17394018082900000", Match.CERTAIN),  # the reader's check byte is its own affair
        ("3B8F80010031B86404B0ECC1739401808205000E", Match.CERTAIN),  # another status: 82 0500
        ("3B8F80010031B86404B0ECC17396014082900000", Match.POSSIBLE),  # other capabilities
        ("3B8680016404B0ECC10000", Match.NO),  # no category byte
        ("3BAC00402A001225006480000310009000", Match.NO),  # the contacts
        ("2B8F80010031B86404B0ECC1739401808290000E", Match.NO),  # OpenSC's line
        ("3B8F8001804F0CA000000306030001000000006A", Match.NO),  # a memory card, as PC/SC part 3 names it
        ("3B8F80010031B86404B0ECC17394018082", Match.NO),  # cut
        ("", Match.NO),
    ],
)
def test_recognition(atr: str, match: Match) -> None:
    """By the historical bytes, whole."""
    assert contactless.driver.matches(bytes.fromhex(atr)) is match


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(atr: bytes) -> None:
    """And are no CPS unless they hold its pre-issuing data."""
    if bytes.fromhex("6404B0ECC1") not in atr:
        assert contactless.driver.matches(atr) is Match.NO


def test_a_probe_asks_for_the_serial_number() -> None:
    """One exchange; a card of another issuer is no CPS."""
    desk = Desk()
    assert contactless.driver.probe(desk.channel)
    assert desk.lines == ["00B09C000C"]
    ef_sn = desk.card.master_file.by_path([0xD003])
    assert ef_sn is not None
    ef_sn.content[2] = 0x81  # type: ignore[union-attr]  # an EF
    assert not contactless.driver.probe(DirectChannel(desk.card))


# What a tap costs


def test_a_known_card_proves_itself_in_four_commands() -> None:
    """Serial, application, environment, INTERNAL AUTHENTICATE; the certificate is remembered. The library sends 28."""
    desk = Desk()
    prove(desk.known())
    assert desk.lines[:-1] == KNOWN
    assert desk.lines[-1].startswith("0088000033")
    assert len(desk.lines) == 4


def test_a_card_never_seen_is_read_once() -> None:
    """EF.SN, EF.DIR, the application, three files (SELECT and READ each), the certificate; then the proof in two."""
    desk = Desk()
    certificate = prove(desk.tap())
    assert len(desk.lines) == 3 + 3 * 2 + 1 + -(-len(certificate) // 256) + 2


def test_the_serial_and_kind_are_told() -> None:
    """The serial is that of the contacts; the label is not read for it."""
    identity = Desk().tap().identify()
    assert (identity.serial, identity.kind, identity.label) == ("26000001", CardKind.CPS3_CONTACTLESS, "")


def test_both_interfaces_are_remembered_apart() -> None:
    """One serial, two applications: neither's directories or certificates stand in for the other's."""
    desk = Desk()
    technical = prove(desk.tap())
    inserted = personalise(profiles.load("physician"), pki_store())
    contact = ias_ecc.driver.open(DirectChannel(inserted), desk.memory)
    assert contact.identify().serial == desk.tap().identify().serial
    assert contact.read_certificate(KeyName.AUTHENTICATION) != technical
    with pytest.raises(ObjectNotFound):
        contact.read_certificate(KeyName.TECHNICAL)
    assert prove(desk.tap()) == technical
    assert len(desk.lines) == 4


def test_a_card_of_other_numbers_is_found_by_its_directories() -> None:
    """Nothing is taken for granted: application, files, key, and what else a card may do its own way."""
    desk = Desk("otherwise")
    prove(desk.tap())
    prove(desk.tap())
    assert any("3F000A02" in line for line in desk.lines)
    assert any("840191" in line for line in desk.lines)


CONTACTLESS_NUMBERS = (
    "contactless_application = 0x0A02",
    "contactless_key_directory = 0x7201\ncontactless_certificate_directory = 0x7202\ntechnical_certificate = 0xB003",
    "technical_key = 0x1F",
    'key_references = "negative"',
)


@pytest.mark.parametrize(
    "settings",
    [*(f"[behaviour]\n{each}" for each in behaviours()), *(f"[numbers]\n{each}" for each in CONTACTLESS_NUMBERS)],
    ids=lambda text: text.replace("\n", " "),
)
def test_a_tap_on_every_switch(settings: str) -> None:
    """Whatever a card may do otherwise, it is identified and proven, never seen and known."""
    physician = Path(profiles.__file__).with_name("physician.toml").read_text(encoding="utf-8")
    profile = parse(f"{physician}\n{settings}\n", "physician.toml", "physician")
    card = personalise(replace(profile, card=replace(profile.card, interface=Interface.CONTACTLESS)), pki_store())
    memory, certificates = DictMemory(), set()
    for _ in range(2):
        certificates.add(prove(contactless.driver.open(DirectChannel(card), memory)))
    assert len(certificates) == 1


# What it does not do


@pytest.mark.parametrize("step", PIN_STEPS)
def test_no_pin_goes_over_the_air(step: Callable[[Card], object]) -> None:
    """Refused before anything is sent."""
    desk = Desk()
    card = desk.known()
    with pytest.raises(ObjectNotFound):
        step(card)
    assert desk.lines == []


def test_nothing_is_signed_or_deciphered() -> None:
    """The technical key answers challenges; the others are not there."""
    desk = Desk()
    card = desk.known()
    for key in KeyName:
        with pytest.raises(KeyNotFound):
            card.sign(key, SignatureAlgorithm.RS256, bytes(32))
        with pytest.raises(KeyNotFound):
            card.decipher(key, DecipherAlgorithm.RSA1_5, bytes(256))
        if key is not KeyName.TECHNICAL:
            with pytest.raises(AlgorithmNotSupported):
                card.authenticate(key, CHALLENGE)
            with pytest.raises(ObjectNotFound):
                card.read_certificate(key)
    assert desk.lines == ["00B09C000C"]


def test_its_capabilities_say_so() -> None:
    """Possession, and nothing else."""
    capabilities = Desk().tap().capabilities()
    assert (capabilities.pin, capabilities.puk, capabilities.possession) == (None, None, KeyName.TECHNICAL)
    assert not capabilities.signature
    assert not capabilities.decipher


def test_a_card_whose_application_has_no_key_is_refused() -> None:
    """An empty directory is no contactless CPS."""
    desk = Desk()
    directory = desk.card.master_file.by_path([0x0002, 0x7002])
    assert directory is not None
    directory.content[:] = bytes(len(directory.content))  # type: ignore[union-attr]  # an EF
    with pytest.raises(MalformedCardData, match="no key that signs"):
        desk.tap().identify()


# Removal and hostility


@pytest.mark.parametrize("at", range(18))
def test_removal_at_any_command_is_told_as_such(at: int) -> None:
    """And what was remembered until then serves the next tap."""
    desk = Desk()
    with pytest.raises(CardRemoved):
        prove(desk.tap(remove_at=at))
    prove(desk.tap())


class SpoiltChannel(DirectChannel):
    """A channel on which answers change at chosen commands."""

    def __init__(self, card: IasEccCard, change: Callable[[int], Callable[[bytes], bytes]]) -> None:
        super().__init__(card)
        self._change = change

    def transmit(self, command: Command) -> Response:
        """The honest answer, or what becomes of it."""
        change = self._change(len(self.sent))
        self.sent.append(encode(command))
        answer = change(self._card.transmit(encode(command)))
        return Response.parse(answer if len(answer) >= 2 else b"\x6f\x00")


@settings(max_examples=150)
@given(st.dictionaries(st.integers(0, HONEST_COMMANDS), CHANGES, min_size=1, max_size=6))
def test_an_honest_card_spoilt_at_some_commands(changes: dict[int, Callable[[bytes], bytes]]) -> None:
    """Only the contract's errors, a bounded number of commands, no PIN; nor does what was remembered do harm."""
    memory = DictMemory()
    for channel in (
        SpoiltChannel(HONEST_CARD(), lambda number: changes.get(number, bytes)),
        DirectChannel(HONEST_CARD()),
    ):
        card = contactless.driver.open(channel, memory)
        for step in (*STEPS, *PIN_STEPS):
            with suppress(CardError):
                step(card)
        assert len(channel.sent) < COMMANDS_MOST
        assert not any(raw[1] in PIN_COMMANDS for raw in channel.sent)


@settings(max_examples=150)
@given(st.lists(st.binary(min_size=2, max_size=258), min_size=1, max_size=12))
def test_a_card_that_answers_at_random(raw: list[bytes]) -> None:
    """As above."""
    answers = itertools.cycle(raw)
    channel = SpoiltChannel(HONEST_CARD(), lambda _number: lambda _honest: next(answers))
    card = contactless.driver.open(channel, DictMemory())
    for step in (*STEPS, *PIN_STEPS):
        with suppress(CardError):
            step(card)
    assert len(channel.sent) < 10 * COMMANDS_MOST
    assert not any(sent[1] in PIN_COMMANDS for sent in channel.sent)
