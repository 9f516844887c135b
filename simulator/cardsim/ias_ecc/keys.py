"""RSA private key objects (IAS ECC SDO class 10)."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    """

    number: int
    key: RsaKey = field(repr=False)
    rule: bytes

    @property
    def name(self) -> SdoName:
        """Class 10 and the number."""
        return SdoName(SdoClass.RSA_PRIVATE, self.number)

    @property
    def access_rules(self) -> bytes:
        """Value of tag A1."""
        return tlv.encode(Interface.CONTACT.value, self.rule)

    def part(self, tag: int) -> bytes | None:
        """Control parameters, and usage data: both with the size of the modulus in bytes (tag 80)."""
        size = tlv.encode(0x80, self.key.size.to_bytes(2, "big"))
        if tag == TAG_KEY_USAGE:
            return tlv.encode(TAG_KEY_USAGE, size)
        if tag != TAG_DOCP:
            return None
        return tlv.encode(TAG_DOCP, size, tlv.encode(TAG_ACCESS_RULES, self.access_rules))
