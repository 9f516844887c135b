"""A simulated CPS4 and the driver: what its tests share."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd_drivers.contract import Card, DecipherAlgorithm, KeyName, PinStatus, SignatureAlgorithm
from cardd_drivers.ias_ecc import driver
from cardsim import PkiStore, personalise, profiles
from cardsim.behaviour import Behaviour
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.direct import DirectChannel
from tests.support.replay import DictMemory

RS256, PS256 = SignatureAlgorithm.RS256, SignatureAlgorithm.PS256
RSA1_5, OAEP = DecipherAlgorithm.RSA1_5, DecipherAlgorithm.RSA_OAEP_256
PIN, WRONG, PUK, NEW = b"1234", b"0000", b"12345678", b"5678"
SIGNATURE_PADDINGS = {RS256: padding.PKCS1v15(), PS256: padding.PSS(padding.MGF1(hashes.SHA256()), 32)}
ENCRYPTION_PADDINGS = {
    RSA1_5: padding.PKCS1v15(),
    OAEP: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


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
        for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE, KeyName.ENCRYPTION):
            card.read_certificate(key)
        card.verify_pin(bytearray(PIN))
        self.channel.count()
        return card

    def lines(self) -> list[str]:
        """The commands since the last call, in hexadecimal."""
        sent = [command.hex().upper() for command in self.channel.sent]
        self.channel.count()
        return sent


def public_key(card: Card, key: KeyName) -> rsa.RSAPublicKey:
    """The key of a certificate."""
    found = x509.load_der_x509_certificate(card.read_certificate(key)).public_key()
    assert isinstance(found, rsa.RSAPublicKey)
    return found


def require_valid(card: Card, key: KeyName, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes) -> None:
    """Verify a signature under the certificate of a key."""
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
