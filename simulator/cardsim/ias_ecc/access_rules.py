"""Access rules in compact format (ISO 7816-4, 7.4.3.3 of the 2013 edition; IAS ECC): read from the bytes a card shows.

A rule is an access mode byte, then one security condition byte for each bit set in it, the highest bit first.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cardsim import tlv

ALWAYS = 0x00
NEVER = 0xFF
TAG_ACCESS_RULES = 0xA1


class Interface(enum.Enum):
    """The interface a card is spoken to by; the value is the tag of its rule inside A1."""

    CONTACT = 0x8C
    CONTACTLESS = 0x9C


class FileAccess(enum.IntEnum):
    """Access mode bits of an EF or a DF (CREATE is a DF's name for the bit)."""

    READ = 0x01
    UPDATE = 0x02
    DEACTIVATE = 0x08
    ACTIVATE = 0x10
    TERMINATE = 0x20
    DELETE = 0x40


class PinAccess(enum.IntEnum):
    """Access mode bits of a PIN object (IAS ECC)."""

    GET = 0x01
    PUT = 0x02
    RESET = 0x10
    VERIFY = 0x20
    CHANGE = 0x40


class KeyAccess(enum.IntEnum):
    """Access mode bits of an RSA private key object (IAS ECC)."""

    GET = 0x01
    PUT = 0x02
    GENERATE = 0x08
    DECIPHER = 0x10
    INTERNAL_AUTHENTICATE = 0x20
    COMPUTE_DIGITAL_SIGNATURE = 0x40


@dataclass(frozen=True, slots=True)
class Condition:
    """One security condition byte."""

    byte: int

    @property
    def always(self) -> bool:
        """No condition."""
        return self.byte == ALWAYS

    @property
    def never(self) -> bool:
        """Not by anyone."""
        return self.byte == NEVER

    @property
    def all_needed(self) -> bool:
        """Bit 8: every named method is needed, else one suffices."""
        return bool(self.byte & 0x80)

    @property
    def methods(self) -> tuple[bool, bool, bool]:
        """Secure messaging (bit 7), external authentication (bit 6), user authentication (bit 5)."""
        return bool(self.byte & 0x40), bool(self.byte & 0x20), bool(self.byte & 0x10)

    @property
    def environment(self) -> int:
        """Number of the security environment that names the references, 1 to 14."""
        return self.byte & 0x0F


def parse_rule(value: bytes) -> Mapping[int, Condition]:
    """Conditions by access mode bit.

    Raises:
        ValueError: not one condition for each bit. Bit 8 of the mode byte counts no condition.
    """
    if not value:
        raise ValueError("access rule without mode byte")
    bits = [1 << shift for shift in range(6, -1, -1) if value[0] & 1 << shift]
    if len(bits) != len(value) - 1:
        raise ValueError(f"access rule {value.hex()} has not one condition for each mode bit")
    return MappingProxyType({bit: Condition(byte) for bit, byte in zip(bits, value[1:], strict=True)})


def condition_for(access_rules: bytes, interface: Interface, mode: int) -> Condition:
    """The condition for one access mode; NEVER where the rules do not mention it.

    Args:
        access_rules: value of tag A1: 8C and 9C data objects.
        interface: which of the two applies.
        mode: one access mode bit.
    """
    value = tlv.find(tlv.parse(access_rules), interface.value)
    if value is None:
        return Condition(NEVER)
    return parse_rule(value).get(int(mode), Condition(NEVER))
