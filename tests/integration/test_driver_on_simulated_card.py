"""The CPS3 driver and the simulated card, which know nothing of each other."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardd_drivers.contract import (
    Card,
    CardRemoved,
    DecipherAlgorithm,
    DecipherFailed,
    ErrorReference,
    KeyName,
    Match,
    PinBlocked,
    PinIncorrect,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore, SimulatedCard, personalise, profiles
from cardsim.behaviour import Behaviour, BlockingTry, LogoutRule, PastEnd
from tests.support.desk import require_valid
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory

RS256 = SignatureAlgorithm.RS256
RSA1_5 = DecipherAlgorithm.RSA1_5
PIN, WRONG, PUK = b"1234", b"0000", b"12345678"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    return PkiStore(tmp_path_factory.mktemp("pki"))


class Insertions:
    """One simulated card, put in again and again; what is learnt of it stays."""

    def __init__(self, store: PkiStore, name: str = "physician", behaviour: Behaviour | None = None) -> None:
        profile = profiles.load(name)
        self.card: SimulatedCard = personalise(replace(profile, behaviour=behaviour or profile.behaviour), store)
        self.memory = DictMemory()
        self.channel = DirectChannel(self.card)

    def insert(self) -> Card:
        """Reset the card and drive it over a new channel."""
        self.channel = DirectChannel(self.card)
        return driver.open(self.channel, self.memory)

    def verified(self) -> Card:
        """A known card with its PIN verified."""
        card = self.insert()
        card.identify()
        card.verify_pin(bytearray(PIN))
        return card


@pytest.fixture
def insertions(store: PkiStore) -> Insertions:
    return Insertions(store)


def authenticate(card: Card) -> None:
    """All that an authenticated session takes of the card, checked."""
    card.identify()
    certificate = card.read_certificate(KeyName.AUTHENTICATION)
    assert card.pin_status() == PinStatus(3)
    card.verify_pin(bytearray(PIN))
    challenge = os.urandom(32)
    signature = card.authenticate(KeyName.AUTHENTICATION, challenge)
    require_valid(certificate, signature, hashlib.sha256(challenge).digest())


def public_key(certificate: bytes) -> rsa.RSAPublicKey:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_the_atr_is_recognised(insertions: Insertions) -> None:
    assert driver.matches(insertions.channel.atr) is Match.CERTAIN
    assert driver.probe(insertions.channel)


@pytest.mark.parametrize("logout", LogoutRule)
@pytest.mark.parametrize("past_end", PastEnd)
def test_commands_from_insertion_to_authenticated(store: PkiStore, past_end: PastEnd, logout: LogoutRule) -> None:
    insertions = Insertions(store, behaviour=Behaviour(past_end=past_end, logout=logout))
    card = insertions.insert()
    certificate_reads = -(-len(card.read_certificate(KeyName.AUTHENTICATION)) // 256)
    insertions.memory.kept.clear()
    authenticate(insertions.insert())
    # 25 with a certificate that takes 8 reads; each of the four directories twice where lengths must be exact.
    expected = 17 + certificate_reads + (4 if past_end is PastEnd.CORRECT_LENGTH else 0)
    assert insertions.channel.count() == expected
    authenticate(insertions.insert())
    assert insertions.channel.count() == 7


def test_commands_of_one_more_signature_and_decryption(insertions: Insertions) -> None:
    card = insertions.verified()
    signature_certificate = card.read_certificate(KeyName.SIGNATURE)
    encryption_key = public_key(card.read_certificate(KeyName.ENCRYPTION))
    digest = os.urandom(32)
    for _ in range(2):
        insertions.channel.count()
        require_valid(signature_certificate, card.sign(KeyName.SIGNATURE, RS256, digest), digest)
        assert insertions.channel.count() == 3
    cryptogram = encryption_key.encrypt(b"a content key", padding.PKCS1v15())
    assert card.decipher(KeyName.ENCRYPTION, RSA1_5, cryptogram) == b"a content key"
    assert insertions.channel.count() == 4
    require_valid(
        card.read_certificate(KeyName.AUTHENTICATION), card.sign(KeyName.AUTHENTICATION, RS256, digest), digest
    )
    assert insertions.channel.count() == 3


@pytest.mark.parametrize("plaintext", [b"", b"x" * 245])
def test_the_shortest_and_the_longest_plaintext(insertions: Insertions, plaintext: bytes) -> None:
    card = insertions.verified()
    cryptogram = public_key(card.read_certificate(KeyName.ENCRYPTION)).encrypt(plaintext, padding.PKCS1v15())
    assert card.decipher(KeyName.ENCRYPTION, RSA1_5, cryptogram) == plaintext


@pytest.mark.parametrize("kept", [False, True])
def test_a_cryptogram_whose_padding_is_lost_is_refused_without_a_reason(store: PkiStore, kept: bool) -> None:
    card = Insertions(store, behaviour=Behaviour(decipher_keeps_padding=kept)).verified()
    numbers = public_key(card.read_certificate(KeyName.ENCRYPTION)).public_numbers()
    unpadded = pow(int.from_bytes(b"\x03" * 255, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    for cryptogram in (unpadded, b"\xff" * 256):
        with pytest.raises(DecipherFailed) as refused:
            card.decipher(KeyName.ENCRYPTION, RSA1_5, cryptogram)
        assert str(refused.value) == ""
    assert card.pin_status().verified


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


def test_activities_are_read_after_the_pin(insertions: Insertions) -> None:
    card = insertions.verified()
    first, second = card.read_object("CPS_ACTIVITY_01_PS"), card.read_object("CPS_ACTIVITY_02_PS")
    assert first
    assert second
    assert first != second


def test_a_reset_takes_the_verification_away(insertions: Insertions) -> None:
    assert insertions.verified().pin_status() == PinStatus(None, verified=True)
    assert insertions.insert().pin_status() == PinStatus(3)


@pytest.mark.parametrize("blocking_try", BlockingTry)
def test_wrong_pins_block_and_the_puk_unblocks(store: PkiStore, blocking_try: BlockingTry) -> None:
    card = Insertions(store, behaviour=Behaviour(blocking_try=blocking_try)).insert()
    for left in (2, 1):
        with pytest.raises(PinIncorrect) as refused:
            card.verify_pin(bytearray(WRONG))
        assert refused.value.tries_left == left
        assert card.pin_status() == PinStatus(left)
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(WRONG))
    assert card.pin_status() == PinStatus(0)
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(PIN))
    with pytest.raises(PinIncorrect) as refused:
        card.unblock_pin(bytearray(b"00000000"), bytearray(b"5678"))
    assert (refused.value.tries_left, refused.value.reference) == (9, ErrorReference.PUK)
    card.unblock_pin(bytearray(PUK), bytearray(b"5678"))
    card.verify_pin(bytearray(b"5678"))
    assert card.pin_status().verified


def test_a_pin_is_changed_and_the_old_one_is_good_no_more(insertions: Insertions) -> None:
    card = insertions.insert()
    card.change_pin(bytearray(PIN), bytearray(b"4321"))
    again = insertions.insert()
    with pytest.raises(PinIncorrect):
        again.verify_pin(bytearray(PIN))
    again.verify_pin(bytearray(b"4321"))


def test_a_wrong_old_pin_costs_one_try_and_changes_nothing(insertions: Insertions) -> None:
    card = insertions.insert()
    with pytest.raises(PinIncorrect) as refused:
        card.change_pin(bytearray(WRONG), bytearray(b"4321"))
    assert refused.value.tries_left == 2
    card.verify_pin(bytearray(PIN))


def test_a_card_that_comes_blocked(store: PkiStore) -> None:
    card = Insertions(store, "pin-blocked").insert()
    assert card.pin_status() == PinStatus(0)


def test_a_card_that_wants_its_pin_for_each_signature(store: PkiStore) -> None:
    card = Insertions(store, behaviour=Behaviour(pin_for_each_signature=True)).verified()
    card.sign(KeyName.SIGNATURE, RS256, bytes(32))
    with pytest.raises(SecurityStatusNotSatisfied):
        card.sign(KeyName.SIGNATURE, RS256, bytes(32))
    card.verify_pin(bytearray(PIN))
    card.sign(KeyName.SIGNATURE, RS256, bytes(32))


def test_a_card_that_forgets_its_environment_after_use(store: PkiStore) -> None:
    card = Insertions(store, behaviour=Behaviour(environment_lost_after_use=True)).verified()
    for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE, KeyName.SIGNATURE, KeyName.AUTHENTICATION):
        assert len(card.sign(key, RS256, bytes(32))) == 256


@pytest.mark.parametrize(
    "name",
    [
        "nurse",
        "pharmacist",
        "staff",
        "student",
        "swapped-usage",
        "authorised-staff",
        "many-activities",
        "physician-easy",
    ],
)
def test_every_profile_is_driven_alike(store: PkiStore, name: str) -> None:
    authenticate(Insertions(store, name).insert())


def test_two_channels_of_one_insertion(insertions: Insertions) -> None:
    first = insertions.insert()
    serial = first.identify().serial
    # Another handle to the same insertion: the card was not reset, and stands where the first one left it.
    second = driver.open(insertions.channel, insertions.memory)
    insertions.channel.count()
    assert second.identify().serial == serial
    assert insertions.channel.count() == 3


@pytest.mark.parametrize("at", range(7))
def test_a_card_pulled_out_at_any_command_gives_nothing(insertions: Insertions, at: int) -> None:
    authenticate(insertions.insert())
    channel = DirectChannel(insertions.card, remove_at=at)
    with pytest.raises(CardRemoved):
        authenticate(driver.open(channel, insertions.memory))
    assert len(channel.sent) == at
