"""GET DATA (ISO 7816-4, 11.4.3; INS CB): security data objects of the current DF, by extended header list."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.behaviour import UsageData
from cardsim.ias_ecc import sdo
from cardsim.ias_ecc.access_rules import KeyAccess, PinAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.pins import Pin
from cardsim.status_words import StatusError, StatusWord
from cardsim.tlv import TlvError

CURRENT_DF = (0x3F, 0xFF)
"""P1-P2: the data objects of the current DF."""
_USAGE_REFUSED = {
    UsageData.INCORRECT_DATA: StatusWord.INCORRECT_DATA,
    UsageData.NOT_FOUND: StatusWord.REFERENCED_DATA_NOT_FOUND,
}


def get_data(card: CardContext, command: CommandApdu) -> Response:
    """Show one part of one security data object.

    Published: PINs and security environments are found with the master file current only, keys inside their DF only.
    Whether the usage parameters (7F41 of a PIN, 7F48 of a key) are shown is a switch.

    Raises:
        StatusError: 6A80 no header list, or a part that is not shown; 6A86; 6A88 or 6A80 no such
            object here; 6982.
    """
    if (command.p1, command.p2) != CURRENT_DF:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    try:
        request = sdo.parse_request(command.data)
    except TlvError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    found = card.security_object(request.name)
    card.demand_object_access(found, PinAccess.GET if isinstance(found, Pin) else KeyAccess.GET)
    if request.part in sdo.USAGE_PARAMETERS and card.behaviour.usage_data is not UsageData.SHOWN:
        raise StatusError(_USAGE_REFUSED[card.behaviour.usage_data])
    part = found.part(request.part)
    if part is None:
        raise StatusError(StatusWord.INCORRECT_DATA)
    return Response(sdo.encode_answer(found.name, part))
