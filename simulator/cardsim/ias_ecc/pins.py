"""PIN objects (IAS ECC SDO class 01): reference data with its counters; the state lives in EEPROM."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cardsim import tlv
from cardsim.ias_ecc.access_rules import TAG_ACCESS_RULES, Interface
from cardsim.ias_ecc.sdo import TAG_DOCP, TAG_PIN_USAGE, SdoClass, SdoName


@dataclass(frozen=True, slots=True)
class PinPolicy:
    """Which values a reference data may have.

    Args:
        min_length, max_length: ASCII digits.
        stored_length: bytes in the card and in a command.
        pad: byte that fills up to ``stored_length``.
    """

    min_length: int
    max_length: int
    stored_length: int
    pad: int = 0xFF

    def pad_digits(self, digits: str) -> bytes:
        """The stored form of ``digits``.

        Raises:
            ValueError: not decimal digits, or of a wrong count. The value is not in the text.
        """
        if not self.min_length <= len(digits) <= self.max_length or not (digits.isascii() and digits.isdecimal()):
            raise ValueError(f"not {self.min_length} to {self.max_length} digits")
        return digits.encode("ascii").ljust(self.stored_length, bytes([self.pad]))

    def accepts(self, stored: bytes) -> bool:
        """Whether a new value in stored form is digits, then padding."""
        digits = stored.rstrip(bytes([self.pad]))
        right_length = self.min_length <= len(digits) <= self.max_length and len(stored) == self.stored_length
        return right_length and digits.isdigit()


@dataclass(slots=True)
class Pin:
    """One PIN or PUK.

    Args:
        number: SDO number and reference in P2 of VERIFY.
        policy: which values it may have.
        value: the stored form, ``policy.stored_length`` bytes.
        tries_max, tries_left: retry counter.
        uses_left: uses left in the card's lifetime, or None where they are not counted.
        rule: compact access rule of the contact interface.
        size_in_parameters: the control parameters tell the stored length too.
    """

    number: int
    policy: PinPolicy
    value: bytes = field(repr=False)
    tries_max: int
    tries_left: int
    rule: bytes
    uses_left: int | None = None
    size_in_parameters: bool = False

    @property
    def name(self) -> SdoName:
        """Class 01 and the number."""
        return SdoName(SdoClass.PIN, self.number)

    @property
    def blocked(self) -> bool:
        """No try left."""
        return self.tries_left == 0

    @property
    def used_up(self) -> bool:
        """No use left in its lifetime."""
        return self.uses_left == 0

    def compare(self, presented: bytes) -> bool:
        """Compare and count: a wrong value costs a try, a right one restores all tries and costs a use.

        The caller has made sure that the PIN is not blocked.
        """
        self.tries_left -= 1
        if not hmac.compare_digest(presented, self.value):
            return False
        self.tries_left = self.tries_max
        if self.uses_left is not None:
            # GUESS: a use is a successful comparison; a real card shows it by tag 9D before and after.
            self.uses_left -= 1
        return True

    def replace(self, value: bytes) -> None:
        """A new value with all its tries."""
        self.value = value
        self.tries_left = self.tries_max

    @property
    def access_rules(self) -> bytes:
        """Value of tag A1."""
        return tlv.encode(Interface.CONTACT.value, self.rule)

    def part(self, tag: int) -> bytes | None:
        """Control parameters (9A maximum of tries, 9B tries left, 9D uses left, 80 size); usage data (80 longest,
        81 shortest, in bytes)."""
        if tag == TAG_PIN_USAGE:
            policy = self.policy
            sizes = tlv.encode(0x80, bytes([policy.max_length])), tlv.encode(0x81, bytes([policy.min_length]))
            return tlv.encode(TAG_PIN_USAGE, *sizes)
        if tag != TAG_DOCP:
            return None
        size = tlv.encode(0x80, bytes([self.policy.stored_length])) if self.size_in_parameters else b""
        uses = b"" if self.uses_left is None else tlv.encode(0x9D, self.uses_left.to_bytes(2, "big"))
        return tlv.encode(
            TAG_DOCP,
            tlv.encode(0x9A, bytes([self.tries_max])),
            tlv.encode(0x9B, bytes([self.tries_left])),
            uses,
            size,
            tlv.encode(TAG_ACCESS_RULES, self.access_rules),
        )
