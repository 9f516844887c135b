"""Channels for driver tests that need no card: recorded exchanges served as a card, and answers written by hand."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cardd_drivers.apdu import Command, Response, StatusWord
from cardd_drivers.contract import Transport

ATR_CPS3 = bytes.fromhex("3BAC00402A001225006480000310009000")
TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"
_MASTER_FILE = bytes.fromhex("3F00")


class DictMemory:
    """A memory of cards in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def get(self, serial: str, name: str) -> bytes | None:
        """As the contract has it."""
        return self.kept.get((serial, name))

    def put(self, serial: str, name: str, value: bytes) -> None:
        """As the contract has it, its limit checked."""
        assert len(value) <= 64 * 1024
        self.kept[serial, name] = value

    def forget(self, serial: str) -> None:
        """As the contract has it."""
        self.kept = {key: value for key, value in self.kept.items() if key[0] != serial}


class ScriptedChannel:
    """A channel whose answers a function gives; it keeps every command (a copy of its data, since drivers wipe it).

    Args:
        answer: from a command to the raw response APDU.
        transport, atr: what the channel says of itself.
    """

    def __init__(
        self, answer: Callable[[Command], bytes], transport: Transport = Transport.T0, atr: bytes = ATR_CPS3
    ) -> None:
        self._answer = answer
        self.sent: list[Command] = []
        self.given: list[Command] = []
        self.atr = atr
        self.transport = transport

    def transmit(self, command: Command) -> Response:
        """Keep the command, give the answer."""
        kept = Command(
            command.cla, command.ins, command.p1, command.p2, bytes(command.data), command.le, command.secrecy
        )
        self.sent.append(kept)
        self.given.append(command)
        raw = self._answer(kept)
        return Response(raw[:-2], StatusWord(int.from_bytes(raw[-2:], "big")))

    @property
    def lines(self) -> list[str]:
        """Every command in hexadecimal: header, data behind its length, Le."""
        return [encode(command).hex().upper() for command in self.sent]


def encode(command: Command) -> bytes:
    """The bytes of a short command APDU."""
    body = bytes((len(command.data),)) + bytes(command.data) if command.data else b""
    return command.header + body + (b"" if command.le is None else bytes((command.le & 0xFF,)))


def answers(*raw: str) -> Callable[[Command], bytes]:
    """An answer function that gives these responses (hexadecimal) in turn."""
    queue = [bytes.fromhex(each) for each in raw]
    return lambda _command: queue.pop(0)


class LongRead(enum.Enum):
    """What a card answers to a READ BINARY that asks for more than there is."""

    SHORT = enum.auto()
    END_OF_FILE = enum.auto()
    WRONG_LE = enum.auto()


@dataclass
class Conduct:
    """What real cards may do in different ways.

    Args:
        long_read: see there.
        read_max: bytes that it gives at a time.
        refuse_over_max: 6700 to a longer read, instead of what `long_read` says.
        select_without_answer: it takes P2=0C.
    """

    long_read: LongRead = LongRead.SHORT
    read_max: int = 256
    refuse_over_max: bool = False
    select_without_answer: bool = True


@dataclass
class _Recording:
    files: dict[bytes, bytearray] = field(default_factory=dict)
    short: dict[int, bytes] = field(default_factory=dict)
    other: dict[tuple[bytes, bytes], list[bytes]] = field(default_factory=dict)


class RecordedCard:
    """A card that holds the files of a recording, and gives every other recorded command its recorded answers in turn.

    Args:
        recordings: transcripts of one card.
        conduct: how it does what was not recorded.
    """

    def __init__(self, recordings: Iterable[Path], conduct: Conduct | None = None) -> None:
        self._recording = _Recording()
        for path in recordings:
            _Reader(self._recording).read(path)
        self.conduct = conduct or Conduct()
        self._df, self._ef = _MASTER_FILE, b""
        self._pending = b""

    @property
    def files(self) -> dict[bytes, bytearray]:
        """Contents by absolute path."""
        return self._recording.files

    def answer(self, command: Command) -> bytes:
        """The raw response to one command."""
        match command.ins:
            case 0xA4:
                return self._select(command)
            case 0xB0:
                return self._read(command)
            case 0xC0:
                data, self._pending = self._pending, b""
                return data + b"\x90\x00" if len(data) == command.le else b"\x6c" + bytes((len(data) & 0xFF,))
        recorded = self._recording.other.get(_key(command.header, bytes(command.data)))
        if not recorded:
            return b"\x6d\x00"
        response = recorded.pop(0) if len(recorded) > 1 else recorded[0]
        if command.data and len(response) > 2:
            self._pending = response[:-2]
            return bytes((0x61, len(self._pending) & 0xFF))
        return response

    def _select(self, command: Command) -> bytes:
        if command.p2 == 0x0C and not self.conduct.select_without_answer:
            return b"\x6a\x86"
        path = bytes(command.data)
        if command.p1 == 0x04:
            self._df, self._ef = _MASTER_FILE + b"\x00\x01", b""
            return b"\x90\x00"
        if command.p1 == 0x02 or not path.startswith(_MASTER_FILE):
            path = self._df + path
        if path in self.files:
            self._df, self._ef = path[:-2], path
        elif any(known.startswith(path) for known in self.files):
            self._df, self._ef = path, b""
        else:
            return b"\x6a\x82"
        if command.p2 == 0x0C:
            return b"\x90\x00"
        self._pending = bytes.fromhex("6204820101")
        return b"\x61\x05"

    def _read(self, command: Command) -> bytes:
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:
            offset = command.p2
            short = self._recording.short.get(command.p1 & 0x1F)
            if self._df != _MASTER_FILE or short is None:
                return b"\x6a\x82"
            self._ef = short
        if not self._ef:
            return b"\x69\x86"
        content = bytes(self.files[self._ef])
        asked = command.le or 0
        most = self.conduct.read_max
        if asked > most and self.conduct.refuse_over_max:
            return b"\x67\x00"
        if offset >= len(content):
            return b"\x6b\x00"
        piece = content[offset : offset + min(asked, most)]
        if len(piece) == asked or self.conduct.long_read is LongRead.SHORT:
            return piece + b"\x90\x00"
        if self.conduct.long_read is LongRead.WRONG_LE:
            return b"\x6c" + bytes((len(piece) & 0xFF,))
        return piece + b"\x62\x82"


class _Reader:
    """Takes one transcript in: which file was selected, what was read of it, what else was asked."""

    def __init__(self, into: _Recording) -> None:
        self._into = into
        self._df, self._ef = _MASTER_FILE, b""
        self._last: tuple[bytes, bytes] | None = None

    def read(self, path: Path) -> None:
        for line in path.read_text().splitlines():
            exchange = json.loads(line)
            if "c" in exchange:
                self._take(bytes.fromhex(exchange["c"]), bytes.fromhex(exchange["r"]))

    def _take(self, command: bytes, response: bytes) -> None:
        header, data = command[:4], command[5 : 5 + command[4]] if len(command) > 5 else b""
        if header[0] == 0xA0:
            self._last = None
        elif header[1] == 0xA4:
            self._take_select(header, data, response)
        elif header[1] == 0xB0:
            self._take_read(header, response)
        elif header[1] == 0xC0:
            self._take_more(response)
        else:
            self._last = _key(header, data)
            self._into.other.setdefault(self._last, []).append(response)

    def _take_select(self, header: bytes, data: bytes, response: bytes) -> None:
        self._last = None
        if response[0] not in (0x61, 0x90):
            return
        if header[2] == 0x04:
            application = data.startswith(b"\xe8\x28")
            self._df, self._ef = _MASTER_FILE + (b"\x00\x01" if application else b""), b""
            return
        path = data if data.startswith(_MASTER_FILE) else self._df + data
        is_df = path in (_MASTER_FILE, _MASTER_FILE + b"\x00\x01")
        self._df, self._ef = (path, b"") if is_df else (path[:-2], path)

    def _take_read(self, header: bytes, response: bytes) -> None:
        self._last = None
        if response[-2:] != b"\x90\x00":
            return
        path = _MASTER_FILE + b"\xd0\x03" if header[2] & 0x80 else self._ef
        offset = 0 if header[2] & 0x80 else header[2] << 8 | header[3]
        content = self._into.files.setdefault(path, bytearray())
        content[offset : offset + len(response) - 2] = response[:-2]

    def _take_more(self, response: bytes) -> None:
        if self._last is not None:
            gathered = self._into.other[self._last]
            gathered[-1] = gathered[-1][:-2] + response
        else:
            sfi = response.find(b"\x88\x01")
            if response[:1] == b"\x62" and sfi > 0 and self._ef:
                self._into.short[response[sfi + 2] >> 3] = self._ef


def _key(header: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Commands that mean the same have one key: a control reference template has no order."""
    if header[1] == 0x22 and len(data) == 6:
        data = b"".join(sorted((data[:3], data[3:])))
    return header, data


def recorded(layout: str, conduct: Conduct | None = None) -> RecordedCard:
    """The card of a folder of transcripts.

    Args:
        layout: ``cps3-real`` or ``cps3-easy``.
        conduct: how it does what was not recorded.
    """
    return RecordedCard(sorted((TRANSCRIPTS / layout).glob("*.jsonl")), conduct)
