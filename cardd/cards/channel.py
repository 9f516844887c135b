"""The way of a driver's commands to one insertion of a card, over one PC/SC connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from cardd.readers.insertion import Departure, Insertion
from cardd.readers.pin_pad import PadCodes, modify_structure, pad_codes, seconds_for, verify_structure
from cardd.readers.stack import CardHandle, Code, PcscError
from cardd_drivers.apdu import Command, NewPinEntry, PinEntry, Response, Secrecy
from cardd_drivers.contract import (
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    MalformedCardData,
    PadRefusal,
    PinPadFailed,
    ReaderFailure,
    Transport,
)
from cardd_drivers.secret_memory import secret_room, wipe

APDU_LEVEL = 5
"""Logging level of the exchanges with cards, below DEBUG. Secrets are masked at every level."""

logger = logging.getLogger(__name__)

Checkpoint = Callable[..., None]
"""Called before each command; raises `Cancelled` once the work is given up. Its argument, where there is one, is the
number of seconds that the command may take beyond a card's own time: those of a user at a PIN pad."""

_GONE = {
    Code.W_REMOVED_CARD: Departure.CARD_REMOVED,
    Code.E_NO_SMARTCARD: Departure.CARD_REMOVED,
    Code.E_READER_UNAVAILABLE: Departure.READER_REMOVED,
    Code.E_UNKNOWN_READER: Departure.READER_REMOVED,
    # What pcscd says of a connection that was good, once its reader is unplugged.
    Code.E_INVALID_VALUE: Departure.READER_REMOVED,
    Code.E_NO_SERVICE: Departure.PCSCD_LOST,
    Code.E_SERVICE_STOPPED: Departure.PCSCD_LOST,
    Code.F_COMM_ERROR: Departure.PCSCD_LOST,
    # Seen on connections that were good, while pcscd dies.
    Code.W_SECURITY_VIOLATION: Departure.PCSCD_LOST,
}
_MUTE = frozenset(
    {
        Code.W_UNRESPONSIVE_CARD,
        Code.W_UNPOWERED_CARD,
        Code.W_UNSUPPORTED_CARD,
        Code.E_TIMEOUT,
        # pcsclite says this when the card let the reader's time-out pass.
        Code.E_NOT_TRANSACTED,
    }
)


_PAD_REFUSALS = frozenset(PadRefusal)


@dataclass(slots=True)
class Traffic:
    """Counts what goes to a card and comes from it.

    Args:
        commands: number of commands, GET RESPONSE among them.
        sent, received: bytes of commands and of responses, status words included.
    """

    commands: int = 0
    sent: int = 0
    received: int = 0


class CardChannel:
    """A `cardd_drivers.contract.Channel`; belongs to the thread that made its connection.

    Args:
        handle: the connection.
        insertion: what it was opened for; when its mark is set, nothing goes out and no answer counts.
        checkpoint: called before each command.
        traffic: where to count.
    """

    def __init__(self, handle: CardHandle, insertion: Insertion, checkpoint: Checkpoint, traffic: Traffic) -> None:
        self._handle = handle
        self._insertion = insertion
        self._checkpoint = checkpoint
        self._traffic = traffic
        self.secret_presented = False
        """Whether a PIN or a PUK went out: the card may stand verified."""
        self._pad: PadCodes | None = None

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._insertion.atr

    @property
    def transport(self) -> Transport:
        """The negotiated protocol."""
        return self._handle.transport

    def transmit(self, command: Command) -> Response:
        """Send one command; wait for its response.

        Raises:
            CardRemoved, CardReset, CardMute, ReaderFailure, Cancelled: as the contract says.
            MalformedCardData: what came back is no short response APDU.
        """
        if command.entry is None:
            self._checkpoint()
        else:
            self._checkpoint(seconds_for(command.entry))
        require_present(self._insertion)
        self.secret_presented |= command.secrecy is Secrecy.SECRET_DATA
        octets = encode(command, self.transport)
        try:
            raw = self._exchange(octets, command.entry)
        finally:
            wipe(octets)
        require_present(self._insertion)
        if not raw:  # some reader drivers say so when the card let its time pass, or went
            raise CardMute(f"{command.header.hex()}: no answer")
        try:
            response = Response.parse(raw)
        except ValueError as error:
            raise MalformedCardData(f"{command.header.hex()}: {error}") from None
        _trace(command, response)
        if command.entry is not None and response.sw.value in _PAD_REFUSALS:
            raise PinPadFailed(PadRefusal(response.sw.value))
        return response

    @property
    def pad(self) -> PadCodes:
        """What the reader's PIN pad offers; nothing where it has none."""
        self._pad = self._pad or pad_codes(self._handle)
        return self._pad

    def _exchange(self, octets: memoryview, entry: PinEntry | NewPinEntry | None) -> bytes:
        self._traffic.commands += 1
        self._traffic.sent += len(octets)
        try:
            raw = self._handle.transmit(octets) if entry is None else self._by_pad(octets, entry)
        except PcscError as error:
            raise handle_failure(error, self._insertion) from error
        self._traffic.received += len(raw)
        return raw

    def _by_pad(self, octets: memoryview, entry: PinEntry | NewPinEntry) -> bytes:
        if isinstance(entry, PinEntry):
            code, structure = self.pad.verify, verify_structure(octets, entry)
        else:
            code, structure = self.pad.modify, modify_structure(octets, entry)
        if code is None:
            raise ReaderFailure("it has no PIN pad for this")
        return self._handle.control(code, structure)


def encode(command: Command, transport: Transport) -> memoryview:
    """A command as PC/SC takes it for a protocol (ISO 7816-3 12.1 and 12.2); the caller wipes it.

    In T=0 a command with data goes without Le, and one with neither data nor Le gets P3 = 00.
    """
    header, data, last = command.header, command.data, _last(command, transport)
    before = bytes((*header, len(data))) if data else header
    size = len(before) + len(data) + len(last)
    octets = secret_room(size) if command.secrecy is Secrecy.SECRET_DATA else memoryview(bytearray(size))
    octets[: len(before)] = before
    octets[len(before) : size - len(last)] = data
    octets[size - len(last) :] = last
    return octets


def _last(command: Command, transport: Transport) -> bytes:
    if transport is Transport.T0:
        if command.data:
            return b""
        return bytes((0 if command.le is None else command.le & 0xFF,))
    return b"" if command.le is None else bytes((command.le & 0xFF,))


def require_present(insertion: Insertion) -> None:
    """Let pass while the insertion lasts.

    Raises:
        CardRemoved, CardReset: it is over; the text is the reason.
    """
    reason = insertion.mark.reason
    if reason is Departure.CARD_RESET:
        raise CardReset(reason.value)
    if reason is not None:
        raise CardRemoved(reason.value)


def failure(error: PcscError) -> CardError:
    """The contract's error for a PC/SC failure; `str` of it names the PC/SC code."""
    if error.code == Code.W_RESET_CARD:
        return CardReset(str(error))
    if error.code in _MUTE:
        return CardMute(str(error))
    gone = _GONE.get(_known(error.code))
    return (
        CardRemoved(str(error))
        if gone in (Departure.CARD_REMOVED, Departure.READER_REMOVED)
        else ReaderFailure(str(error))
    )


def handle_failure(error: PcscError, insertion: Insertion) -> CardError:
    """The contract's error for the failure of a connection that was made for this insertion.

    Such a connection fails for good when the card, the reader or the service went: then it is the first witness, and
    sets the insertion's mark itself.
    """
    gone = _GONE.get(_known(error.code))
    if gone is None:
        return failure(error)
    insertion.mark.set(gone)
    return CardRemoved(str(error))


def _known(code: int) -> Code:
    try:
        return Code(code)
    except ValueError:
        return Code.F_UNKNOWN_ERROR


def _trace(command: Command, response: Response) -> None:
    if not logger.isEnabledFor(APDU_LEVEL):
        return
    hidden = command.secrecy is not Secrecy.PUBLIC
    data = f"<{len(response.data)} bytes>" if hidden else response.data.hex()
    logger.log(APDU_LEVEL, "%r -> %s %s", command, data, response.sw)
