"""A reader's PIN pad: its features, and the structure that has it take a PIN (PC/SC part 10, 2.3, 2.5 and 2.6)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from cardd.readers.stack import CardHandle, PcscError
from cardd_drivers.apdu import PinEntry

ENTRY_SECONDS: Final = 30
"""How long a user has for the PIN on the pad; the pad then answers 6400."""
_CONTROL_BASE: Final = 0x4200_0000
"""What SCARD_CTL_CODE of pcsc-lite adds a function number to."""
_GET_FEATURE_REQUEST: Final = _CONTROL_BASE + 3400
_VERIFY_PIN_DIRECT: Final = 0x06
_CODE_SIZE: Final = 4

_VERIFY_STRUCTURE: Final = struct.Struct("<BBBBBHBBHB3sI")
_IN_BYTES, _ASCII = 0x80, 0x02
"""bmFormatString: positions count bytes; the digits are ASCII. Bit 3 is 0: the PIN is justified to the left."""
_POSITION_SHIFT: Final = 3
_NO_LENGTH_IN_COMMAND: Final = 0x00
_VALIDATION_KEY: Final = 0x02
"""bEntryValidationCondition: the user ends the entry with the OK key."""
_ONE_MESSAGE: Final = 0x01
_FRENCH: Final = 0x040C
"""wLangId of USB: the holders of these cards are in France."""


def verify_code(handle: CardHandle) -> int | None:
    """The control code by which the pad of the handle's reader verifies a PIN; None where there is no pad.

    What the reader lists is hostile input: what is no list counts as none.
    """
    try:
        return _features(handle.control(_GET_FEATURE_REQUEST, b"")).get(_VERIFY_PIN_DIRECT)
    except PcscError:  # no reader has to know the request
        return None


def verify_structure(command: bytes | bytearray | memoryview, entry: PinEntry) -> bytes:
    """PIN_VERIFY_STRUCTURE.

    Args:
        command: the VERIFY command as the protocol wants it, its PIN block filled with padding.
        entry: where the digits go, and how many.
    """
    before = _VERIFY_STRUCTURE.pack(
        ENTRY_SECONDS,
        ENTRY_SECONDS,
        _IN_BYTES | entry.position << _POSITION_SHIFT | _ASCII,
        entry.block,
        _NO_LENGTH_IN_COMMAND,
        entry.minimum << 8 | entry.maximum,
        _VALIDATION_KEY,
        _ONE_MESSAGE,
        _FRENCH,
        0,
        bytes(3),
        len(command),
    )
    return before + bytes(command)


def _features(raw: bytes) -> Mapping[int, int]:
    """Tags and control codes of the list that GET_FEATURE_REQUEST answers: tag, length 4, code (big endian)."""
    found = {}
    for start in range(0, len(raw) - 1 - _CODE_SIZE, 2 + _CODE_SIZE):
        tag, size = raw[start], raw[start + 1]
        if size != _CODE_SIZE:
            return {}
        found[tag] = int.from_bytes(raw[start + 2 : start + 2 + _CODE_SIZE], "big")
    return found
