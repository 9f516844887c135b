"""A reader's PIN pad: its features, and the structures that have it take PINs (PC/SC part 10, 2.3, 2.5 and 2.6)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cardd.readers.stack import CardHandle, PcscError
from cardd_drivers.apdu import NewPinEntry, PinEntry

ENTRY_SECONDS: Final = 30
"""How long a user has for the PIN on the pad; the pad then answers 6400."""
CHANGE_SECONDS: Final = 90
"""The same for a change, with up to three entries: the reader's driver counts it from the first of them on."""
_CONTROL_BASE: Final = 0x4200_0000
"""What SCARD_CTL_CODE of pcsc-lite adds a function number to."""
_GET_FEATURE_REQUEST: Final = _CONTROL_BASE + 3400
_VERIFY_PIN_DIRECT, _MODIFY_PIN_DIRECT = 0x06, 0x07
_CODE_SIZE: Final = 4

_VERIFY_STRUCTURE: Final = struct.Struct("<BBBBBHBBHB3sI")
_MODIFY_STRUCTURE: Final = struct.Struct("<BBBBBBBHBBBHBBB3sI")
_IN_BYTES, _ASCII = 0x80, 0x02
"""bmFormatString: positions count bytes; the digits are ASCII. Bit 3 is 0: the PIN is justified to the left."""
_POSITION_SHIFT: Final = 3
_NO_LENGTH_IN_COMMAND: Final = 0x00
_VALIDATION_KEY: Final = 0x02
"""bEntryValidationCondition: the user ends the entry with the OK key."""
_ONE_MESSAGE: Final = 0x01
_CONFIRM_NEW, _ASK_OLD = 0x01, 0x02
"""bConfirmPIN: the new PIN is typed twice; the present one comes first."""
_SAY_OLD, _SAY_NEW, _SAY_AGAIN = 0, 1, 2
"""bMsgIndex of CCID: the PIN, the new one, the new one again."""
_FRENCH: Final = 0x040C
"""wLangId of USB: the holders of these cards are in France."""


@dataclass(frozen=True, slots=True)
class PadCodes:
    """The control codes by which a reader's pad serves, None where it does not.

    Args:
        verify: FEATURE_VERIFY_PIN_DIRECT.
        modify: FEATURE_MODIFY_PIN_DIRECT.
    """

    verify: int | None = None
    modify: int | None = None


def pad_codes(handle: CardHandle) -> PadCodes:
    """What the pad of the handle's reader offers; nothing where there is none.

    What the reader lists is hostile input: what is no list counts as none.
    """
    try:
        features = _features(handle.control(_GET_FEATURE_REQUEST, b""))
    except PcscError:  # no reader has to know the request
        return PadCodes()
    return PadCodes(features.get(_VERIFY_PIN_DIRECT), features.get(_MODIFY_PIN_DIRECT))


def seconds_for(entry: PinEntry | NewPinEntry) -> int:
    """How long its user has for it."""
    return ENTRY_SECONDS if isinstance(entry, PinEntry) else CHANGE_SECONDS


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


def modify_structure(command: bytes | bytearray | memoryview, entry: NewPinEntry) -> bytes:
    """PIN_MODIFY_STRUCTURE.

    Args:
        command: the command that sets the new PIN, as the protocol wants it, its PIN blocks filled with padding.
        entry: where the digits go, and how many.
    """
    asks_old = entry.old is not None
    said = (_SAY_OLD, _SAY_NEW, _SAY_AGAIN) if asks_old else (_SAY_NEW, _SAY_AGAIN, 0)
    before = _MODIFY_STRUCTURE.pack(
        CHANGE_SECONDS,
        CHANGE_SECONDS,
        _IN_BYTES | _ASCII,
        entry.block,
        _NO_LENGTH_IN_COMMAND,
        entry.old or 0,
        entry.new,
        entry.minimum << 8 | entry.maximum,
        _CONFIRM_NEW | (_ASK_OLD if asks_old else 0),
        _VALIDATION_KEY,
        3 if asks_old else 2,
        _FRENCH,
        *said,
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
