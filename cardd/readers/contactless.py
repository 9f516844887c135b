"""Whether a card is met by its contacts or without them, as its answer to reset tells."""

from __future__ import annotations

from typing import Final

_TS: Final = 0x3B
_TD1_ONLY: Final = 0x80
_TD1_TD2: Final = b"\x80\x01"


def is_contactless(atr: bytes) -> bool:
    """Whether a reader made this answer to reset of a card of ISO/IEC 14443: 3B 8n 80 01, n historical bytes, check
    byte (PC/SC part 3, 3.1.3.2.3.1).

    The attribute ICC type (PC/SC part 3, 3.1.1) would say it in words, and is not asked for: pcsc-lite's CCID driver
    does not have it.

    GUESS: no contact card in use begins so. One that offers T=0 and T=1 at the default speed may; a reader that is told
    to be contactless, with such a card in it, would settle it.

    Args:
        atr: answer to reset; empty, and nothing is known.
    """
    if len(atr) < 4 or atr[0] != _TS or atr[1] & 0xF0 != _TD1_ONLY or atr[2:4] != _TD1_TD2:
        return False
    return len(atr) == 4 + (atr[1] & 0x0F) + 1
