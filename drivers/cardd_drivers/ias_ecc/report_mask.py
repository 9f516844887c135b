"""What of a card's answers tells whose card it is, hidden byte by byte."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = ".."
"""Stands for one byte."""

_LONG_NUMBER: Final = re.compile(rb"[0-9]{8,}")
"""Printed numbers of cards and of persons, in text."""
_SERIAL_BEGINS: Final = 7
"""Of EF.SN: tag, length and the five bytes of the issuer; the card's own digits follow."""


def shown(data: bytes, serial: str, *, whole: bool) -> str:
    """Hexadecimal digits, two dots for each byte that identifies.

    Args:
        data: of an answer.
        serial: the card's, as digits; empty where it is not known.
        whole: False for EF.SN, of which only the issuer is shown.
    """
    hidden = set(range(_SERIAL_BEGINS, len(data))) if not whole else set()
    for found in _LONG_NUMBER.finditer(data):
        hidden.update(range(*found.span()))
    packed = bytes.fromhex(serial) if serial.isdigit() and serial and len(serial) % 2 == 0 else b""
    start = data.find(packed) if packed else -1
    while start >= 0:
        # The digit behind it is computed from it.
        hidden.update(range(start, min(start + len(packed) + 1, len(data))))
        start = data.find(packed, start + 1)
    return "".join(HIDDEN if place in hidden else f"{octet:02x}" for place, octet in enumerate(data))
