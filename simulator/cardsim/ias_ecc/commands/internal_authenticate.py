"""INTERNAL AUTHENTICATE (ISO 7816-4, 11.5.2; INS 88): a signature over what the host gives."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.access_rules import KeyAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.security_environment import ControlReferenceTemplate
from cardsim.status_words import StatusError, StatusWord

DATA_SHARE_PERCENT = 40
"""Most data, in percent of the modulus: 102 of 256 bytes, as the agency's specification has it."""


def internal_authenticate(card: CardContext, command: CommandApdu) -> Response:
    """Pad the data with PKCS#1 block type 1 and sign them with the key of the authentication template.

    Raises:
        StatusError: 6A86; 6985 no template; 6A88; 6982; 6700 no data or too many.
    """
    if command.p1 or command.p2:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    item = card.usable_key(ControlReferenceTemplate.AUTHENTICATION, KeyAccess.INTERNAL_AUTHENTICATE)
    if not 0 < len(command.data) <= item.key.size * DATA_SHARE_PERCENT // 100:
        raise StatusError(StatusWord.WRONG_LENGTH)
    signature = item.key.sign_pkcs1(command.data)
    card.computed()
    return Response(signature)
