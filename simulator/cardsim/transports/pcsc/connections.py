"""Connections to a card: connect, reconnect, disconnect, transactions, status; order and results as in pcsc-lite.

Each function is called inside ``Manager.call`` of the context that it concerns. ``ScardError`` carries the result.
Where pcsc-lite's client asks again until another's lock is gone, the caller does so too: see ``retry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.manager import ScardError
from cardsim.transports.pcsc.reader import ReaderState

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.transports.pcsc.manager import Context, Handle, Manager
    from cardsim.transports.pcsc.reader import InProcessReader

_EXCLUSIVE = -1
_NOBODY = 0
_ONE = 1
_SHARE_MODES = frozenset({C.SCARD_SHARE_EXCLUSIVE, C.SCARD_SHARE_SHARED, C.SCARD_SHARE_DIRECT})
_INITIALIZATIONS = frozenset({C.SCARD_LEAVE_CARD, C.SCARD_RESET_CARD, C.SCARD_UNPOWER_CARD})
_DISPOSITIONS = _INITIALIZATIONS | {C.SCARD_EJECT_CARD}
_PROTOCOLS = C.SCARD_PROTOCOL_T0 | C.SCARD_PROTOCOL_T1 | C.SCARD_PROTOCOL_RAW

T = TypeVar("T")


def retry(manager: Manager, identifier: int, action: Callable[[Handle], T]) -> T:
    """Call ``action(handle)`` in the handle's context; again after each end of another's transaction or exclusive use.

    Raises: ``ScardError``, never with SCARD_E_SHARING_VIOLATION: pcsc-lite blocks instead.
    """
    while True:
        handle = manager.handle(identifier)
        with manager.call(handle.context):
            try:
                return action(handle)
            except ScardError as error:
                if error.code != C.SCARD_E_SHARING_VIOLATION:
                    raise
                turn = manager.turn
        manager.wait_next_turn(handle.context, turn)


def may_use(handle: Handle) -> bool:
    """Return whether no other connection has locked the reader."""
    return handle.reader.lock_owner in (0, handle.identifier)


def is_connected(handle: Handle) -> bool:
    """Return whether the handle still leads to its reader (not so once it was unplugged)."""
    return handle.identifier in handle.reader.handles


def check_connected(handle: Handle) -> None:
    """Raises: ``ScardError``: SCARD_E_INVALID_VALUE when the reader has gone."""
    if not is_connected(handle):
        raise ScardError(C.SCARD_E_INVALID_VALUE)


def check_sharing(handle: Handle) -> None:
    """Raises: ``ScardError``: SCARD_E_SHARING_VIOLATION when another connection has locked the reader."""
    if not may_use(handle):
        raise ScardError(C.SCARD_E_SHARING_VIOLATION)


def check_available(reader: InProcessReader) -> None:
    """Raises: ``ScardError``: SCARD_E_READER_UNAVAILABLE when the reader does not answer."""
    if reader.unavailable:
        raise ScardError(C.SCARD_E_READER_UNAVAILABLE)


def check_event(handle: Handle) -> None:
    """Raises: ``ScardError``: SCARD_W_RESET_CARD or SCARD_W_REMOVED_CARD when that happened since connecting."""
    if handle.event:
        raise ScardError(handle.event)


def connect(manager: Manager, context: Context, name: str, share_mode: int, protocols: int) -> tuple[Handle, int]:
    """SCardConnect.

    Returns: the connection and SCARD_PROTOCOL_*.
    """
    if share_mode != C.SCARD_SHARE_DIRECT and not protocols & _PROTOCOLS:
        raise ScardError(C.SCARD_E_PROTO_MISMATCH)
    if share_mode not in _SHARE_MODES:
        raise ScardError(C.SCARD_E_INVALID_VALUE)
    reader = manager.readers.get(name)
    if reader is None:
        raise ScardError(C.SCARD_E_UNKNOWN_READER)
    check_available(reader)
    if reader.sharing == _EXCLUSIVE:
        raise ScardError(C.SCARD_E_SHARING_VIOLATION)
    manager.wait_turn(context, lambda: reader.lock_owner == 0 and not reader.busy)
    check_available(reader)
    if share_mode != C.SCARD_SHARE_DIRECT:
        if not reader.state & ReaderState.PRESENT:
            raise ScardError(C.SCARD_E_NO_SMARTCARD)
        if not reader.power_for_use():
            raise ScardError(C.SCARD_W_UNPOWERED_CARD)
    _choose_protocol(reader, share_mode, protocols)
    if share_mode == C.SCARD_SHARE_EXCLUSIVE and reader.sharing != _NOBODY:
        raise ScardError(C.SCARD_E_SHARING_VIOLATION)
    handle = manager.add_handle(context, reader)
    if share_mode == C.SCARD_SHARE_EXCLUSIVE:
        _lock(handle)
        reader.sharing = _EXCLUSIVE
    else:
        reader.sharing += 1
    manager.changes.notify_all()
    return handle, reader.protocol


def reconnect(manager: Manager, handle: Handle, share_mode: int, protocols: int, initialization: int) -> int:
    """SCardReconnect; from exclusive to shared it keeps the lock, as pcsc-lite does.

    Returns: SCARD_PROTOCOL_*.
    """
    if initialization not in _INITIALIZATIONS or share_mode not in _SHARE_MODES:
        raise ScardError(C.SCARD_E_INVALID_VALUE)
    if share_mode != C.SCARD_SHARE_DIRECT and not protocols & _PROTOCOLS:
        raise ScardError(C.SCARD_E_PROTO_MISMATCH)
    check_connected(handle)
    reader = handle.reader
    check_available(reader)
    check_sharing(handle)
    manager.wait_turn(handle.context, lambda: not reader.busy)
    if initialization == C.SCARD_LEAVE_CARD:
        answers = not reader.state & ReaderState.SWALLOWED
    else:
        answers = reader.reset(cold=initialization == C.SCARD_UNPOWER_CARD)
    if reader.state & ReaderState.ABSENT:
        raise ScardError(C.SCARD_E_NO_SMARTCARD)
    if not answers:
        raise ScardError(C.SCARD_W_UNRESPONSIVE_CARD)
    _choose_protocol(reader, share_mode, protocols)
    _share_anew(handle, share_mode)
    handle.event = 0
    manager.changes.notify_all()
    return reader.protocol


def disconnect(manager: Manager, handle: Handle, disposition: int) -> None:
    """SCardDisconnect; a reset or power-off waits until no other connection has locked the reader."""
    if disposition not in _DISPOSITIONS:
        raise ScardError(C.SCARD_E_INVALID_VALUE)
    reader = handle.reader
    if is_connected(handle):
        if disposition != C.SCARD_LEAVE_CARD:
            manager.wait_turn(handle.context, lambda: may_use(handle) and not reader.busy)
        if may_use(handle):
            reader.lock_owner = reader.lock_count = 0
        _dispose(reader, disposition)
        reader.leave(handle)
    handle.context.handles.pop(handle.identifier, None)


def begin_transaction(handle: Handle) -> None:
    """SCardBeginTransaction."""
    check_connected(handle)
    check_available(handle.reader)
    check_event(handle)
    check_sharing(handle)
    _lock(handle)


def end_transaction(manager: Manager, handle: Handle, disposition: int) -> None:
    """SCardEndTransaction."""
    if disposition not in _DISPOSITIONS:
        raise ScardError(C.SCARD_E_INVALID_VALUE)
    check_connected(handle)
    check_event(handle)
    reader = handle.reader
    if disposition != C.SCARD_LEAVE_CARD:
        check_sharing(handle)
        manager.wait_turn(handle.context, lambda: not reader.busy)
    if disposition in (C.SCARD_RESET_CARD, C.SCARD_UNPOWER_CARD):
        reader.reset(cold=disposition == C.SCARD_UNPOWER_CARD)
    check_sharing(handle)
    _unlock(manager, handle)


def status(manager: Manager, handle: Handle) -> tuple[str, int, int, bytes]:
    """SCardStatus.

    Returns: the reader's name, its state with the event counter above, SCARD_PROTOCOL_*, the ATR.
    """
    reader = handle.reader
    if manager.readers.get(reader.name) is not reader:
        raise ScardError(C.SCARD_E_READER_UNAVAILABLE)
    check_connected(handle)
    check_sharing(handle)
    check_event(handle)
    check_available(reader)
    return reader.name, reader.counter << 16 | reader.state, reader.protocol, reader.atr


def attribute(handle: Handle, identifier: int) -> bytes:
    """SCardGetAttrib, for the attributes that a program would ask of any reader.

    Returns: the value; names end with a zero byte.
    """
    check_connected(handle)
    check_sharing(handle)
    check_available(handle.reader)
    check_event(handle)
    name = handle.reader.name.encode("utf-8", "surrogateescape") + b"\0"
    values = {
        C.SCARD_ATTR_ATR_STRING: handle.reader.atr,
        C.SCARD_ATTR_VENDOR_NAME: b"cardsim\0",
        C.SCARD_ATTR_DEVICE_FRIENDLY_NAME: name,
        C.SCARD_ATTR_DEVICE_SYSTEM_NAME: name,
    }
    if identifier not in values:
        raise ScardError(C.SCARD_E_UNSUPPORTED_FEATURE)
    return values[identifier]


def release(manager: Manager, context: Context) -> None:
    """SCardReleaseContext: connections left open end; one with a transaction has its card reset."""
    for handle in list(context.handles.values()):
        mine = handle.reader.lock_owner == handle.identifier
        reset = mine and not handle.event and is_connected(handle)
        disconnect(manager, handle, C.SCARD_RESET_CARD if reset else C.SCARD_LEAVE_CARD)


def _choose_protocol(reader: InProcessReader, share_mode: int, protocols: int) -> None:
    if protocols & C.SCARD_PROTOCOL_RAW:
        reader.protocol = C.SCARD_PROTOCOL_RAW
    elif share_mode != C.SCARD_SHARE_DIRECT:
        chosen = reader.protocol or reader.offered_protocol
        if not protocols & chosen:
            raise ScardError(C.SCARD_E_PROTO_MISMATCH)
        reader.protocol = chosen


def _share_anew(handle: Handle, share_mode: int) -> None:
    reader = handle.reader
    if share_mode == C.SCARD_SHARE_EXCLUSIVE:
        if reader.sharing == _EXCLUSIVE:
            return
        if reader.sharing != _ONE:
            raise ScardError(C.SCARD_E_SHARING_VIOLATION)
        reader.sharing = _EXCLUSIVE
        _lock(handle)
    elif reader.sharing == _EXCLUSIVE:
        # pcsc-lite takes one lock back before it lowers the sharing mode, which an exclusive reader refuses when it
        # is the last: the lock stays until the connection ends.
        if reader.lock_count > 1:
            reader.lock_count -= 1
        reader.sharing = _ONE


def _dispose(reader: InProcessReader, disposition: int) -> None:
    if disposition == C.SCARD_RESET_CARD:
        reader.reset(cold=False)
    elif disposition == C.SCARD_UNPOWER_CARD:
        reader.unpower()


def _lock(handle: Handle) -> None:
    handle.reader.lock_owner = handle.identifier
    handle.reader.lock_count += 1


def _unlock(manager: Manager, handle: Handle) -> None:
    reader = handle.reader
    last = 1 if reader.sharing == _EXCLUSIVE else 0
    if reader.lock_count <= last:
        raise ScardError(C.SCARD_E_NOT_TRANSACTED)
    reader.lock_count -= 1
    if reader.lock_count == 0:
        reader.lock_owner = 0
        manager.pass_turn()
