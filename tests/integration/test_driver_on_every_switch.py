"""The CPS3 driver does its whole job on every card that a profile can ask for: switches, numbers, both layouts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardd_drivers.contract import (
    Card,
    DecipherAlgorithm,
    KeyName,
    PinBlocked,
    PinIncorrect,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore, personalise, profiles
from cardsim.ias_ecc.files import ElementaryFile
from cardsim.profiles.loader import parse
from cardsim.profiles.switches import switches
from tests.support.desk import require_valid
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory

_Result = TypeVar("_Result")

LAYOUTS = ("cps3", "cps3-easy")
PIN, NEW, WRONG, PUK = b"1234", b"4321", b"0000", b"12345678"
CONSUMING = ("pin_for_each_signature = true", "pin_lost_after_use = true")
"""Switches of cards whose PIN is to be presented again after a computation."""
READ_LIMITS = tuple(
    f'read_limit = {limit}\nover_limit = "{answer}"' for limit in (231, 100) for answer in ("9000", "6cxx", "6700")
)
NUMBERS = (
    "application = 0x0A01",
    "pin_directory = 0x7101\nkey_directory = 0x7102\ncertificate_directory = 0x7104\ndata_directory = 0x7106",
    "signature_certificate = 0xB001\nauthentication_certificate = 0xB002\ninfo = 0xD1F4",
    "signature_key = 0x13\nauthentication_key = 0x07",
    "signature_key = 2\nauthentication_key = 1",
    "pin = 0x03\npuk = 0x04",
    'key_references = "negative"',
)

CERTIFICATES = ("size = 1200", "size = 1279", "size = 1536", "size = 2048", "file_size = 2048", "file_size = 4096")


def behaviours() -> Iterator[str]:
    """Every switch in every value, alone."""
    for switch in switches():
        for value in switch.values:
            if " to " not in value:
                yield f"{switch.name} = {value}"
    yield from READ_LIMITS


SETTINGS = [
    *(f"[behaviour]\n{each}" for each in behaviours()),
    *(f"[numbers]\n{each}" for each in NUMBERS),
    *(f"[certificates]\n{each}" for each in CERTIFICATES),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """The fictional PKI."""
    return PkiStore(tmp_path_factory.mktemp("pki"), authority_key_bits=2048)


def text_of(layout: str, settings: str, renewal: int) -> str:
    """The physician's profile on a layout, with settings."""
    text = resources.files("cardsim.profiles").joinpath("physician.toml").read_text(encoding="utf-8")
    return (
        text.replace('puk = "12345678"', f'puk = "12345678"\nlayout = "{layout}"\nrenewal = {renewal}')
        + f"\n{settings}\n"
    )


class Job:
    """One card and its driver; presents the PIN again where the card forgot it, and counts how often.

    Args:
        store: keys and certificates.
        layout: of the card.
        settings: TOML that is added to its profile.
        renewal: how often it was renewed under its serial.
        certificate: what stands in the file of the signature certificate instead of it.
    """

    def __init__(
        self, store: PkiStore, layout: str, settings: str, *, renewal: int = 0, certificate: bytes | None = None
    ) -> None:
        profile = parse(text_of(layout, settings, renewal), "physician.toml", "physician")
        self._simulated = personalise(profile, store)
        if certificate is not None:
            assert profile.numbers is not None
            file = self._simulated.master_file.by_path(
                [profile.numbers.application, profile.numbers.signature_certificate]
            )
            assert isinstance(file, ElementaryFile)
            file.content = bytearray(certificate)
        self._memory = DictMemory()
        self.pin = PIN
        self.presented_again = 0

    def insert(self) -> Card:
        """Reset the card; what was learnt of it stays."""
        return driver.open(DirectChannel(self._simulated), self._memory)

    def remember_as(self, other: Job) -> None:
        """Know of this card what was learnt of another."""
        self._memory = other._memory

    def forget(self) -> None:
        """Know nothing of this card."""
        self._memory.kept.clear()

    def verified(self, card: Card, use: Callable[[], _Result]) -> _Result:
        """Use the card, with the PIN again where the card wants it."""
        try:
            return use()
        except SecurityStatusNotSatisfied:
            self.presented_again += 1
            card.verify_pin(bytearray(self.pin))
            return use()

    def use_everything(self, card: Card) -> None:
        """Both keys, decryption, a private object: with the PIN verified."""
        certificates = {key: card.read_certificate(key) for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE)}
        digest = hashlib.sha256(b"a document").digest()
        for _ in range(2):
            for key, certificate in certificates.items():
                made = self.verified(card, partial(card.sign, key, SignatureAlgorithm.RS256, digest))
                require_valid(certificate, made, digest)
        public = x509.load_der_x509_certificate(certificates[KeyName.AUTHENTICATION]).public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        cryptogram = public.encrypt(b"a content key", padding.PKCS1v15())
        plain = self.verified(card, lambda: card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, cryptogram))
        assert plain == b"a content key"
        assert self.verified(card, lambda: card.read_object("CPS_ACTIVITY_02_PS")).startswith(b"\xee")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda text: text.replace("\n", " "))
def test_the_whole_job(store: PkiStore, layout: str, settings: str) -> None:
    """Identify, read, PIN, sign, decipher; change; wrong PINs to blocked; unblock; and all again as a known card."""
    job = Job(store, layout, settings)
    told = 'pin_status = "6700"' not in settings
    for _ in range(2):
        card = job.insert()
        assert card.identify().serial == "26000001"
        assert card.read_object("CPS_INFO_PS").startswith(b"\x30")
        assert card.pin_status() == PinStatus(3 if told else None)
        card.verify_pin(bytearray(job.pin))
        job.use_everything(card)
    assert (job.presented_again > 0) == any(each in settings for each in CONSUMING)
    card = job.insert()
    card.change_pin(bytearray(PIN), bytearray(NEW))
    for left in (2, 1):
        with pytest.raises(PinIncorrect) as refused:
            card.verify_pin(bytearray(WRONG))
        assert refused.value.tries_left == left
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(WRONG))
    assert card.pin_status() == PinStatus(0)
    with pytest.raises(PinBlocked):
        card.verify_pin(bytearray(NEW))
    card.unblock_pin(bytearray(PUK), bytearray(PIN))
    card.verify_pin(bytearray(PIN))
    job.use_everything(card)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_card_renewed_under_its_serial(store: PkiStore, layout: str) -> None:
    """What was kept of the old card does not fit the new one's signature; once it is forgotten, all goes on."""
    old, new = Job(store, layout, ""), Job(store, layout, "", renewal=1)
    card = old.insert()
    kept = card.read_certificate(KeyName.AUTHENTICATION)
    new.remember_as(old)
    card = new.insert()
    assert card.identify().serial == "26000001"
    card.verify_pin(bytearray(PIN))
    made = card.authenticate(KeyName.AUTHENTICATION, b"challenge")
    digest = hashlib.sha256(b"challenge").digest()
    assert card.read_certificate(KeyName.AUTHENTICATION) == kept
    with pytest.raises(InvalidSignature):
        require_valid(kept, made, digest)
    new.forget()
    card = new.insert()
    require_valid(card.read_certificate(KeyName.AUTHENTICATION), made, digest)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [700, 767, 768, 769, 1024, 2047, 2048])
def test_a_certificate_file_of_any_size(store: PkiStore, layout: str, size: int) -> None:
    """Read as it is, whatever pieces it takes."""
    certificate = b"\x30\x82" + (size - 4).to_bytes(2, "big") + bytes(range(1, 256)) * 9
    job = Job(store, layout, "", certificate=certificate[:size])
    assert job.insert().read_certificate(KeyName.SIGNATURE) == certificate[:size]


def test_the_profile_that_does_everything_otherwise(store: PkiStore) -> None:
    """All at once."""
    simulated = personalise(profiles.load("otherwise"), store)
    memory = DictMemory()
    for _ in range(2):
        card = driver.open(DirectChannel(simulated), memory)
        assert card.identify().serial == "26000024"
        assert card.pin_status() == PinStatus(None)
        certificate = card.read_certificate(KeyName.SIGNATURE)
        card.read_certificate(KeyName.AUTHENTICATION)
        card.verify_pin(bytearray(PIN))
        digest = hashlib.sha256(b"a document").digest()
        for _ in range(2):
            require_valid(certificate, card.sign(KeyName.SIGNATURE, SignatureAlgorithm.RS256, digest), digest)
    card.change_pin(bytearray(PIN), bytearray(NEW))
    card.unblock_pin(bytearray(PUK), bytearray(PIN))
    card.verify_pin(bytearray(PIN))
