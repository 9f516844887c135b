"""The driver on the simulated CPS4: exchanges, beside those of the agency's library, on every switch."""

from __future__ import annotations

import collections
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cardd_drivers.contract import (
    CardKind,
    CardRemoved,
    CardReset,
    Identity,
    KeyName,
    Match,
    ObjectNotFound,
    PinStatus,
    SecurityStatusNotSatisfied,
)
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore
from cardsim.behaviour import BlockingTry, LogoutRule, OverLimit, PastEnd, ShortIdentifiers
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.cps4 import (
    ENCRYPTION_PADDINGS,
    NEW,
    OAEP,
    PIN,
    PS256,
    PUK,
    RS256,
    RSA1_5,
    Insertions,
    authenticate,
    public_key,
    require_valid,
)

CPS4_LAYOUTS = ("cps4", "cps4-rc", "cps4-t0")
TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts" / "cps4"
SWITCHES = {
    "asleep": {"applet_asleep": True},
    "6282 past the end": {"past_end": PastEnd.WARN},
    "short 9000 past the end": {"past_end": PastEnd.SILENT},
    "no short identifiers": {"short_identifiers": ShortIdentifiers.NONE},
    "serial by short identifier alone": {"short_identifiers": ShortIdentifiers.SERIAL},
    "reads of 231": {"read_limit": 231, "over_limit": OverLimit.REFUSED},
    "reads of 128, silently": {"read_limit": 128},
    "environment lost": {"environment_lost_after_use": True},
    "any AID drops the PIN": {"logout": LogoutRule.ANY_AID},
    "63C0 blocks": {"blocking_try": BlockingTry.NO_TRY_LEFT},
}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    return PkiStore(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def insertions(store: PkiStore) -> Insertions:
    return Insertions(store)


def recorded_commands(scenario: str) -> dict[str, int]:
    """Commands of the agency's library in each step of a recorded run."""
    name = TRANSCRIPTS / f"cryptolib-5.2.2-cps4{scenario}.jsonl"
    lines = (json.loads(line) for line in name.read_text(encoding="utf-8").splitlines())
    return collections.Counter(line["event"].split("/")[1] for line in lines if "c" in line)


# Recognition and counts


@pytest.mark.parametrize("layout", CPS4_LAYOUTS)
def test_the_three_atrs_are_recognised_and_identified(store: PkiStore, layout: str) -> None:
    insertions = Insertions(store, layout)
    assert driver.matches(insertions.channel.atr) is Match.CERTAIN
    assert driver.probe(insertions.channel)
    assert insertions.insert().identify() == Identity("26000041", CardKind.CPS4)


def test_an_unknown_card_from_insertion_to_authenticated(insertions: Insertions) -> None:
    card = insertions.insert()
    length = len(card.read_certificate(KeyName.AUTHENTICATION))
    insertions.memory.kept.clear()
    authenticate(insertions.insert())
    reads = [f"01B0{block:02X}0000" for block in range(length // 256)]
    lines = insertions.lines()
    assert lines[:17] == [
        "01A4040C088025000001FF0100",
        "01B09C000C",
        "01B09E0065",
        "01B09E0020",
        "01A40800020001",
        *("01A40800040001503100", "01B000003C"),
        *("01A40800040001700100", "01B000007E"),
        *("01A40800040001700200", "01B0000073"),
        *("01A40800040001700400", "01B0000074"),
        "01A40800040001200100",
        *reads[:3],
    ]
    rest = [*reads[3:], f"01B0{length // 256:02X}00{length % 256:02X}"]
    assert lines[17:-5] == rest
    assert [line[:10] for line in lines[-5:]] == ["01200001", "0120000104", "012241B803", "112A8086FF", "012A808601"]
    # SELECT and the serial, EF.DIR (twice, for its length), the application, 4 directories, the certificate, then 5.
    assert len(lines) == 2 + 2 + 1 + 8 + 1 + len(reads) + 1 + 5
    library = recorded_commands("-first.enumerate")
    without_certificates = library["initialize"] + library["token-info"]
    signing = recorded_commands(".onesign")
    certificate = 1 + len(reads) + 1
    assert len(lines) - certificate < without_certificates + signing["login"] + signing["sign"] == 35


def test_a_known_card_from_insertion_to_authenticated_takes_8(insertions: Insertions) -> None:
    authenticate(insertions.insert())
    authenticate(insertions.insert())
    lines = insertions.lines()
    assert [line[:10] for line in lines] == [
        "01A4040C08",
        "01B09C000C",
        "01200001",
        "01A4080002",
        "0120000104",
        "012241B803",
        "112A8086FF",
        "012A808601",
    ]
    library = recorded_commands(".onesign")
    assert sum(library.values()) == 15 > len(lines)


def test_commands_of_one_more_signature_or_decryption(insertions: Insertions) -> None:
    card = insertions.verified()
    digest = os.urandom(32)
    by_the_card = f"012A9E9A20{digest.hex().upper()}00"
    raw = ["012241B803830120", "112A8086FF", "012A808601"]
    library = recorded_commands(".sign")
    for key, algorithm, expected, recorded in (
        (KeyName.SIGNATURE, RS256, ["012281B604910228A1", by_the_card], "sign-sig-RSA-PKCS-prehash-bare"),
        (KeyName.SIGNATURE, PS256, ["012281B60491022CA1", by_the_card], "sign-sig-SHA256-PSS-prehash"),
        (KeyName.AUTHENTICATION, RS256, raw, "sign-aut-RSA-PKCS-digestinfo-second"),
        (KeyName.AUTHENTICATION, PS256, raw, "sign-aut-SHA256-PSS-prehash"),
    ):
        for _ in range(2):
            require_valid(card, key, algorithm, card.sign(key, algorithm, digest), digest)
            lines = insertions.lines()
            assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected
            assert len(lines) < library[recorded]
    for decipher in (RSA1_5, OAEP):
        cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(b"a content key", ENCRYPTION_PADDINGS[decipher])
        assert card.decipher(KeyName.ENCRYPTION, decipher, cryptogram) == b"a content key"
        assert insertions.lines() == [
            "012241B803830120",
            f"112A8086FF{cryptogram[:255].hex().upper()}",
            f"012A808601{cryptogram[255:].hex().upper()}00",
        ]
    # The recorder asked for the length first: the library deciphered twice.
    assert library["decrypt-aut-first"] == 10


def test_commands_of_a_changed_and_of_an_unblocked_pin(insertions: Insertions) -> None:
    card = insertions.verified()
    card.change_pin(bytearray(PIN), bytearray(NEW))
    assert insertions.lines() == ["012000010431323334", "012401010435363738"]
    card.unblock_pin(bytearray(PUK), bytearray(PIN))
    assert insertions.lines() == ["01200002083132333435363738", "012C0381", "012401010431323334"]
    assert recorded_commands(".changepin")["change-pin"] == 3
    unblocking = recorded_commands(".unblock")
    assert unblocking["so-login-puk"] + unblocking["init-pin"] == 5


def test_in_t0_answers_are_fetched_on_the_logical_channel(store: PkiStore) -> None:
    insertions = Insertions(store, "cps4-t0")
    card = insertions.verified()
    digest = os.urandom(32)
    require_valid(card, KeyName.SIGNATURE, PS256, card.sign(KeyName.SIGNATURE, PS256, digest), digest)
    assert [line[:10] for line in insertions.lines()] == ["012281B604", "012A9E9A20", "01C0000000"]
    cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(b"key", ENCRYPTION_PADDINGS[OAEP])
    assert card.decipher(KeyName.ENCRYPTION, OAEP, cryptogram) == b"key"
    assert [line[:10] for line in insertions.lines()] == ["012241B803", "112A8086FF", "012A808601", "01C0000000"]


# What cards may do in one way or another


@pytest.mark.parametrize("layout", CPS4_LAYOUTS)
@pytest.mark.parametrize("switches", SWITCHES)
def test_the_whole_job_on_every_switch(store: PkiStore, layout: str, switches: str) -> None:
    behaviour = replace(LAYOUTS[layout].behaviour, **SWITCHES[switches])  # type: ignore[arg-type]  # named above
    insertions = Insertions(store, layout, behaviour)
    for _ in ("unknown", "known"):
        card = insertions.insert()
        authenticate(card)
        digest = os.urandom(32)
        for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE):
            for algorithm in (RS256, PS256):
                require_valid(card, key, algorithm, card.sign(key, algorithm, digest), digest)
        for decipher in (RSA1_5, OAEP):
            cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(b"key", ENCRYPTION_PADDINGS[decipher])
            assert card.decipher(KeyName.ENCRYPTION, decipher, cryptogram) == b"key"
        assert card.read_object("CPS_ACTIVITY_01_PS") != card.read_object("CPS_ACTIVITY_02_PS")
        assert len(card.read_object("CPS_DATA")) == 128
        with pytest.raises(ObjectNotFound):
            card.read_object("CPS_NOTHING")
        assert card.pin_status().verified
        card.change_pin(bytearray(PIN), bytearray(NEW))
        card.unblock_pin(bytearray(PUK), bytearray(PIN))


def test_a_sleeping_application_is_woken_by_the_detour(store: PkiStore) -> None:
    insertions = Insertions(store, behaviour=replace(LAYOUTS["cps4"].behaviour, applet_asleep=True))
    insertions.insert().identify()
    assert insertions.lines()[:5] == [
        "01A4040C088025000001FF0100",
        "01A4040C07A0000001510000",
        "00A4040C088025000001FF0002",
        "01A4040C088025000001FF0100",
        "01B09C000C",
    ]


def test_a_second_channel_to_the_same_insertion_finds_the_card(insertions: Insertions) -> None:
    insertions.verified()
    insertions.channel.sent.clear()
    again = driver.open(insertions.channel, insertions.memory)
    assert again.identify().serial == "26000041"
    assert len(insertions.lines()) == 2
    assert again.pin_status() == PinStatus(3), "the application was selected anew"


# Resets, removal


def test_a_reset_by_another_program_is_told_at_the_next_command(insertions: Insertions) -> None:
    card = insertions.verified()
    insertions.card.power_on()
    for use in (
        lambda: card.sign(KeyName.SIGNATURE, RS256, bytes(32)),
        lambda: card.decipher(KeyName.ENCRYPTION, RSA1_5, bytes(256)),
        lambda: card.read_object("CPS_INFO_PS"),
        card.pin_status,
    ):
        with pytest.raises(CardReset):
            use()
    assert insertions.insert().pin_status() == PinStatus(3)


def test_a_reset_takes_the_verification_away(insertions: Insertions) -> None:
    assert insertions.verified().pin_status() == PinStatus(None, verified=True)
    again = insertions.insert()
    with pytest.raises(SecurityStatusNotSatisfied):
        again.sign(KeyName.AUTHENTICATION, PS256, bytes(32))
    authenticate(insertions.insert())


@pytest.mark.parametrize("at", range(3))
def test_a_card_pulled_in_an_operation_gives_no_result(insertions: Insertions, at: int) -> None:
    card = insertions.verified()
    cryptogram = public_key(card, KeyName.ENCRYPTION).encrypt(b"key", ENCRYPTION_PADDINGS[OAEP])
    insertions.channel.remove_at = at
    with pytest.raises(CardRemoved):
        card.decipher(KeyName.ENCRYPTION, OAEP, cryptogram)
