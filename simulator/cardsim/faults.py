"""Faults on purpose: what a broken card, reader or hand does at the n-th command.

A fault is written ``KIND@N[+][:ARGUMENT]``: at the N-th command APDU since the card last got power (or since the fault
was armed, whichever is later). With ``+`` it stays and strikes at every command from the N-th on; without, it strikes
once and is gone. N = 0 is the power-up itself, which only ``mute`` knows.

| kind | what happens | argument |
| --- | --- | --- |
| ``delay`` | the card thinks this long before it answers | milliseconds, required |
| ``remove`` | the card is pulled out before it sees the command | |
| ``remove-after`` | pulled out after it computed; the answer is lost | |
| ``swap`` | pulled out before it sees the command, and another put in at once | whose: a profile, required |
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
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import SimulatedCard

_SPECIFICATION = re.compile(r"(?P<kind>[a-z-]+)@(?P<at>[0-9]{1,6})(?P<stays>\+?)(?::(?P<argument>.*))?", re.ASCII)
_STATUS_WORD = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class FaultKind(enum.Enum):
    """What can go wrong; the value is the word in a fault's text form."""

    DELAY = "delay"
    REMOVE = "remove"
    REMOVE_AFTER = "remove-after"
    SWAP = "swap"
    MUTE = "mute"
    GARBAGE = "garbage"
    TRUNCATE = "truncate"
    OVERSIZE = "oversize"
    TLV = "tlv"
    ENDLESS = "endless"
    STATUS_WORD = "sw"


_ARGUMENT_REQUIRED = frozenset({FaultKind.DELAY, FaultKind.STATUS_WORD, FaultKind.SWAP})
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


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``kind`` at the ``at``-th command (counted from 1; 0 the power-up).

    Attributes:
        kind: what happens.
        at: at which command since power-up or arming.
        argument: milliseconds, bytes, a length, a status word or a profile, as the kind says; None where it has none.
        stays: strike at every command from ``at`` on instead of once.

    Raises: ``FaultSpecificationError`` for values that make no sense together.
    """

    kind: FaultKind
    at: int
    argument: int | str | None = None
    stays: bool = False

    def __post_init__(self) -> None:
        if self.at < 0 or (self.at == 0 and self.kind is not FaultKind.MUTE):
            raise FaultSpecificationError(f"{self.kind.value}@{self.at}: commands are counted from 1")
        if self.argument is None and self.kind in _ARGUMENT_REQUIRED:
            raise FaultSpecificationError(f"{self.kind.value}@{self.at} needs an argument after a colon")
        if self.argument is not None and self.kind in _ARGUMENT_REFUSED:
            raise FaultSpecificationError(f"{self.kind.value}@{self.at} takes no argument")
        if isinstance(self.argument, str) != (self.kind is FaultKind.SWAP):
            raise FaultSpecificationError(f"{self.kind.value}@{self.at}: {self.argument!r} is no argument of this kind")
        most = _MOST.get(self.kind, _MOST_BYTES)
        if isinstance(self.argument, int) and not 0 <= self.argument <= most:
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


def _parse_argument(kind: FaultKind, text: str | None) -> int | str | None:
    if text is None:
        return None
    if kind is FaultKind.SWAP:
        return text
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
    """The faults armed on one reader; they wait there from card to card until they strike or are cleared.

    Attributes:
        cards: gives the card of a profile, for ``swap``; None: there are no others.
    """

    cards: Callable[[str], SimulatedCard] | None = None
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault) -> None:
        """Add a fault; it counts commands from now, and anew from each power-up.

        Raises: ``FaultSpecificationError``: ``swap``, and nobody gives other cards; and what giving one raises.
        """
        if fault.kind is FaultKind.SWAP:
            self.other_card(fault)  # made now, and what is wrong with it is told now
        with self._lock:
            self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def other_card(self, fault: Fault) -> SimulatedCard:
        """Return the card that a ``swap`` puts in.

        Raises: ``FaultSpecificationError``, as ``arm``.
        """
        if self.cards is None or not isinstance(fault.argument, str):
            raise FaultSpecificationError(f"{fault}: this reader has no other cards")
        return self.cards(fault.argument)

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
