"""A recorded card on a desk: as many channels as a test opens, one memory, and answers that a test can change."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd_drivers.apdu import Command
from cardd_drivers.contract import Card, KeyName
from cardd_drivers.ias_ecc import driver
from tests.support.replay import Conduct, DictMemory, RecordedCard, ScriptedChannel, recorded

LAYOUTS = ("cps3-real", "cps3-easy")
RECORDED_DIGEST = bytes.fromhex("C14D2A8798E64F59128AE9443A10C28C4824AA3FA93AE360F6AA205D95CF0910")
"""The digest that the recorded programs signed with both keys."""


class Desk:
    """A recorded card, a memory, and as many channels as a test opens."""

    def __init__(self, layout: str = "cps3-real", conduct: Conduct | None = None) -> None:
        self.recorded: RecordedCard = recorded(layout, conduct)
        self.memory = DictMemory()
        self.override: Callable[[Command], bytes | None] = lambda _command: None
        self.channel = ScriptedChannel(self.answer)

    def answer(self, command: Command) -> bytes:
        """The override's answer, else the recorded card's."""
        overridden = self.override(command)
        return self.recorded.answer(command) if overridden is None else overridden

    def open(self) -> Card:
        """A new channel to the card just reset."""
        self.recorded.answer(Command(0x00, 0xA4, 0x09, 0x0C, bytes.fromhex("3F00")))
        self.channel = ScriptedChannel(self.answer)
        return driver.open(self.channel, self.memory)

    def known(self) -> Card:
        """A card whose layout and authentication certificate are remembered."""
        card = self.open()
        card.identify()
        card.read_certificate(KeyName.AUTHENTICATION)
        return self.open()

    def count(self) -> int:
        """Commands since the last count."""
        count = len(self.channel.sent)
        self.channel.sent.clear()
        return count


def require_valid(certificate: bytes, signature: bytes, digest: bytes) -> None:
    """RS256 by the key of a certificate."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
