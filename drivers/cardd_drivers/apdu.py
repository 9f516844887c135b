"""Command and response APDUs and status words (ISO/IEC 7816-4), the words in which a driver speaks to a card."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cardd_drivers.secret_memory import SecretBytes

SHORT_DATA_MAX = 255
SHORT_LE_MAX = 256
CLA_CHAINING = 0x10
"""Bit 5 of the class byte: more commands of the chain follow (ISO 7816-4, 5.4.1)."""


class Secrecy(enum.Enum):
    """What of a command a trace may show."""

    PUBLIC = enum.auto()
    SECRET_DATA = enum.auto()
    """The data field carries a PIN or a PUK: traces show its length only."""
    SECRET_RESPONSE = enum.auto()
    """The response carries a plaintext: traces show its length only."""


@dataclass(frozen=True, slots=True)
class PinEntry:
    """A PIN that the user types on the reader: where its ASCII digits go, from the left, in a command's data field.

    Args:
        minimum, maximum: number of digits.
        position: of the PIN block in the data field, 0 to 15.
        block: its length, 1 to 15 bytes; what the digits do not fill stays as the command has it.

    Raises:
        ValueError: a field is out of its range.
    """

    minimum: int
    maximum: int
    position: int
    block: int

    def __post_init__(self) -> None:
        if not (0 <= self.minimum <= self.maximum <= self.block <= 0x0F and 0 <= self.position <= 0x0F and self.block):
            raise ValueError(f"no PIN pad takes {self}")


@dataclass(frozen=True, slots=True)
class NewPinEntry:
    """A new PIN that the user types twice on the reader; the present one before it, where `old` says where that goes.

    Args:
        minimum, maximum: number of digits, of either.
        block: length of either's block, 1 to 15 bytes; what the digits do not fill stays as the command has it.
        old: position of the present PIN's block in the data field, 0 to 255; None: it is not asked for.
        new: position of the new PIN's block.

    Raises:
        ValueError: a field is out of its range.
    """

    minimum: int
    maximum: int
    block: int
    old: int | None
    new: int

    def __post_init__(self) -> None:
        positions = all(0 <= position <= 0xFF for position in (self.old or 0, self.new))
        if not (0 <= self.minimum <= self.maximum <= self.block <= 0x0F and self.block and positions):
            raise ValueError(f"no PIN pad takes {self}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU with short lengths.

    Args:
        cla, ins, p1, p2: one byte each (0 to 255).
        data: the command data field, 0 to 255 bytes. A secret's buffer is kept as it is, so that its owner can wipe it.
        le: expected length, 1 to 256 (256 is coded 00), or None when no response data is expected.
        secrecy: what a trace must hide.
        entry: the reader's PIN pad puts a PIN, or an old and a new one, into the data and sends the command itself.

    Raises:
        ValueError: a field is out of its range.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes | SecretBytes = b""
    le: int | None = None
    secrecy: Secrecy = Secrecy.PUBLIC
    entry: PinEntry | NewPinEntry | None = None

    def __post_init__(self) -> None:
        for field, value in (("CLA", self.cla), ("INS", self.ins), ("P1", self.p1), ("P2", self.p2)):
            if not 0 <= value <= 0xFF:
                raise ValueError(f"{field} is not a byte: {value}")
        if len(self.data) > SHORT_DATA_MAX:
            raise ValueError(f"command data of {len(self.data)} bytes: a short APDU carries {SHORT_DATA_MAX}")
        if self.le is not None and not 1 <= self.le <= SHORT_LE_MAX:
            raise ValueError(f"Le is not from 1 to {SHORT_LE_MAX}: {self.le}")

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def __repr__(self) -> str:
        """Header, data as a trace may show it, Le."""
        data = "" if not self.data else f" <{len(self.data)} bytes>" if self._hides_data else f" {self.data.hex()}"
        return f"Command({self.header.hex()}{data}{'' if self.le is None else f' Le={self.le}'})"

    @property
    def _hides_data(self) -> bool:
        return self.secrecy is Secrecy.SECRET_DATA


@dataclass(frozen=True, slots=True)
class StatusWord:
    """SW1 SW2 as one number, for instance 0x9000 (ISO 7816-4, 5.6)."""

    value: int

    @property
    def sw1(self) -> int:
        """The first status byte."""
        return self.value >> 8

    @property
    def sw2(self) -> int:
        """The second status byte."""
        return self.value & 0xFF

    @property
    def tries_left(self) -> int | None:
        """The counter of a 63Cx, else None."""
        return self.value & 0xF if self.value & 0xFFF0 == 0x63C0 else None

    def __str__(self) -> str:
        """Four hexadecimal digits, with the standard's name where it has one."""
        name = _NAMES.get(self.value)
        return f"{self.value:04X} ({name})" if name else f"{self.value:04X}"


class SW:
    """The status words that this project decides on."""

    SUCCESS = StatusWord(0x9000)
    END_OF_FILE = StatusWord(0x6282)
    WRONG_LENGTH = StatusWord(0x6700)
    LOGICAL_CHANNEL_NOT_SUPPORTED = StatusWord(0x6881)
    LAST_COMMAND_OF_CHAIN_EXPECTED = StatusWord(0x6883)
    SECURITY_STATUS_NOT_SATISFIED = StatusWord(0x6982)
    AUTHENTICATION_METHOD_BLOCKED = StatusWord(0x6983)
    REFERENCE_DATA_NOT_USABLE = StatusWord(0x6984)
    CONDITIONS_NOT_SATISFIED = StatusWord(0x6985)
    WRONG_DATA = StatusWord(0x6A80)
    FILE_NOT_FOUND = StatusWord(0x6A82)
    INCORRECT_P1_P2 = StatusWord(0x6A86)
    REFERENCED_DATA_NOT_FOUND = StatusWord(0x6A88)
    WRONG_OFFSET = StatusWord(0x6B00)
    INS_NOT_SUPPORTED = StatusWord(0x6D00)
    CLA_NOT_SUPPORTED = StatusWord(0x6E00)


_NAMES = {word.value: name.lower().replace("_", " ") for name, word in vars(SW).items() if isinstance(word, StatusWord)}


@dataclass(frozen=True, slots=True)
class Response:
    """A response APDU: data (0 to 256 bytes, more once GET RESPONSE has gathered it) and status word."""

    data: bytes
    sw: StatusWord

    @classmethod
    def parse(cls, raw: bytes) -> Response:
        """Split what the card answered.

        Raises:
            ValueError: fewer than the two bytes of a status word, or more than 258.
        """
        if not 2 <= len(raw) <= SHORT_LE_MAX + 2:
            raise ValueError(f"a response of {len(raw)} bytes is no short response APDU")
        return cls(raw[:-2], StatusWord(int.from_bytes(raw[-2:], "big")))

    def __repr__(self) -> str:
        """Length and status only: data may be a plaintext."""
        return f"Response(<{len(self.data)} bytes> {self.sw})"
