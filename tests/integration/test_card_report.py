"""A card report: what it tells, what it never tells, and that it costs nothing."""

from __future__ import annotations

import dataclasses

import pytest

from cardd_drivers.apdu import Command, Response, StatusWord
from cardd_drivers.contract import CardRemoved, CardReport, CardReporter, PinStatus, Transport
from cardd_drivers.ias_ecc import driver
from cardd_drivers.ias_ecc.report import Recorder, get_data
from cardd_drivers.ias_ecc.report_mask import shown
from cardsim import profiles
from cardsim.personalise import personalise
from tests.support.core import card_of, pki_store
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory

PROFILES = ["physician", "physician-easy", "physician-cps4", "nurse-cps4-t0", "otherwise", "many-activities"]


def report_on(profile: str, *, with_identity: bool = False) -> tuple[CardReport, DirectChannel]:
    channel = DirectChannel(card_of(profile))
    return driver.report(channel, with_identity=with_identity), channel


def answers(report: CardReport) -> dict[str, str]:
    return {one.question: one.answer for one in report.answers}


def test_the_driver_says_that_it_can() -> None:
    assert isinstance(driver, CardReporter)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_costs_no_try_and_sends_nothing_but_questions(profile: str) -> None:
    report, channel = report_on(profile)
    assert len(report.commands) == len(channel.sent)
    assert {command.ins for command in channel.commands} <= {0xA4, 0xB0, 0xC0, 0xCB, 0x20}
    assert all(not command.data for command in channel.commands if command.ins == 0x20)
    card = driver.open(channel, DictMemory())
    card.identify()
    assert card.pin_status() in (PinStatus(3), PinStatus(None))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("with_identity", [False, True])
def test_who_holds_the_card_is_told_only_where_it_was_asked_for(profile: str, with_identity: bool) -> None:
    report, _ = report_on(profile, with_identity=with_identity)
    loaded = profiles.load(profile)
    text = repr(report).lower()
    secrets = [
        loaded.card.serial,
        loaded.card.serial.encode().hex(),
        loaded.card.number.encode().hex(),
        loaded.holder.identifier.encode().hex(),
        (loaded.holder.surname or "").encode().hex(),
    ]
    told = [secret for secret in secrets if secret.lower() in text]
    assert bool(told) is with_identity


def test_every_open_question_has_its_answer() -> None:
    found = answers(report_on("physician")[0])
    assert found["sizes of certificates"].count("bytes") == 2
    assert (
        "CPS_PRIV_SIG: 81, 2048 bits, userConsent absent"
        in found["key references, and uses for one presentation of the PIN (userConsent)"]
    )
    assert found["remaining tries, as VERIFY without data tells them"] == "63C3"
    assert "9a0103" in found["access rules and parameters of PIN and PUK"]
    assert "contact key 1: 7012bf90010ea00c80020100a1068c044311ff00 9000" in found["access rules of the keys"]
    assert "6A80" in found["answer to 7F48 of the keys"]
    assert "CPS_ACTIVITY_01_PS d120" in found["file numbers of directories, certificates and data objects"]
    assert found["whether VERIFY takes the digits without padding"] == "not asked: it takes the PIN"
    assert all(found.values())


def test_other_cards_answer_otherwise() -> None:
    first, second = (answers(report_on(profile)[0]) for profile in ("physician", "otherwise"))
    differing = {question for question in first if first[question] != second[question]}
    assert "file numbers of directories, certificates and data objects" in differing
    assert "remaining tries, as VERIFY without data tells them" in differing
    assert first.keys() == second.keys()


def test_a_cps4_is_asked_its_own_way() -> None:
    report, channel = report_on("physician-cps4")
    assert answers(report)["answer to reset, protocol, generation"].endswith("cps4")
    assert answers(report)["sizes of certificates"].count("bytes") == 2
    assert any(command.cla == 0x01 for command in channel.commands)


def test_a_card_that_is_pulled_out_ends_it() -> None:
    channel = DirectChannel(card_of(), remove_at=12)
    with pytest.raises(CardRemoved):
        driver.report(channel, with_identity=False)


class Refusing:
    """A card that refuses everything with one word."""

    atr = bytes.fromhex("3BAC00402A001225006480000310009000")
    transport = Transport.T0

    def __init__(self, word: int, data: bytes = b"") -> None:
        self._answer = Response(data, StatusWord(word))

    def transmit(self, command: Command) -> Response:
        del command
        return self._answer


@pytest.mark.parametrize(
    ("word", "data"), [(0x6D00, b""), (0x6F00, b""), (0x6C10, b""), (0x6110, b""), (0x9000, b"\xff" * 200)]
)
def test_a_card_that_makes_no_sense_still_gives_a_report(word: int, data: bytes) -> None:
    report = driver.report(Refusing(word, data), with_identity=False)
    assert answers(report)["what could not be asked"] != "nothing"
    assert report.commands


@pytest.mark.parametrize(
    "command",
    [
        Command(0x00, 0x20, 0x00, 0x01, b"1234\xff\xff\xff\xff"),
        Command(0x00, 0x2A, 0x9E, 0x9A, le=256),
        Command(0x00, 0x24, 0x00, 0x01, bytes(16)),
        Command(0x00, 0x2C, 0x02, 0x01, bytes(8)),
        Command(0x00, 0xD6, 0x00, 0x00, b"x"),
    ],
)
def test_nothing_that_could_cost_something_passes(command: Command) -> None:
    channel = DirectChannel(card_of())
    with pytest.raises(ValueError, match="no card report sends"):
        Recorder(channel).transmit(command)
    assert channel.sent == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (get_data(0x01, 1, b"\xa0"), "4d087006bf810102a080"),
        (get_data(0x10, 2, b"\x7f\x48"), "4d097007bf9002037f4880"),
        (get_data(0x7B, 5, b"\x7b"), "4d087006bffb05027b80"),
    ],
)
def test_get_data_is_written_as_the_published_exchanges_have_it(command: Command, expected: str) -> None:
    assert bytes(command.data).hex() == expected


@pytest.mark.parametrize(
    ("data", "serial", "whole", "expected"),
    [
        (b"CPS3v3-2600971845", "", True, "4350533376332d" + ".." * 10),
        (bytes.fromhex("5a0a8025000001992138450f"), "", False, "5a0a8025000001" + ".." * 5),
        (bytes.fromhex("01992138450f02"), "99213845", True, "01" + ".." * 5 + "02"),
        (b"1234567", "", True, "31323334353637"),
    ],
)
def test_what_is_hidden(data: bytes, serial: str, whole: bool, expected: str) -> None:
    assert shown(data, serial, whole=whole) == expected


def test_a_blocked_pin_stays_as_blocked_as_it_was() -> None:
    card = personalise(dataclasses.replace(profiles.load("pin-blocked")), pki_store())
    report = driver.report(DirectChannel(card), with_identity=False)
    assert answers(report)["remaining tries, as VERIFY without data tells them"] in ("6983", "63C0")
