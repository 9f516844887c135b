"""A card while it is in a reader: what stands between it and the reader, the faults above all."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from cardsim.faults import FaultKind
from cardsim.trace.feed import ExchangeFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import CardProtocol, SimulatedCard
    from cardsim.faults import Fault, FaultInjector

_READ_BINARY = 0xB0
_SW_LENGTH = 2
_SUCCESS = b"\x90\x00"
# The argument where none is given; a kind that is not here takes none or must be given one.
_DEFAULT_ARGUMENTS = {
    FaultKind.GARBAGE: 16,
    FaultKind.TRUNCATE: 1,
    FaultKind.OVERSIZE: 0xFFFF,
    FaultKind.TLV: 0x7FFFFFFF,
}


class CardVanishedError(Exception):
    """The card left its reader while it had a command; the answer, if there was one, is lost."""


class CardMuteError(Exception):
    """The card does not answer: not to this command, or not to the power-up."""


class InsertedCard:
    """A card from one insertion to its removal, with the reader's faults between the two; a ``SimulatedCard``.

    Transports wrap what they are given in it. Beyond the protocol, ``transmit`` and ``power_on`` raise
    ``CardVanishedError`` and ``CardMuteError``.

    Args:
        card: the card itself.
        faults: the faults of the reader it is in.
        eject: takes this card out of its reader, and puts the one that it is given in its place; may be called from any
            thread.
        random_bytes: source of garbage.
        feed: is told of all that happens to it.
    """

    def __init__(
        self,
        card: SimulatedCard,
        faults: FaultInjector,
        eject: Callable[[SimulatedCard | None], None],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        feed: ExchangeFeed | None = None,
    ) -> None:
        self.card = card
        self._faults = faults
        self._eject = eject
        self._random_bytes = random_bytes
        self._gone = threading.Event()
        self._feed = feed or ExchangeFeed()
        self._feed.control("insert")

    @property
    def gone(self) -> bool:
        """Return whether the card has been taken out."""
        return self._gone.is_set()

    def withdraw(self) -> None:
        """The card is out: whoever waits for its answer gets ``CardVanishedError`` now."""
        self._gone.set()
        self._feed.control("remove")

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self.card.atr

    @property
    def protocol(self) -> CardProtocol:
        """Transmission protocol."""
        return self.card.protocol

    def power_on(self) -> bytes:
        """Reset the card.

        Returns: the ATR.
        Raises: ``CardMuteError`` when a ``mute@0`` is armed.
        """
        if self._faults.power_on():
            raise CardMuteError
        atr = self.card.power_on()
        self._feed.control("power-on", atr)
        return atr

    def power_off(self) -> None:
        """Take the power away."""
        self.card.power_off()
        self._feed.control("power-off")

    def transmit(self, command: bytes) -> bytes:
        """Pass a command to the card through the faults that strike now.

        Args:
            command: command APDU.

        Returns: what the reader gets: the card's answer, or what a fault made of it.
        Raises: ``CardVanishedError``, ``CardMuteError``.
        """
        answer = b""
        try:
            answer = self._exchange(command)
        finally:
            self._feed.exchange(command, answer)
        return answer

    def _exchange(self, command: bytes) -> bytes:
        faults = self._faults.command()
        for fault in faults:
            self._before(fault)
        substitute = next((answer for fault in faults if (answer := _substitute(fault, command)) is not None), None)
        answer = self.card.transmit(command) if substitute is None else substitute
        for fault in faults:
            answer = self._after(fault, answer)
        if self.gone:
            raise CardVanishedError
        return answer

    def _before(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.DELAY:
                self._wait(_number(fault))
            case FaultKind.MUTE:
                self._wait(None if fault.argument is None else _number(fault))
                raise CardMuteError
            case FaultKind.REMOVE:
                self._leave()
            case FaultKind.SWAP:
                self._leave(self._faults.other_card(fault))
            case _:
                pass  # the others act in place of the card or on its answer

    def _after(self, fault: Fault, answer: bytes) -> bytes:
        argument = _number(fault)
        match fault.kind:
            case FaultKind.REMOVE_AFTER:
                self._leave()
            case FaultKind.GARBAGE:
                return self._random_bytes(argument)
            case FaultKind.TRUNCATE:
                return answer[:argument]
            case FaultKind.OVERSIZE:
                return answer[:-_SW_LENGTH].ljust(max(argument - _SW_LENGTH, 0), b"\xa5") + answer[-_SW_LENGTH:]
            case FaultKind.TLV:
                return claim_length(answer[:-_SW_LENGTH], argument) + answer[-_SW_LENGTH:]
            case _:
                pass  # the others have acted before or in place of the card
        return answer

    def _wait(self, milliseconds: int | None) -> None:
        """Let time pass, at most until the card is taken out."""
        if self._gone.wait(None if milliseconds is None else milliseconds / 1000):
            raise CardVanishedError

    def _leave(self, replacement: SimulatedCard | None = None) -> None:
        self._eject(replacement)
        self._gone.set()
        raise CardVanishedError


def _number(fault: Fault) -> int:
    """The argument of a fault that has a number, its kind's own where none was given."""
    return fault.argument if isinstance(fault.argument, int) else _DEFAULT_ARGUMENTS.get(fault.kind, 0)


def _substitute(fault: Fault, command: bytes) -> bytes | None:
    """Return the answer of a fault that acts in the card's place, None where the card is to answer."""
    if fault.kind is FaultKind.STATUS_WORD:
        return _number(fault).to_bytes(_SW_LENGTH, "big")
    if fault.kind is FaultKind.ENDLESS and command[1:2] == bytes([_READ_BINARY]):
        # Short Le (ISO 7816-4, 5.1): absent or 00 asks for as many as there are, 256.
        expected = command[4] if len(command) > 4 and command[4] else 256  # CLA INS P1 P2 Le
        return b"\x30".ljust(expected, b"\x30") + _SUCCESS
    return None


def claim_length(data: bytes, length: int) -> bytes:
    """Return BER-TLV data whose outer length field, in five bytes, claims ``length`` bytes of value.

    Args:
        data: a TLV (its own length field is dropped) or anything else, which then stands behind an FCP tag (62).
        length: what the field claims, at most FFFFFFFF hex.
    """
    header = b"\x84" + length.to_bytes(4, "big")
    if len(data) < 2:  # a tag and a length at least
        return b"\x62" + header + data
    tag_length = 1 if data[0] & 0x1F != 0x1F else 2  # ISO 7816-4, 5.2.2.1: all ones: tag goes on
    return data[:tag_length] + header + data[tag_length + 1 :]
