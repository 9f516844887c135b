"""Waiting for changes (SCardGetStatusChange): what counts as one, and the wait itself; as in pcsc-lite's client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.manager import ScardError
from cardsim.transports.pcsc.reader import ReaderState

if TYPE_CHECKING:
    from cardsim.transports.pcsc.manager import Context, Manager
    from cardsim.transports.pcsc.reader import InProcessReader

PNP_NOTIFICATION = r"\\?PnP?\Notification"
_COUNTER_SHIFT = 16
_EXCLUSIVE = -1
# The true INFINITE of PC/SC; pyscard's constant is a wait of 24.8 days.
_FOREVER = 0xFFFFFFFF


@dataclass(slots=True)
class ReaderStatus:
    """One line of SCardGetStatusChange.

    Attributes:
        name: the reader's.
        current: what the caller knows (SCARD_STATE_*, the event counter above).
        event: what is.
        atr: of the card that is in.
    """

    name: str
    current: int
    event: int = 0
    atr: bytes = b""

    @property
    def ignored(self) -> bool:
        """Return whether the caller does not want to hear of it."""
        return bool(self.current & C.SCARD_STATE_IGNORE)


def wait_for_change(manager: Manager, context: Context, timeout_ms: int, statuses: list[ReaderStatus]) -> None:
    """Fill in the lines and return when one differs from what the caller knows.

    Args:
        timeout_ms: how long to wait at most; FFFFFFFF hex: for ever.
        statuses: filled in, whatever the end.

    Raises: ``ScardError``: SCARD_E_TIMEOUT, SCARD_E_CANCELLED, SCARD_E_UNKNOWN_READER, SCARD_F_COMM_ERROR.
    """
    known = {*manager.readers, PNP_NOTIFICATION.casefold()}
    if any(each.name not in known and each.name.casefold() not in known for each in statuses):
        raise ScardError(C.SCARD_E_UNKNOWN_READER)
    count = len(manager.readers)
    deadline = None if timeout_ms == _FOREVER else manager.clock() + timeout_ms / 1000
    while not _evaluate_all(manager, statuses, count):
        count = len(manager.readers)
        remaining = None if deadline is None else deadline - manager.clock()
        if remaining is not None and remaining <= 0:
            raise ScardError(C.SCARD_E_TIMEOUT)
        _wait_once(manager, context, remaining)


def _wait_once(manager: Manager, context: Context, seconds: float | None) -> None:
    context.waiting, context.cancelled = True, False
    try:
        manager.changes.wait(seconds)
    finally:
        context.waiting = False
    if context.dead:
        raise ScardError(C.SCARD_F_COMM_ERROR)
    if context.cancelled:
        raise ScardError(C.SCARD_E_CANCELLED)


def _evaluate_all(manager: Manager, statuses: list[ReaderStatus], count: int) -> bool:
    changed = False
    for each in statuses:
        if each.ignored:
            continue
        if each.name.casefold() == PNP_NOTIFICATION.casefold():
            each.event = C.SCARD_STATE_CHANGED if len(manager.readers) != count else 0
        else:
            _evaluate(each, manager.readers.get(each.name))
        changed |= bool(each.event & C.SCARD_STATE_CHANGED)
    return changed


def _evaluate(status: ReaderStatus, reader: InProcessReader | None) -> None:
    """Fill in one line; SCARD_STATE_CHANGED is set where the caller's knowledge is wrong."""
    current = status.current
    status.atr = b""
    if reader is None:
        status.event = C.SCARD_STATE_UNKNOWN | C.SCARD_STATE_UNAVAILABLE
        changed = not current & C.SCARD_STATE_UNKNOWN
    elif reader.unavailable:
        status.event = C.SCARD_STATE_UNAVAILABLE
        changed = not current & C.SCARD_STATE_UNAVAILABLE
    else:
        status.event = _card_state(reader) | _sharing_state(reader) | reader.counter << _COUNTER_SHIFT
        status.atr = reader.atr if reader.state & ReaderState.PRESENT else b""
        changed = _differs(current, status.event)
    if changed or current == C.SCARD_STATE_UNAWARE:
        status.event |= C.SCARD_STATE_CHANGED


def _card_state(reader: InProcessReader) -> int:
    if not reader.state & ReaderState.PRESENT:
        return C.SCARD_STATE_EMPTY
    return C.SCARD_STATE_PRESENT | (C.SCARD_STATE_MUTE if reader.state & ReaderState.SWALLOWED else 0)


def _sharing_state(reader: InProcessReader) -> int:
    if reader.sharing == _EXCLUSIVE:
        return C.SCARD_STATE_EXCLUSIVE
    return C.SCARD_STATE_INUSE if reader.sharing > 0 and reader.state & ReaderState.PRESENT else 0


def _differs(current: int, now: int) -> bool:
    """Return whether what the caller knows is wrong; a bit that it does not claim is not compared.

    A counter of 0 is not compared: so a caller that starts without one is not woken for it.
    """
    if current & (C.SCARD_STATE_UNKNOWN | C.SCARD_STATE_UNAVAILABLE):
        return True
    counter = current >> _COUNTER_SHIFT
    if counter and counter != now >> _COUNTER_SHIFT:
        return True
    if now & C.SCARD_STATE_EMPTY:
        gone = C.SCARD_STATE_PRESENT
    else:
        gone = C.SCARD_STATE_EMPTY
        if (current ^ now) & C.SCARD_STATE_MUTE:
            return True
    in_use = C.SCARD_STATE_INUSE | C.SCARD_STATE_EXCLUSIVE
    return bool(current & gone or current & in_use & ~now)
