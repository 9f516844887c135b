"""Exchanges in words: the command's name in the standard, the file that it is about, what the status word means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardsim.trace import names

if TYPE_CHECKING:
    from cardsim.trace.transcript import Entry

_HEADER, _LC = 4, 5
_CHAINING = 0x10
_BY_DF_NAME = 0x04
_SHORT_IDENTIFIER = 0x80
_SELECTED = (0x90, 0x61, 0x62)


class Decoder:
    """Reads the exchanges of one card in their order: which file a READ BINARY reads, the SELECT before it says."""

    def __init__(self) -> None:
        self._file = "current file"

    def describe(self, entry: Entry) -> str:
        """Say in one line what an entry is.

        Args:
            entry: secrets hidden.
        """
        if entry.control is not None:
            self._file = "current file"
            return entry.control + (f", ATR {entry.atr.hex().upper()}" if entry.atr else "")
        asked = self.command(entry.command, masked=entry.masked)
        self._follow(entry.command, entry.answer)
        return f"{asked} -> {_answer(entry.answer)}"

    def command(self, command: bytes, *, masked: bool = False) -> str:
        """Say what a command is.

        Args:
            command: command APDU.
            masked: its secret bytes are zeros.
        """
        if len(command) < _HEADER:
            return f"{len(command)} bytes that are no command"
        cla, ins, p1, p2 = command[:_HEADER]
        name = names.COMMANDS.get(ins, f"INS {ins:02X}")
        about = self._about(command, ins, p1, p2)
        chained = ", chained" if cla & _CHAINING else ""
        hidden = f", {len(_data(command))} bytes hidden" if masked and _data(command) else ""
        return f"{name}{' ' if about else ''}{about}{chained}{hidden}"

    def _about(self, command: bytes, ins: int, p1: int, p2: int) -> str:
        match names.COMMANDS.get(ins):
            case "SELECT":
                return _selection(p1, _data(command))
            case "READ BINARY" | "UPDATE BINARY":
                return self._span(command, p1, p2)
            case "VERIFY" if not _data(command):
                return f"reference {p2:02X}: how many tries are left?"
            case "VERIFY" | "CHANGE REFERENCE DATA" | "RESET RETRY COUNTER":
                return f"reference {p2:02X}"
            case "PERFORM SECURITY OPERATION":
                return names.SECURITY_OPERATIONS.get(p1 << 8 | p2, f"{p1:02X}{p2:02X}")
            case "MANAGE SECURITY ENVIRONMENT":
                kind = "RESTORE" if p1 == 0xF3 else f"SET {names.TEMPLATES.get(p2, f'{p2:02X}')}"
                return f"{kind} {_data(command).hex().upper()}".rstrip()
            case "GET DATA":
                return f"{p1:02X}{p2:02X} {_data(command).hex().upper()}".rstrip()
            case "GET RESPONSE":
                return f"{_expected(command)} bytes"
            case _:
                return ""

    def _span(self, command: bytes, p1: int, p2: int) -> str:
        """Which file, from where, how much (ISO 7816-4, 11.3.1: bit 8 of P1 says that a short identifier follows)."""
        file, offset = self._file, p1 << 8 | p2
        if p1 & _SHORT_IDENTIFIER:
            identifier = p1 & 0x1F
            file, offset = names.SHORT_IDENTIFIERS.get(identifier, f"short identifier {identifier:02X}"), p2
        return f"{file}, offset {offset}, {len(_data(command)) or _expected(command)} bytes"

    def _follow(self, command: bytes, answer: bytes) -> None:
        """Keep what has been selected."""
        if len(command) < _HEADER or len(answer) < 2:
            return
        _, ins, p1, _ = command[:_HEADER]
        if ins == 0xA4 and answer[-2] in _SELECTED:
            self._file = _selection(p1, _data(command)).removeprefix("by name ")
        elif ins in (0xB0, 0xD6) and p1 & _SHORT_IDENTIFIER and answer[-2] in _SELECTED:
            self._file = names.SHORT_IDENTIFIERS.get(p1 & 0x1F, f"short identifier {p1 & 0x1F:02X}")


def _selection(p1: int, data: bytes) -> str:
    if p1 == _BY_DF_NAME:
        aid = data.hex().upper()
        return f"by name {names.APPLICATIONS.get(aid, aid)}"
    if not data:
        return "MF"
    path = data.hex().upper()
    name = names.FILES.get(int.from_bytes(data[-2:], "big"))
    return path if name is None else f"{path} ({name})"


def _answer(answer: bytes) -> str:
    if len(answer) < 2:
        return "no answer" if not answer else f"{len(answer)} byte that is no answer"
    sw = int.from_bytes(answer[-2:], "big")
    data = f"{len(answer) - 2} bytes, " if len(answer) > 2 else ""
    return f"{data}{sw:04X} {names.status_word(sw)}"


def _data(command: bytes) -> bytes:
    """Data field of a short command."""
    return command[_LC : _LC + command[_HEADER]] if len(command) > _LC else b""


def _expected(command: bytes) -> int:
    """Le of a command without data: 00 or none asks for 256."""
    return (command[_HEADER] if len(command) == _LC else 0) or 256
