"""Offers the card of a real reader in a virtual one, as long as it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cardsim.recorder.real_card import RealCard
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from types import ModuleType

    from cardsim.transports.inprocess import InProcessPcsc
    from cardsim.transports.reader import CardReader

# How soon a request to stop is heard; a card that comes or goes is seen at once.
_WAIT_MILLISECONDS = 300


class Bridge:
    """From one reader to another.

    Args:
        pcsc: ``smartcard.scard``, or a stack with its names.
        source: the real reader, as PC/SC calls it.
        target: where its card appears.
        stop: set by whoever wants it to end.
        offered: called whenever a card has appeared in the target.
    """

    def __init__(
        self,
        pcsc: ModuleType | InProcessPcsc,
        source: str,
        target: CardReader,
        stop: threading.Event,
        offered: Callable[[], None] = lambda: None,
    ) -> None:
        self._pcsc: Any = pcsc  # pyscard has no types
        self._source = source
        self._target = target
        self._stop = stop
        self._offered = offered

    def run(self) -> None:
        """Offer card after card until told to stop.

        Raises: ``ReaderError``: the real reader is not there or its card in use, or the virtual one not to be reached.
        """
        result, context = self._pcsc.SCardEstablishContext(self._pcsc.SCARD_SCOPE_SYSTEM)
        self._check(result)
        try:
            while self._await(context, present=True):
                self._offer(context)
        finally:
            self._pcsc.SCardReleaseContext(context)

    def _offer(self, context: int) -> None:
        """Offer the card that is in, until it goes."""
        try:
            card = RealCard(self._pcsc, self._source)
        except ReaderError:
            if self._is_in(context):
                raise
            return  # it has been taken out again already
        try:
            self._target.insert(card)
            self._offered()
            self._await(context, present=False)
        finally:
            self._target.remove()
            card.close()

    def _is_in(self, context: int) -> bool:
        result, states = self._pcsc.SCardGetStatusChange(context, 0, [(self._source, self._pcsc.SCARD_STATE_UNAWARE)])
        self._check(result)
        return bool(states[0][1] & self._pcsc.SCARD_STATE_PRESENT)

    def _await(self, context: int, *, present: bool) -> bool:
        """Wait until a card is in the real reader, or none is; return False when told to stop."""
        known = self._pcsc.SCARD_STATE_UNAWARE
        while not self._stop.is_set():
            wait = _WAIT_MILLISECONDS if known else 0
            result, states = self._pcsc.SCardGetStatusChange(context, wait, [(self._source, known)])
            if result != self._pcsc.SCARD_E_TIMEOUT:
                self._check(result)
            known = states[0][1] & ~self._pcsc.SCARD_STATE_CHANGED
            if bool(known & self._pcsc.SCARD_STATE_PRESENT) is present:
                return True
        return False

    def _check(self, result: int) -> None:
        if result == self._pcsc.SCARD_E_UNKNOWN_READER:
            raise ReaderError(f"there is no reader {self._source!r}: 'pcsc_scan' or 'opensc-tool -l' lists them")
        if result != self._pcsc.SCARD_S_SUCCESS:
            raise ReaderError(f"{self._source}: {self._pcsc.SCardGetErrorMessage(result)}")
