"""Status words (ISO 7816-4, 5.6) that the simulated cards give."""

from __future__ import annotations

import enum


class StatusWord(enum.IntEnum):
    """SW1 SW2 as one 16-bit number."""

    SUCCESS = 0x9000
    END_OF_FILE = 0x6282
    WRONG_LENGTH = 0x6700
    LOGICAL_CHANNEL_NOT_SUPPORTED = 0x6881
    LAST_COMMAND_OF_CHAIN_EXPECTED = 0x6883
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_METHOD_BLOCKED = 0x6983
    REFERENCE_DATA_NOT_USABLE = 0x6984
    CONDITIONS_OF_USE_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    INCORRECT_DATA = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    NOT_ENOUGH_MEMORY = 0x6A84
    INCORRECT_P1_P2 = 0x6A86
    REFERENCED_DATA_NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_PRECISE_DIAGNOSIS = 0x6F00


def tries_left(count: int) -> int:
    """63Cx: the comparison failed, or was never made, and ``count`` (0 to 15) tries are left."""
    return 0x63C0 | min(count, 0xF)


def bytes_available(count: int) -> int:
    """61xx: ``count`` bytes wait for GET RESPONSE; 256 or more are coded 00."""
    return 0x6100 | (count if count < 256 else 0)


def correct_length(count: int) -> int:
    """6Cxx: wrong Le, ``count`` (1 to 256) is right; 256 is coded 00."""
    return 0x6C00 | (count & 0xFF)


class StatusError(Exception):
    """A command ends with a status word other than 9000 and without data.

    Args:
        sw: SW1 SW2 as one number.
    """

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
