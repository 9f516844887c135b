"""PIN and PUK: what they may look like, how they are padded, what the card's answers mean.

Nothing here puts a character of a PIN into an error, a log or a repr; every copy is wiped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cardd_drivers.apdu import SW, Command, NewPinEntry, PinEntry, Response, StatusWord
from cardd_drivers.contract import (
    ErrorReference,
    MalformedCardData,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinRules,
    PinStatus,
)
from cardd_drivers.ias_ecc.objects import PinFlag, PinObject, PinType
from cardd_drivers.ias_ecc.refusal import refusal
from cardd_drivers.secret_memory import SecretBytes, secret_room, wipe

_NO_INFORMATION = StatusWord(0x6300)
"""Verification failed, tries not told (ISO 7816-4 table 6)."""
_PAD_BLOCK_MAX = 0x0F
"""Bytes of a PIN block that a PIN pad can form: four bits of bmPINBlockString (PC/SC part 10, 2.5.2)."""
_BLOCKED = frozenset({SW.AUTHENTICATION_METHOD_BLOCKED, SW.REFERENCE_DATA_NOT_USABLE, StatusWord(0x63C0)})
"""6983, the 63C0 that a published trace has on the last try, and 6984: the card takes this PIN no more."""


def rules(pin: PinObject) -> PinRules:
    """What the PIN may look like."""
    return PinRules(pin.minimum, pin.maximum, pin.type is PinType.ASCII_NUMERIC)


def require_format(pin: PinObject, characters: SecretBytes, meant: ErrorReference) -> None:
    """Refuse, before the card sees it, what can only cost a try.

    Args:
        pin: its rules.
        characters: the PIN as it was typed.
        meant: which secret the error is about.

    Raises:
        PinFormat: too short, too long, or not digits where digits are wanted.
        MalformedCardData: the card codes its PIN in a way that no published CPS does.
    """
    if pin.type not in (PinType.ASCII_NUMERIC, PinType.UTF8):
        raise MalformedCardData(f"a PIN coded as {pin.type.name}")
    fits = pin.minimum <= len(characters) <= pin.maximum
    if not fits or (pin.type is PinType.ASCII_NUMERIC and any(not 0x30 <= each <= 0x39 for each in characters)):
        raise PinFormat(meant)


@contextmanager
def padded(pin: PinObject, *secrets: SecretBytes) -> Iterator[memoryview]:
    """The data field of a PIN command: each secret padded as the PIN object says, one after another; wiped afterwards.

    Raises:
        MalformedCardData: padding is needed and the card does not say with what.
    """
    padding = PinFlag.NEEDS_PADDING in pin.flags
    if padding and pin.pad is None and any(len(secret) < pin.stored for secret in secrets):
        raise MalformedCardData("a PIN that needs padding, without a pad character")
    size = sum(pin.stored if padding else len(secret) for secret in secrets)
    block = secret_room(size)
    try:
        position = 0
        for secret in secrets:
            end = position + (pin.stored if padding else len(secret))
            for index in range(position, end):
                block[index] = secret[index - position] if index - position < len(secret) else pin.pad or 0
            position = end
        yield block
    finally:
        wipe(block)


def pad_entry(pin: PinObject) -> tuple[bytearray, PinEntry]:
    """The PIN block before a pad fills it, and how it does.

    Raises:
        MalformedCardData: the PIN is no ASCII digits in a block of 15 bytes at most, which they fill or padding does: a
            pad cannot form it.
    """
    padding = PinFlag.NEEDS_PADDING in pin.flags
    size = pin.stored if padding else pin.maximum
    filled = pin.minimum == pin.maximum == size or (padding and pin.pad is not None)
    if pin.type is not PinType.ASCII_NUMERIC or not filled or not 0 < size <= _PAD_BLOCK_MAX:
        raise MalformedCardData("a PIN that a PIN pad cannot form")
    return bytearray([pin.pad or 0]) * size, PinEntry(pin.minimum, pin.maximum, position=0, block=size)


def pad_new_entry(pin: PinObject, *, with_old: bool) -> tuple[bytearray, NewPinEntry]:
    """The PIN blocks before a pad fills them with the present PIN, where that is wanted, and with the new one.

    Raises:
        MalformedCardData: as `pad_entry`.
    """
    block, entry = pad_entry(pin)
    new = entry.block if with_old else 0
    blocks = bytearray(block * 2 if with_old else block)
    return blocks, NewPinEntry(entry.minimum, entry.maximum, entry.block, old=0 if with_old else None, new=new)


def status(response: Response, command: Command) -> PinStatus:
    """What the answer to an empty VERIFY says.

    A card that wants data even then (6700) leaves the number unknown.

    Raises:
        SecurityStatusNotSatisfied, UnexpectedResponse.
    """
    if response.sw == SW.SUCCESS:
        return PinStatus(tries_left=None, verified=True)
    if response.sw in _BLOCKED:
        return PinStatus(tries_left=0)
    if response.sw.tries_left is not None:
        return PinStatus(response.sw.tries_left)
    if response.sw in (_NO_INFORMATION, SW.WRONG_LENGTH):
        return PinStatus(tries_left=None)
    raise refusal(response, command)


def require_accepted(response: Response, command: Command, meant: ErrorReference) -> None:
    """What the answer to a presented PIN or PUK says.

    Args:
        response, command: the exchange.
        meant: which secret was presented.

    Raises:
        PinIncorrect, PinBlocked, SecurityStatusNotSatisfied, UnexpectedResponse.
    """
    if response.sw == SW.SUCCESS:
        return
    if response.sw in _BLOCKED:
        raise PinBlocked(meant)
    if response.sw.tries_left is not None or response.sw == _NO_INFORMATION:
        raise PinIncorrect(response.sw.tries_left, meant)
    raise refusal(response, command)
