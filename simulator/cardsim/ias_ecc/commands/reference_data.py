"""VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4, 11.5.6, 11.5.7, 11.5.10; INS 20, 24, 2C)."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.behaviour import BlockingTry
from cardsim.ias_ecc.access_rules import PinAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.pins import Pin
from cardsim.status_words import StatusError, StatusWord, tries_left

NEW_VALUE_ONLY = 0x02
"""P1 of RESET RETRY COUNTER: the data field is the new value; the PUK was verified before."""


def verify(card: CardContext, command: CommandApdu) -> Response:
    """Verify a PIN or PUK; without data: say how it stands, at no cost.

    The data field is the stored form, padded. GUESS: 4 bytes without padding are refused by 6700 and cost no try; a
    real card settles it at the price of one try at most.

    Raises:
        StatusError: 63Cx; 6700; 6982; 6983; 6984; 6A86; 6A88.
    """
    pin = _addressed(card, command, p1=0x00)
    if not command.data:
        return _status(card, pin)
    card.demand_object_access(pin, PinAccess.VERIFY)
    _demand_length(command, pin.policy.stored_length)
    _present(card, pin, command.data)
    card.state.verified.add(pin.number)
    return Response()


def change_reference_data(card: CardContext, command: CommandApdu) -> Response:
    """Replace a PIN, given its old value and then the new one. Whether it counts as verified does not change.

    A new value that is not digits and padding is refused (6A80) after the old one was compared. GUESS: that a card
    looks at the new value at all; a real one settles it.

    Raises:
        StatusError: as VERIFY, and 6A80.
    """
    pin = _addressed(card, command, p1=0x00)
    card.demand_object_access(pin, PinAccess.CHANGE)
    length = pin.policy.stored_length
    _demand_length(command, 2 * length)
    _present(card, pin, command.data[:length])
    _replace(pin, command.data[length:])
    return Response()


def reset_retry_counter(card: CardContext, command: CommandApdu) -> Response:
    """Give a PIN a new value and all its tries, after its PUK was verified. The PIN is then not verified.

    Raises:
        StatusError: 6700; 6982; 6A80; 6A86 (also for the forms that carry the PUK: no middleware uses them); 6A88.
    """
    pin = _addressed(card, command, p1=NEW_VALUE_ONLY)
    card.demand_object_access(pin, PinAccess.RESET)
    _demand_length(command, pin.policy.stored_length)
    _replace(pin, command.data)
    card.state.verified.discard(pin.number)
    return Response()


def _addressed(card: CardContext, command: CommandApdu, *, p1: int) -> Pin:
    if command.p1 != p1:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    return card.pin(command.p2)


def _status(card: CardContext, pin: Pin) -> Response:
    if pin.blocked:
        raise StatusError(StatusWord.AUTHENTICATION_METHOD_BLOCKED)
    if pin.number not in card.state.verified:
        raise StatusError(tries_left(pin.tries_left))
    return Response()


def _demand_length(command: CommandApdu, length: int) -> None:
    if len(command.data) != length:
        raise StatusError(StatusWord.WRONG_LENGTH)


def _present(card: CardContext, pin: Pin, value: bytes) -> None:
    if pin.blocked:
        raise StatusError(StatusWord.AUTHENTICATION_METHOD_BLOCKED)
    if pin.used_up:
        raise StatusError(StatusWord.REFERENCE_DATA_NOT_USABLE)
    if pin.compare(value):
        return
    card.state.verified.discard(pin.number)
    if pin.blocked and card.behaviour.blocking_try is BlockingTry.BLOCKED:
        raise StatusError(StatusWord.AUTHENTICATION_METHOD_BLOCKED)
    raise StatusError(tries_left(pin.tries_left))


def _replace(pin: Pin, value: bytes) -> None:
    if not pin.policy.accepts(value):
        raise StatusError(StatusWord.INCORRECT_DATA)
    pin.replace(value)
