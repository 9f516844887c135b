"""The CPS3 driver does its whole job on every card that a profile can ask for: switches, numbers, both layouts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from typing import TypeVar

import pytest
from cryptography import x509
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
from cardsim import PkiStore, personalise
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
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """The fictional PKI."""
    return PkiStore(tmp_path_factory.mktemp("pki"), authority_key_bits=2048)


def text_of(layout: str, settings: str) -> str:
    """The physician's profile on a layout, with settings."""
    text = resources.files("cardsim.profiles").joinpath("physician.toml").read_text(encoding="utf-8")
    return text.replace('puk = "12345678"', f'puk = "12345678"\nlayout = "{layout}"') + f"\n{settings}\n"


class Job:
    """One card and its driver; presents the PIN again where the card forgot it, and counts how often.

    Args:
        store: keys and certificates.
        layout: of the card.
        settings: TOML that is added to its profile.
    """

    def __init__(self, store: PkiStore, layout: str, settings: str) -> None:
        self._simulated = personalise(parse(text_of(layout, settings), "physician.toml", "physician"), store)
        self._memory = DictMemory()
        self.pin = PIN
        self.presented_again = 0

    def insert(self) -> Card:
        """Reset the card; what was learnt of it stays."""
        return driver.open(DirectChannel(self._simulated), self._memory)

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
