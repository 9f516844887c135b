"""Status words of class A0, as the agency's library names them; the rest are those of ISO 7816-4."""

from __future__ import annotations

import enum


class OlderStatusWord(enum.IntEnum):
    """SW1 SW2 as one number."""

    WRONG_ADDRESS = 0x9402
    FILE_NOT_FOUND = 0x9404
    WRONG_FILE_TYPE = 0x9408
    PIN_NOT_PRESENTED = 0x9804
    PIN_BLOCKED = 0x9840


def answer_available(count: int) -> int:
    """9Fxx: ``count`` bytes wait for GET RESPONSE."""
    return 0x9F00 | count
