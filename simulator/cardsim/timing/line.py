"""The wires between reader and card: how many bytes an exchange puts on them, and how long one takes (ISO 7816-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cardsim.card import CardProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK_HERTZ = 4_000_000
"""GUESS: the clock that a USB reader gives a card; ISO 7816-3 allows 1 to 5 MHz at first, and readers say theirs in
dwDefaultClock of their CCID descriptor. With it a byte at 372 clocks a bit takes 1.116 ms, and the published 72 ms of a
57-byte READ BINARY come out at 72.5; the published 46 ms of a 39-byte GET RESPONSE would need 4.5 MHz."""

# ISO 7816-3, tables 7 and 8: clock rate conversion integer Fi and baud rate adjustment integer Di by half of TA1.
_FI = {0: 372, 1: 372, 2: 558, 3: 744, 4: 1116, 5: 1488, 6: 1860, 9: 512, 10: 768, 11: 1024, 12: 1536, 13: 2048}
_DI = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
_DEFAULT_TA1 = 0x11
# Start bit, eight bits, parity, and the guard time: 12 elementary time units from one byte's start to the next (8.3).
_UNITS_OF_A_BYTE = 12
# TC1 = FF: T=0 as without it, T=1 one unit less.
_NO_EXTRA_GUARD = 0xFF

# T=0, 10.3: CLA INS P1 P2 P3; the procedure byte; SW1 SW2.
_HEADER, _PROCEDURE, _TRAILER = 5, 1, 2
_CASE_1_LENGTH = 4
# T=1, 11.3: NAD PCB LEN before, LRC behind. An R-block has no more than that.
_BLOCK = 4
_DEFAULT_IFSC = 32
_IFSD = 254
"""GUESS: readers announce the longest information field that they may (CCID: dwMaxIFSD, 254 in every known one)."""
# ISO/IEC 14443-3, 6.2: 128 periods of the 13.56 MHz carrier a bit (106 kbit/s); start bit, eight bits, parity or stop.
_AIR_BIT_SECONDS, _AIR_BITS_OF_A_BYTE = 128 / 13_560_000, 10
_AIR_FRAME = 256
"""GUESS: the longest frame, and the lowest of four bit rates; the card's answer to select (ATS) tells both. Its block
header and CRC are counted as the four bytes of a T=1 block."""
_AIR_ACTIVATION_SECONDS = 0.005
"""GUESS: request, anticollision, select and ATS, some 60 bytes in all."""
# PPSS PPS0 PPS1 PCK, asked and answered (9.2).
_PPS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One card's line.

    Args:
        protocol: T=0 or T=1.
        byte_seconds: from the start of one byte to that of the next.
        information_field: most bytes of a T=1 block to the card (IFSC).
        reset_seconds: the answer to reset, at the default speed, and the agreement on another one.
    """

    protocol: CardProtocol
    byte_seconds: float
    information_field: int
    reset_seconds: float

    @classmethod
    def of(cls, atr: bytes, protocol: CardProtocol, *, clock_hertz: float = CLOCK_HERTZ) -> Self:
        """Read a card's line off its answer to reset; without contact it is the air, and that tells nothing.

        Args:
            atr: answer to reset; what it does not say is at its default.
            protocol: in which the card is spoken to.
            clock_hertz: the reader's clock.
        """
        if is_contactless(atr):
            return cls(protocol, _AIR_BITS_OF_A_BYTE * _AIR_BIT_SECONDS, _AIR_FRAME - _BLOCK, _AIR_ACTIVATION_SECONDS)
        said = dict(_interface_bytes(atr))
        ta1 = said.get(("A", 1), _DEFAULT_TA1)
        extra = said.get(("C", 1), 0)
        default = _UNITS_OF_A_BYTE * _bit_clocks(_DEFAULT_TA1) / clock_hertz
        if extra == _NO_EXTRA_GUARD:
            extra = 0 if protocol is CardProtocol.T0 else -1
        agreed = _PPS if _bit_clocks(ta1) != _bit_clocks(_DEFAULT_TA1) else 0
        return cls(
            protocol,
            (_UNITS_OF_A_BYTE + extra) * _bit_clocks(ta1) / clock_hertz,
            _information_field(said),
            (len(atr) + agreed) * default,
        )

    def bytes_of(self, command: bytes, answer: bytes) -> int:
        """How many bytes an exchange puts on the line, both ways.

        Args:
            command: command APDU with short lengths.
            answer: response data and status word.
        """
        if self.protocol is CardProtocol.T0:
            return _t0_bytes(command, answer)
        return _t1_bytes(len(command), self.information_field) + _t1_bytes(len(answer), _IFSD)

    def seconds_of(self, command: bytes, answer: bytes) -> float:
        """How long they take."""
        return self.bytes_of(command, answer) * self.byte_seconds


def _t0_bytes(command: bytes, answer: bytes) -> int:
    """T=0, 10.3 and 12.2: the Le of a command with data is not sent; a procedure byte before data, each way."""
    if len(command) > _HEADER:
        return _HEADER + _PROCEDURE + min(command[_CASE_1_LENGTH], len(command) - _HEADER) + len(answer)
    data = max(len(answer) - _TRAILER, 0)
    return _HEADER + (_PROCEDURE if data else 0) + len(answer)


def _t1_bytes(length: int, information_field: int) -> int:
    """T=1, 11.6: blocks of at most ``information_field`` bytes, each but the last one acknowledged by an R-block."""
    blocks = max(-(-length // information_field), 1)
    return length + blocks * _BLOCK + (blocks - 1) * _BLOCK


def _bit_clocks(ta1: int) -> int:
    """Clocks of one elementary time unit, rounded down as chips count them; reserved values: the default."""
    fi, di = _FI.get(ta1 >> 4), _DI.get(ta1 & 0x0F)
    return _FI[1] if fi is None or di is None else fi // di


def is_contactless(atr: bytes) -> bool:
    """Return whether a reader made this answer to reset of a card of ISO/IEC 14443-4 (PC/SC part 3, 3.1.3.2.3.1)."""
    return len(atr) >= 4 and atr[0] == 0x3B and atr[1] >> 4 == 8 and atr[2:4] == b"\x80\x01"


def offers_t1(atr: bytes) -> bool:
    """Return whether an answer to reset offers T=1 in one of its TD (8.2.3)."""
    return any(letter == "D" and value & 0x0F == 1 for (letter, _), value in _interface_bytes(atr))


def _information_field(said: dict[tuple[str, int], int]) -> int:
    """IFSC: the first TA behind a TD that says T=1 (11.4.2)."""
    for place in range(2, 8):
        if said.get(("D", place), 0) & 0x0F == 1:
            return said.get(("A", place + 1)) or _DEFAULT_IFSC
    return _DEFAULT_IFSC


def _interface_bytes(atr: bytes) -> Iterator[tuple[tuple[str, int], int]]:
    """Name (letter and number) and value of each interface byte (8.2); what is cut off is not there."""
    present, at, place = (atr[1] >> 4 if len(atr) > 1 else 0), 2, 1
    while present:
        following = 0
        for bit, letter in enumerate("ABCD"):
            if present & 1 << bit and at < len(atr):
                yield (letter, place), atr[at]
                if letter == "D":
                    following = atr[at] >> 4
                at += 1
        present, place = following, place + 1
