"""VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4, 11.5.6, 11.5.7, 11.5.10; INS 20, 24, 2C)."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.behaviour import BlockingTry, PinStatusAnswer
from cardsim.ias_ecc.access_rules import PinAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.pins import Pin
from cardsim.status_words import StatusError, StatusWord, tries_left

DROP = 0xFF
"""P1 of VERIFY: drop the verification."""
CODE_AND_NEW_VALUE, NEW_VALUE_ONLY = 0x00, 0x02
"""P1 of RESET RETRY COUNTER: the data field is the PUK and the new value, or the new value after a verified PUK."""


def verify(card: CardContext, command: CommandApdu) -> Response:
    """Verify a PIN or PUK; without data: say how it stands, at no cost.

    The data field is the stored form, padded. A card that does not take the digits alone refuses them by 6700, which
    costs no try.

    Raises:
        StatusError: 63Cx; 6700; 6982; 6983; 6984; 6A86; 6A88.
    """
    if command.p1 == DROP and card.behaviour.verify_logout:
        return _drop(card, command)
    pin = addressed(card, command, p1=0x00)
    if not command.data:
        return _status(card, pin)
    card.demand_object_access(pin, PinAccess.VERIFY)
    _present(card, pin, stored(card, pin, command.data))
    card.state.verified.add(pin.number)
    return Response()


def change_reference_data(card: CardContext, command: CommandApdu) -> Response:
    """Replace a PIN, given its old value and then the new one. Whether it counts as verified does not change.

    A new value that is not digits and padding is refused (6A80) after the old one was compared. GUESS: that a card
    looks at the new value at all; a real one settles it.

    Raises:
        StatusError: as VERIFY, and 6A80.
    """
    pin = addressed(card, command, p1=0x00)
    card.demand_object_access(pin, PinAccess.CHANGE)
    half = len(command.data) // 2
    old, new = (stored(card, pin, value) for value in (command.data[:half], command.data[half:]))
    _present(card, pin, old)
    replace(pin, new)
    return Response()


def reset_retry_counter(card: CardContext, command: CommandApdu) -> Response:
    """Give a PIN a new value and all its tries, after its PUK was verified or with the PUK. It is then not verified.

    Raises:
        StatusError: 6700; 6982; 6A80; 6A86 (also for the form that carries the PUK, where the card's behaviour has it
            not, and for those without a new value); 6A88; with the PUK, as VERIFY.
    """
    with_code = command.p1 == CODE_AND_NEW_VALUE and card.behaviour.reset_with_puk
    pin = addressed(card, command, p1=CODE_AND_NEW_VALUE if with_code else NEW_VALUE_ONLY)
    value = command.data
    if with_code:
        code = card.unblocking(pin)
        length = code.policy.stored_length
        presented, value = value[:length], value[length:]
        new = stored(card, pin, value)
        card.demand_object_access(code, PinAccess.VERIFY)
        _present(card, code, stored(card, code, presented))
    else:
        card.demand_object_access(pin, PinAccess.RESET)
        new = stored(card, pin, value)
    replace(pin, new)
    card.state.verified.discard(pin.number)
    return Response()


def _drop(card: CardContext, command: CommandApdu) -> Response:
    """The PIN is not verified any more (ISO 7816-4, 11.5.6: P1=FF without data)."""
    if command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    card.state.verified.discard(card.pin(command.p2).number)
    return Response()


def addressed(card: CardContext, command: CommandApdu, *, p1: int) -> Pin:
    """The PIN that P2 names.

    Raises:
        StatusError: 6A86 another P1; 6A88 no such PIN.
    """
    if command.p1 != p1:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    return card.pin(command.p2)


def _status(card: CardContext, pin: Pin) -> Response:
    if pin.blocked:
        raise StatusError(StatusWord.AUTHENTICATION_METHOD_BLOCKED)
    if pin.number in card.state.verified:
        return Response()
    refused = card.behaviour.pin_status is PinStatusAnswer.REFUSED
    raise StatusError(StatusWord.WRONG_LENGTH if refused else tries_left(pin.tries_left))


def stored(card: CardContext, pin: Pin, value: bytes) -> bytes:
    """The stored form of a presented value: itself, or with its padding where the card adds it.

    Raises:
        StatusError: 6700.
    """
    policy = pin.policy
    if card.behaviour.unpadded_pin and policy.min_length <= len(value) <= policy.max_length:
        return value.ljust(policy.stored_length, bytes([policy.pad]))
    if len(value) != policy.stored_length:
        raise StatusError(StatusWord.WRONG_LENGTH)
    return value


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


def replace(pin: Pin, value: bytes) -> None:
    """Give a PIN a new value with all its tries.

    Raises:
        StatusError: 6A80, it is not digits and padding.
    """
    if not pin.policy.accepts(value):
        raise StatusError(StatusWord.INCORRECT_DATA)
    pin.replace(value)
