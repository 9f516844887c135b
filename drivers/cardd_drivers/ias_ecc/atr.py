"""Recognition by the answer to reset (ISO 7816-3 8, historical bytes by ISO 7816-4 8.1.1).

Compared by structure, not byte by byte: TS and the interface bytes (speeds, waiting time, protocols) vary with reader
and batch, while the historical bytes say who issued the card.

    3B AC 00 40 2A  00 12250064 80 000310 009000    contact CPS3
    3B DC 18 FF 00  00 12250064 80 000401 009000    CPS4, T=0 only
    3B 9B 18 80 01  00 12250064 80 040100 0090 44   CPS4
    3B 9B 18 80 01  00 12250064 80 000401 0090 44   CPS4, release candidate
    3B 8F 80 01 00  31B864 04B0ECC1 ...             CPS3 without contact
"""

from __future__ import annotations

from cardd_drivers.contract import CardKind, Match

_TS = (0x3B, 0x3F)
_ATR_MAX = 33
_HEALTH_FRANCE = bytes.fromhex("001225006480")
"""Category 00, country 250, pre-issuing data that begins with 80 (health)."""
_GENERATION = slice(6, 9)
_CPS3 = bytes.fromhex("0003")
_CPS4 = (bytes.fromhex("0004"), bytes.fromhex("0401"))


def historical_bytes(atr: bytes) -> bytes | None:
    """The historical bytes of an ATR, or None where it is not well-formed (its check byte is the reader's affair)."""
    if not 2 <= len(atr) <= _ATR_MAX or atr[0] not in _TS:
        return None
    position, indicator = 2, atr[1] >> 4
    count = atr[1] & 0x0F
    check_bytes = 0
    while True:
        position += indicator.bit_count()
        if not indicator & 0x8:
            break
        if position > len(atr):
            return None
        chained = atr[position - 1]  # TDi is the last of its group
        indicator, protocol = chained >> 4, chained & 0x0F
        check_bytes |= protocol != 0
    historical = atr[position : position + count]
    complete = len(historical) == count and len(atr) == position + count + check_bytes
    return historical if complete else None


def recognise(atr: bytes) -> tuple[Match, CardKind]:
    """Judge an ATR, and say which generation it is of.

    The CPS without contact is another driver's: another application and key. A generation that was never published is
    left to the card itself to settle, as a CPS3.
    """
    historical = historical_bytes(atr)
    if historical is None or not historical.startswith(_HEALTH_FRANCE):
        return Match.NO, CardKind.OTHER
    generation = historical[_GENERATION]
    if generation.startswith(_CPS4):
        return Match.CERTAIN, CardKind.CPS4
    return Match.CERTAIN if generation.startswith(_CPS3) else Match.POSSIBLE, CardKind.CPS3
