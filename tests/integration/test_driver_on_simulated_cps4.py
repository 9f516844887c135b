"""The driver and the simulated CPS4, which know nothing of each other; beside the recorded counts of another library."""

from __future__ import annotations

import collections
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd_drivers.apdu import Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Card,
    CardKind,
    CardRemoved,
    CardReset,
    DecipherAlgorithm,
    DecipherFailed,
    ErrorReference,
    Identity,
    KeyName,
    Match,
    ObjectNotFound,
    PinBlocked,
    PinIncorrect,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
    UnexpectedResponse,
)
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore, personalise, profiles
from cardsim.behaviour import Behaviour, BlockingTry, LogoutRule, OverLimit, PastEnd, ShortIdentifiers
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory

RS256, PS256 = SignatureAlgorithm.RS256, SignatureAlgorithm.PS256
RSA1_5, OAEP = DecipherAlgorithm.RSA1_5, DecipherAlgorithm.RSA_OAEP_256
PIN, WRONG, PUK, NEW = b"1234", b"0000", b"12345678", b"5678"
CPS4_LAYOUTS = ("cps4", "cps4-rc", "cps4-t0")
TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts" / "cps4"
SIGNATURE_PADDINGS = {RS256: padding.PKCS1v15(), PS256: padding.PSS(padding.MGF1(hashes.SHA256()), 32)}
ENCRYPTION_PADDINGS = {
    RSA1_5: padding.PKCS1v15(),
    OAEP: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}
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


class Insertions:
    """One simulated CPS4, put in again and again; what is learnt of it stays."""

    def __init__(self, store: PkiStore, layout: str = "cps4", behaviour: Behaviour | None = None) -> None:
        profile = profiles.load("physician-cps4")
        card = replace(profile.card, layout=layout)
        self.card = personalise(replace(profile, card=card, behaviour=behaviour or LAYOUTS[layout].behaviour), store)
        self.memory = DictMemory()
        self.channel = DirectChannel(self.card)

    def insert(self) -> Card:
        """Reset the card and drive it over a new channel."""
        self.channel = DirectChannel(self.card)
        return driver.open(self.channel, self.memory)

    def verified(self) -> Card:
        """A known card with its PIN verified; nothing of that is counted."""
        card = self.insert()
        card.identify()
        for key in KeyName:
            card.read_certificate(key)
        card.verify_pin(bytearray(PIN))
        self.channel.count()
        return card

    def lines(self) -> list[str]:
        """The commands since the last call, in hexadecimal."""
        sent = [command.hex().upper() for command in self.channel.sent]
        self.channel.count()
        return sent


@pytest.fixture
def insertions(store: PkiStore) -> Insertions:
    return Insertions(store)


def public_key(card: Card, key: KeyName) -> rsa.RSAPublicKey:
    found = x509.load_der_x509_certificate(card.read_certificate(key)).public_key()
    assert isinstance(found, rsa.RSAPublicKey)
    return found


def require_valid(card: Card, key: KeyName, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes) -> None:
    public_key(card, key).verify(signature, digest, SIGNATURE_PADDINGS[algorithm], utils.Prehashed(hashes.SHA256()))


def authenticate(card: Card) -> None:
    """All that an authenticated session takes of the card, checked."""
    card.identify()
    card.read_certificate(KeyName.AUTHENTICATION)
    assert card.pin_status() == PinStatus(3)
    card.verify_pin(bytearray(PIN))
    challenge = os.urandom(32)
    signature = card.authenticate(KeyName.AUTHENTICATION, challenge)
    require_valid(card, KeyName.AUTHENTICATION, RS256, signature, hashlib.sha256(challenge).digest())


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
