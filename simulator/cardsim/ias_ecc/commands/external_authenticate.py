"""EXTERNAL AUTHENTICATE (ISO 7816-4, 11.5.4; INS 82): who administers the card proves to know a key of it."""

from __future__ import annotations

import hmac

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.keys import SymmetricKeySet
from cardsim.ias_ecc.sdo import SdoClass, SdoName
from cardsim.ias_ecc.security_environment import ControlReferenceTemplate
from cardsim.status_words import StatusError, StatusWord, tries_left


def external_authenticate(card: CardContext, command: CommandApdu) -> Response:
    """Compare a cryptogram of the last challenge, under the key that MSE SET 81 A4 named; each challenge serves once.

    GUESS: the cryptogram, two-key triple DES of the 8 bytes; a CPS3's administration was never published, and no
    middleware sends this.

    Raises:
        StatusError: 6A86; 6985 no key named, or no challenge; 6A88; 6983 blocked; 6700; 63Cx a wrong cryptogram.
    """
    if command.p1 or command.p2:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    number = card.reference(ControlReferenceTemplate.EXTERNAL_AUTHENTICATION).key
    keys = card.master_file.objects.get(SdoName(SdoClass.SYMMETRIC_KEY_SET, number or 0))
    if not isinstance(keys, SymmetricKeySet):
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    if keys.tries_left == 0:
        raise StatusError(StatusWord.AUTHENTICATION_METHOD_BLOCKED)
    challenge, card.state.challenge = card.state.challenge, None
    if challenge is None:
        raise StatusError(StatusWord.CONDITIONS_OF_USE_NOT_SATISFIED)
    if len(command.data) != len(challenge):
        raise StatusError(StatusWord.WRONG_LENGTH)
    if not hmac.compare_digest(command.data, keys.encipher(challenge)):
        keys.tries_left -= 1
        card.state.authenticated.discard(keys.number)
        raise StatusError(tries_left(keys.tries_left))
    keys.tries_left = keys.tries_max
    card.state.authenticated.add(keys.number)
    return Response()
