"""Key objects: RSA private keys (IAS ECC SDO class 10) and symmetric key sets (class 0A)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from cardsim import tlv
from cardsim.ias_ecc.access_rules import TAG_ACCESS_RULES, Interface
from cardsim.ias_ecc.sdo import TAG_DOCP, TAG_KEY_USAGE, SdoClass, SdoName
from cardsim.rsa import RsaKey

LOCAL = 0x80
"""Bit 8 of a key reference: the key is local to the current DF (ISO 7816-4, 7.5.3)."""


@dataclass(frozen=True, slots=True)
class PrivateKeyObject:
    """A private key inside a DF.

    Args:
        number: SDO number, 1 to 31; the key reference is the number with bit 8 set.
        key: the RSA key.
        rule: compact access rule of the contact interface.
        contactless_rule: the one without contact, or None: then nothing is allowed without contact.
    """

    number: int
    key: RsaKey = field(repr=False)
    rule: bytes
    contactless_rule: bytes | None = None

    @property
    def name(self) -> SdoName:
        """Class 10 and the number."""
        return SdoName(SdoClass.RSA_PRIVATE, self.number)

    @property
    def access_rules(self) -> bytes:
        """Value of tag A1."""
        rules = tlv.encode(Interface.CONTACT.value, self.rule)
        if self.contactless_rule is not None:
            rules += tlv.encode(Interface.CONTACTLESS.value, self.contactless_rule)
        return rules

    def part(self, tag: int) -> bytes | None:
        """Control parameters, and usage data: both with the size of the modulus in bytes (tag 80)."""
        size = tlv.encode(0x80, self.key.size.to_bytes(2, "big"))
        if tag == TAG_KEY_USAGE:
            return tlv.encode(TAG_KEY_USAGE, size)
        if tag != TAG_DOCP:
            return None
        return tlv.encode(TAG_DOCP, size, tlv.encode(TAG_ACCESS_RULES, self.access_rules))


@dataclass(slots=True)
class SymmetricKeySet:
    """A key of whoever administers the card (IAS ECC SDO class 0A); its counter lives in EEPROM.

    Args:
        number: SDO number, 1 to 31.
        key: 16 bytes, two keys of triple DES.
        tries_max, tries_left: retry counter.
    """

    number: int
    key: bytes = field(repr=False)
    tries_max: int = 15
    tries_left: int = 15

    @property
    def name(self) -> SdoName:
        """Class 0A and the number."""
        return SdoName(SdoClass.SYMMETRIC_KEY_SET, self.number)

    @property
    def access_rules(self) -> bytes:
        """Value of tag A1: its parameters are shown to everybody, nothing else is granted. GUESS: GET DATA settles."""
        return tlv.encode(Interface.CONTACT.value, bytes.fromhex("0100"))

    def part(self, tag: int) -> bytes | None:
        """Control parameters: 9A maximum of tries, 9B tries left, 80 size in bytes."""
        if tag != TAG_DOCP:
            return None
        return tlv.encode(
            TAG_DOCP,
            tlv.encode(0x9A, bytes([self.tries_max])),
            tlv.encode(0x9B, bytes([self.tries_left])),
            tlv.encode(0x80, len(self.key).to_bytes(2, "big")),
            tlv.encode(TAG_ACCESS_RULES, self.access_rules),
        )

    def encipher(self, block: bytes) -> bytes:
        """Triple DES of one block of 8 bytes."""
        # One block under a random challenge: there is no chaining to do.
        cipher = Cipher(TripleDES(self.key + self.key[:8]), modes.ECB())  # noqa: S305  (the card's own cipher)
        encryptor = cipher.encryptor()
        return encryptor.update(block) + encryptor.finalize()
