"""A card in a reader of pcscd, held exclusively; a ``SimulatedCard`` like any other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from cardsim.card import CardProtocol
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    from types import ModuleType

    from cardsim.transports.inprocess import InProcessPcsc

_log = logging.getLogger(__name__)


class RealCard:
    """The card that is in a reader now. Ends with ``close``.

    Args:
        pcsc: ``smartcard.scard``, or a stack with its names.
        reader: as PC/SC calls it.

    Raises: ``ReaderError``: no such reader, no card in it, or another program uses it.
    """

    def __init__(self, pcsc: ModuleType | InProcessPcsc, reader: str) -> None:
        self._pcsc: Any = pcsc  # pyscard has no types
        self._reader = reader
        result, self._context = self._pcsc.SCardEstablishContext(self._pcsc.SCARD_SCOPE_SYSTEM)
        self._check(result, "pcscd cannot be reached")
        self._handle: int | None = None  # None: not connected
        try:
            result, _, _, _, atr = self._pcsc.SCardStatus(self._connect())
            self._check(result, "its answer to reset cannot be read")
        except ReaderError:
            self._pcsc.SCardReleaseContext(self._context)
            raise
        self._atr = bytes(atr)

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._atr

    @property
    def protocol(self) -> CardProtocol:
        """The protocol that pcscd has agreed on with the card."""
        return CardProtocol.T1 if self._protocol == self._pcsc.SCARD_PROTOCOL_T1 else CardProtocol.T0

    def power_on(self) -> bytes:
        """Reset the card. One that cannot be reset is silent from then on."""
        # SCardReconnect waits for ever where another program is in the way.
        self._disconnect()
        try:
            self._connect()
        except ReaderError as error:
            _log.info("%s", error)  # most often it has been taken out, and the bridge sees that too
        return self._atr

    def power_off(self) -> None:
        """Reset the card: the reader's power is pcscd's business, and what is volatile is lost so as well."""
        self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Ask the card.

        Returns: its answer; nothing where it gave none, for instance because it has been taken out.
        """
        if self._handle is None:
            return b""
        result, answer = self._pcsc.SCardTransmit(self._handle, self._protocol, list(command))
        if result != self._pcsc.SCARD_S_SUCCESS:
            _log.info("%s: %s", self._reader, self._pcsc.SCardGetErrorMessage(result))
            return b""
        return bytes(answer)

    def close(self) -> None:
        """Reset the card and let go of it."""
        self._disconnect()
        self._pcsc.SCardReleaseContext(self._context)

    def _connect(self) -> int:
        result, handle, protocol = self._pcsc.SCardConnect(
            self._context, self._reader, self._pcsc.SCARD_SHARE_EXCLUSIVE, self._pcsc.SCARD_PROTOCOL_ANY
        )
        if result == self._pcsc.SCARD_E_SHARING_VIOLATION:
            raise ReaderError(f"another program uses the card in {self._reader}: end it first (a browser, cardd)")
        self._check(result, "the card cannot be connected")
        # Not before: where the call fails, pyscard's handle is memory that nobody wrote, and its use a SystemError.
        self._handle, self._protocol = handle, protocol
        return int(handle)

    def _disconnect(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:  # a failure means that there is nothing to reset any more
            self._pcsc.SCardDisconnect(handle, self._pcsc.SCARD_RESET_CARD)

    def _check(self, result: int, what: str) -> None:
        if result != self._pcsc.SCARD_S_SUCCESS:
            raise ReaderError(f"{self._reader}: {what}: {self._pcsc.SCardGetErrorMessage(result)}")
