"""Recognition of the CPS3 without contact.

A reader makes the answer to reset of such a card from its historical bytes (PC/SC part 3, 3.1.3.2.3.1):

    3B 8F 80 01  00 31B864 04B0ECC1 7394018082 9000  0E

Historical bytes (ISO 7816-4 8.1.1): card services 31 B8; pre-issuing data 64 04B0ECC1, which EF.ATR has under tag 46
too; capabilities 73 940180; status 82 9000. OpenSC's table begins this line with 2B, where no answer to reset does.
"""

from __future__ import annotations

from cardd_drivers.contract import Match
from cardd_drivers.ias_ecc.atr import historical_bytes

_PRE_ISSUING = bytes.fromhex("6404B0ECC1")
_HISTORICAL = bytes.fromhex("0031B86404B0ECC17394018082")
"""All but the status that follows."""


def recognise(atr: bytes) -> Match:
    """Judge an ATR: certain where it is the published one, whatever the card's status; possible for another card with
    the same pre-issuing data, which EF.SN then settles."""
    historical = historical_bytes(atr)
    if historical is None or not historical.startswith(b"\x00"):
        return Match.NO
    if historical.startswith(_HISTORICAL):
        return Match.CERTAIN
    return Match.POSSIBLE if _PRE_ISSUING in historical else Match.NO
