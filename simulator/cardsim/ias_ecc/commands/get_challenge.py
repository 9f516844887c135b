"""GET CHALLENGE (ISO 7816-4, 11.5.3; INS 84)."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.context import CardContext
from cardsim.status_words import StatusError, StatusWord

CHALLENGE_LENGTH = 8


def get_challenge(card: CardContext, command: CommandApdu) -> Response:
    """Eight random bytes, kept for EXTERNAL AUTHENTICATE; the card gives no other number of them.

    Raises:
        StatusError: 6A86; 6700 with data. Another Le than 8 is answered by transmission.
    """
    if command.p1 or command.p2:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    if command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    card.state.challenge = card.random_bytes(CHALLENGE_LENGTH)
    return Response(card.state.challenge)
