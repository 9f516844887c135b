"""Faults on purpose: what a broken card, reader or hand does at the n-th command.

A fault is written ``KIND@N[+][:ARGUMENT]``: at the N-th command APDU since the card last got power (or since the fault
was armed, whichever is later). With ``+`` it stays and strikes at every command from the N-th on; without, it strikes
once and is gone. N = 0 is the power-up itself, which only ``mute`` knows.

| kind | what happens | argument |
| --- | --- | --- |
| ``delay`` | the card thinks this long before it answers | milliseconds, required |
| ``remove`` | the card is pulled out before it sees the command | |
| ``remove-after`` | pulled out after it computed; the answer is lost | |
| ``mute`` | no answer until the card is removed, or for so long | milliseconds; none: until removal |
| ``garbage`` | random bytes instead of the answer | how many, default 16 |
| ``truncate`` | only the first bytes of the answer | how many, default 1 |
| ``oversize`` | the answer's data padded to this length, then its status word | bytes, default 65535 |
| ``tlv`` | the data's outer TLV claims a length beyond its end | length claimed, default 7FFFFFFF hex |
| ``endless`` | READ BINARY answers full data and 9000 at any offset, from now on | |
| ``sw`` | the card does not see the command; this status word answers | four hex digits, required |
"""

from __future__ import annotations

import enum
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import CardProtocol, SimulatedCard

_SPECIFICATION = re.compile(r"(?P<kind>[a-z-]+)@(?P<at>[0-9]{1,6})(?P<stays>\+?)(?::(?P<argument>.*))?", re.ASCII)
_STATUS_WORD = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_READ_BINARY = 0xB0
_SW_LENGTH = 2
_SUCCESS = b"\x90\x00"


class FaultKind(enum.Enum):
    """What can go wrong; the value is the word in a fault's text form."""

    DELAY = "delay"
    REMOVE = "remove"
    REMOVE_AFTER = "remove-after"
    MUTE = "mute"
    GARBAGE = "garbage"
    TRUNCATE = "truncate"
    OVERSIZE = "oversize"
    TLV = "tlv"
    ENDLESS = "endless"
    STATUS_WORD = "sw"


# The argument where none is given; a kind that is not here takes none or must be given one.
_DEFAULT_ARGUMENTS = {
    FaultKind.GARBAGE: 16,
    FaultKind.TRUNCATE: 1,
    FaultKind.OVERSIZE: 0xFFFF,
    FaultKind.TLV: 0x7FFFFFFF,
}
_ARGUMENT_REQUIRED = frozenset({FaultKind.DELAY, FaultKind.STATUS_WORD})
_ARGUMENT_REFUSED = frozenset({FaultKind.REMOVE, FaultKind.REMOVE_AFTER, FaultKind.ENDLESS})
# A TLV length in five bytes says at most this; a status word has four hex digits; the rest: ten minutes, a megabyte.
_MOST = {
    FaultKind.DELAY: 600_000,
    FaultKind.MUTE: 600_000,
    FaultKind.TLV: 0xFFFFFFFF,
    FaultKind.STATUS_WORD: 0xFFFF,
}
_MOST_BYTES = 1 << 20


class FaultSpecificationError(ValueError):
    """A fault's text form is not understood; the message says which part and what is expected."""


class CardVanishedError(Exception):
    """The card left its reader while it had a command; the answer, if there was one, is lost."""


class CardMuteError(Exception):
    """The card does not answer: not to this command, or not to the power-up."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``kind`` at the ``at``-th command (counted from 1; 0 the power-up).

    Attributes:
        kind: what happens.
        at: at which command since power-up or arming.
        argument: milliseconds, bytes, a length or a status word, as the kind says; None where it has none.
        stays: strike at every command from ``at`` on instead of once.

    Raises: ``FaultSpecificationError`` for values that make no sense together.
    """

    kind: FaultKind
    at: int
    argument: int | None = None
    stays: bool = False

    def __post_init__(self) -> None:
        if self.at < 0 or (self.at == 0 and self.kind is not FaultKind.MUTE):
            raise FaultSpecificationError(f"{self.kind.value}@{self.at}: commands are counted from 1")
        if self.argument is None and self.kind in _ARGUMENT_REQUIRED:
            raise FaultSpecificationError(f"{self.kind.value}@{self.at} needs an argument after a colon")
        if self.argument is not None and self.kind in _ARGUMENT_REFUSED:
            raise FaultSpecificationError(f"{self.kind.value}@{self.at} takes no argument")
        most = _MOST.get(self.kind, _MOST_BYTES)
        if self.argument is not None and not 0 <= self.argument <= most:
            raise FaultSpecificationError(f"{self.kind.value}@{self.at}: the argument is at most {most}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Args:
            text: for instance ``sw@3:6F00``, ``delay@5:800``, ``remove@7``, ``sw@1+:6F00``.

        Raises: ``FaultSpecificationError``.
        """
        match = _SPECIFICATION.fullmatch(text)
        if match is None:
            raise FaultSpecificationError(f"{text[:60]!r} is not KIND@N[+][:ARGUMENT], for instance sw@3:6F00")
        try:
            kind = FaultKind(match["kind"])
        except ValueError:
            kinds = ", ".join(each.value for each in FaultKind)
            raise FaultSpecificationError(f"unknown kind of fault {match['kind']!r}: one of {kinds}") from None
        return cls(kind, int(match["at"]), _parse_argument(kind, match["argument"]), bool(match["stays"]))

    @property
    def lasts(self) -> bool:
        """Return whether it strikes again at every later command (an endless file has no last read)."""
        return self.stays or self.kind is FaultKind.ENDLESS

    def __str__(self) -> str:
        """Return the text form that ``parse`` reads."""
        text = f"{self.kind.value}@{self.at}{'+' if self.stays else ''}"
        if self.argument is None:
            return text
        return f"{text}:{self.argument:04X}" if self.kind is FaultKind.STATUS_WORD else f"{text}:{self.argument}"


def _parse_argument(kind: FaultKind, text: str | None) -> int | None:
    if text is None:
        return None
    if kind is FaultKind.STATUS_WORD:
        if _STATUS_WORD.fullmatch(text) is None:
            raise FaultSpecificationError(f"a status word is four hex digits, not {text[:20]!r}")
        return int(text, 16)
    if _NUMBER.fullmatch(text) is None:
        raise FaultSpecificationError(f"the argument of {kind.value} is a decimal number, not {text[:20]!r}")
    return int(text)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0


@dataclass(slots=True)
class FaultInjector:
    """The faults armed on one reader; they wait there from card to card until they strike or are cleared."""

    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault) -> None:
        """Add a fault; it counts commands from now, and anew from each power-up."""
        with self._lock:
            self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> tuple[Fault, ...]:
        """Return the faults that have not struck yet, and those that stay."""
        with self._lock:
            return tuple(each.fault for each in self._armed)

    def power_on(self) -> tuple[Fault, ...]:
        """Count anew, and return the faults that strike the power-up."""
        with self._lock:
            for each in self._armed:
                each.seen = 0
            return self._strike(lambda each: each.fault.at == 0)

    def command(self) -> tuple[Fault, ...]:
        """Count one command, and return the faults that strike it, in the order in which they were armed."""
        with self._lock:
            for each in self._armed:
                each.seen += 1
            return self._strike(
                lambda each: (
                    each.fault.at > 0
                    and (each.seen == each.fault.at or (each.fault.lasts and each.seen > each.fault.at))
                )
            )

    def _strike(self, strikes: Callable[[_Armed], bool]) -> tuple[Fault, ...]:
        struck = [each for each in self._armed if strikes(each)]
        self._armed = [each for each in self._armed if each.fault.lasts or each not in struck]
        return tuple(each.fault for each in struck)


class InsertedCard:
    """A card from one insertion to its removal, with the reader's faults between the two; a ``SimulatedCard``.

    Transports wrap what they are given in it. Beyond the protocol, ``transmit`` and ``power_on`` raise
    ``CardVanishedError`` and ``CardMuteError``.

    Args:
        card: the card itself.
        faults: the faults of the reader it is in.
        eject: takes this card out of its reader; may be called from any thread.
        random_bytes: source of garbage.
    """

    def __init__(
        self,
        card: SimulatedCard,
        faults: FaultInjector,
        eject: Callable[[], None],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.card = card
        self._faults = faults
        self._eject = eject
        self._random_bytes = random_bytes
        self._gone = threading.Event()

    @property
    def gone(self) -> bool:
        """Return whether the card has been taken out."""
        return self._gone.is_set()

    def withdraw(self) -> None:
        """The card is out: whoever waits for its answer gets ``CardVanishedError`` now."""
        self._gone.set()

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
        return self.card.power_on()

    def power_off(self) -> None:
        """Take the power away."""
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """Pass a command to the card through the faults that strike now.

        Args:
            command: command APDU.

        Returns: what the reader gets: the card's answer, or what a fault made of it.
        Raises: ``CardVanishedError``, ``CardMuteError``.
        """
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
                self._wait(fault.argument)
            case FaultKind.MUTE:
                self._wait(fault.argument)
                raise CardMuteError
            case FaultKind.REMOVE:
                self._leave()
            case _:
                pass  # the others act in place of the card or on its answer

    def _after(self, fault: Fault, answer: bytes) -> bytes:
        argument = fault.argument if fault.argument is not None else _DEFAULT_ARGUMENTS.get(fault.kind, 0)
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

    def _leave(self) -> None:
        self._eject()
        self._gone.set()
        raise CardVanishedError


def _substitute(fault: Fault, command: bytes) -> bytes | None:
    """Return the answer of a fault that acts in the card's place, None where the card is to answer."""
    if fault.kind is FaultKind.STATUS_WORD and fault.argument is not None:
        return fault.argument.to_bytes(_SW_LENGTH, "big")
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
