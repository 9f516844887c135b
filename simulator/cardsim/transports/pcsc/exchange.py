"""One command to the card and its answer (SCardTransmit)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cardsim.transports.pcsc.connections import (
    check_available,
    check_connected,
    check_event,
    check_sharing,
    is_connected,
)
from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.manager import ScardError
from cardsim.transports.pcsc.pin_pad import GET_FEATURE_REQUEST
from cardsim.transports.pcsc.reader import ReaderState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cardsim.transports.pcsc.manager import Handle, Manager
    from cardsim.transports.pcsc.reader import Insertion

# pcsc-lite: MAX_BUFFER_SIZE_EXTENDED.
LONGEST_MESSAGE = 4 + 3 + (1 << 16) + 3 + 2


def transmit(manager: Manager, handle: Handle, protocol: int, command: bytes) -> bytes:
    """Send a command; called inside ``Manager.call``. The lock is given up while the card computes.

    Args:
        protocol: SCARD_PCI_*: what the program believes the card to speak.
        command: command APDU.

    Returns: the card's answer.
    Raises: ``ScardError``; SCARD_E_NO_SMARTCARD when the card was taken out with the command in hand.
    """
    reader = handle.reader
    check_connected(handle)
    check_sharing(handle)
    manager.wait_turn(handle.context, lambda: not reader.busy)
    check_connected(handle)
    check_sharing(handle)
    check_available(reader)
    check_event(handle)
    insertion = reader.insertion
    if insertion is None or reader.state & ReaderState.ABSENT:
        raise ScardError(C.SCARD_E_NO_SMARTCARD)
    if protocol not in (C.SCARD_PROTOCOL_RAW, reader.protocol):
        raise ScardError(C.SCARD_E_PROTO_MISMATCH)
    reader.busy = True
    try:
        answer = _exchange(manager, handle, insertion, command)
    finally:
        reader.busy = False
        manager.pass_turn()
    if len(answer) > LONGEST_MESSAGE:
        raise ScardError(C.SCARD_E_INSUFFICIENT_BUFFER)
    return answer


def control(manager: Manager, handle: Handle, code: int, data: bytes) -> bytes:
    """SCardControl: the list of features, which is empty without a PIN pad, or a PIN by the pad.

    Returns: the output.
    Raises: ``ScardError``; SCARD_E_UNSUPPORTED_FEATURE for another code.
    """
    check_connected(handle)
    check_sharing(handle)
    check_available(handle.reader)
    pad = handle.reader.pin_pad
    if pad is not None:
        return pad.control(
            handle, code, data, lambda command: transmit(manager, handle, handle.reader.protocol, command)
        )
    if code != GET_FEATURE_REQUEST:
        raise ScardError(C.SCARD_E_UNSUPPORTED_FEATURE)
    return b""


def _exchange(manager: Manager, handle: Handle, insertion: Insertion, command: bytes) -> bytes:
    reader = handle.reader
    reader.before_count += 1
    if reader.before is not None:
        with _unlocked(manager):
            reader.before(reader.before_count, command)
    _check_still_in(handle, insertion)
    request = insertion.worker.submit(command)
    manager.wait_turn(
        handle.context, lambda: request.done or insertion.card.gone or reader.unavailable or not is_connected(handle)
    )
    _check_still_in(handle, insertion)
    if not request.answer:
        raise ScardError(C.SCARD_E_NOT_TRANSACTED)  # mute, or without power
    reader.after_count += 1
    if reader.after is not None:
        with _unlocked(manager):
            reader.after(reader.after_count, command, request.answer)
        _check_still_in(handle, insertion)
    return request.answer


def _check_still_in(handle: Handle, insertion: Insertion) -> None:
    """Raises: ``ScardError``: what a driver says whose reader or card went while it held a command."""
    if handle.context.dead:
        raise ScardError(C.SCARD_F_COMM_ERROR)
    if handle.reader.unavailable or not is_connected(handle):
        raise ScardError(C.SCARD_E_READER_UNAVAILABLE)
    if insertion.card.gone:
        raise ScardError(C.SCARD_E_NO_SMARTCARD)


@contextlib.contextmanager
def _unlocked(manager: Manager) -> Iterator[None]:
    """Give the manager's lock up, so that a hook can insert and remove cards from this and other threads."""
    manager.lock.release()
    try:
        yield
    finally:
        manager.lock.acquire()
