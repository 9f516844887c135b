"""Command APDUs (ISO 7816-4, 5.2) and the card's responses."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardsim.status_words import StatusError, StatusWord

CLA_CHAINING = 0x10
"""Bit 5 of the class byte: more commands of the chain follow (ISO 7816-4, 5.4.1)."""
HEADER_LENGTH = 4
SHORT_LE_MAX, EXTENDED_LE_MAX = 256, 65536


@dataclass(frozen=True, slots=True)
class CommandApdu:
    """One command APDU.

    Args:
        cla, ins, p1, p2: the header, one byte each.
        data: command data field; its repr is left out, since it may be a PIN.
        le: expected length 1 to 256 (65536 where extended), or None where the Le field is absent.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None

    @property
    def header(self) -> tuple[int, int, int, int]:
        """CLA INS P1 P2."""
        return (self.cla, self.ins, self.p1, self.p2)


@dataclass(frozen=True, slots=True)
class Response:
    """What a command function gives back.

    Args:
        data: response data, any length; transmission cuts it into responses.
        sw: status word; StatusWord.SUCCESS unless the command warns.
        sized: the command has already honoured Le by itself (READ BINARY, GET RESPONSE).
        optional: a command without Le does not want the data (in T=1, where Le says so).
    """

    data: bytes = field(default=b"", repr=False)
    sw: int = StatusWord.SUCCESS
    sized: bool = False
    optional: bool = False

    def encode(self) -> bytes:
        """Data and status word as they go to the reader."""
        return self.data + self.sw.to_bytes(2, "big")


def parse(command: bytes, *, extended: bool = False) -> CommandApdu:
    """Cut a command APDU into its fields; cases 1, 2, 3 and 4.

    Args:
        command: the APDU.
        extended: take extended lengths too. EF.ATR of a CPS3 offers command chaining only.

    Raises:
        StatusError: 6700, for anything else.
    """
    if len(command) < HEADER_LENGTH:
        raise StatusError(StatusWord.WRONG_LENGTH)
    cla, ins, p1, p2 = command[:HEADER_LENGTH]
    body = command[HEADER_LENGTH:]
    if not body:
        return CommandApdu(cla, ins, p1, p2)
    if len(body) == 1:
        return CommandApdu(cla, ins, p1, p2, le=body[0] or SHORT_LE_MAX)
    data, le = _extended_fields(body) if extended and body[0] == 0 else _fields(body, 1, SHORT_LE_MAX)
    return CommandApdu(cla, ins, p1, p2, data, le)


def _extended_fields(body: bytes) -> tuple[bytes, int | None]:
    """``00 Le Le``, or ``00 Lc Lc data [Le Le]`` (ISO 7816-4, 5.2)."""
    if len(body) == 3:
        return b"", int.from_bytes(body[1:], "big") or EXTENDED_LE_MAX
    return _fields(body[1:], 2, EXTENDED_LE_MAX)


def _fields(body: bytes, width: int, le_max: int) -> tuple[bytes, int | None]:
    lc = int.from_bytes(body[:width], "big")
    data, rest = body[width : width + lc], body[width + lc :]
    if lc == 0 or len(data) != lc or len(rest) not in (0, width):
        raise StatusError(StatusWord.WRONG_LENGTH)
    return data, (int.from_bytes(rest, "big") or le_max) if rest else None
