"""CHANGE REFERENCE DATA and RESET RETRY COUNTER of a CPS4 (ISO 7816-4, 11.5.7 and 11.5.10; INS 24, 2C).

VERIFY is that of every IAS ECC card.
"""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.access_rules import PinAccess
from cardsim.ias_ecc.commands.reference_data import addressed, replace, stored
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.keys import LOCAL
from cardsim.status_words import StatusError, StatusWord

NEW_VALUE_ALONE = 0x01
"""P1 of CHANGE REFERENCE DATA."""
NO_VALUE = 0x03
"""P1 of RESET RETRY COUNTER: the data field is absent."""


def change_reference_data(card: CardContext, command: CommandApdu) -> Response:
    """Give a PIN a new value, after its old one was verified or RESET RETRY COUNTER was done.

    GUESS: whether it counts as verified does not change, and the reset is good for one new value; VERIFY without data
    and a second CHANGE REFERENCE DATA on a real card settle it.

    Raises:
        StatusError: 6A86; 6A88; 6982; 6700; 6A80 the new value is not digits and padding.
    """
    pin = addressed(card, command, p1=NEW_VALUE_ALONE)
    if pin.number not in card.state.renewable:
        card.demand_object_access(pin, PinAccess.CHANGE)
    replace(pin, stored(card, pin, command.data))
    card.state.renewable.discard(pin.number)
    return Response()


def reset_retry_counter(card: CardContext, command: CommandApdu) -> Response:
    """Give a PIN all its tries, after its PUK was verified; its value stays until CHANGE REFERENCE DATA.

    P2 is the PIN's reference with bit 8 set. GUESS: that it is taken with bit 8 only.

    Raises:
        StatusError: 6A86; 6A88; 6982; 6700 with data.
    """
    if command.p1 != NO_VALUE:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    if not command.p2 & LOCAL:
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    if command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    pin = card.pin(command.p2 & ~LOCAL)
    card.demand_object_access(pin, PinAccess.RESET)
    pin.replace(pin.value)
    card.state.verified.discard(pin.number)
    card.state.renewable.add(pin.number)
    return Response()
