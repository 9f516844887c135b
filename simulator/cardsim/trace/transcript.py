"""The form in which exchanges are kept: one JSON object a line.

    {"t": 0.0021, "ctl": "power-on", "atr": "3BAC0040…"}
    {"t": 0.1619, "c": "00B09C000C", "r": "…9000", "m": "READ BINARY of EF.SN, …"}
    {"t": 0.1702, "c": "0020000108" + zeros, "r": "9000", "masked": true}

``t`` seconds since the beginning, ``c`` the command, ``r`` the response with its status word (empty: none came), ``m``
what they mean; ``masked``: secret bytes have been replaced by zeros. Other keys are let pass.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class TranscriptError(ValueError):
    """A transcript cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an exchange, or something done to the card.

    Args:
        seconds: since the beginning.
        control: ``insert``, ``remove``, ``power-on``, ``power-off``; None for an exchange.
        atr: with ``power-on``, where it is known.
        command, answer: of an exchange; secret bytes are zeros already.
        masked: whether there were any.
    """

    seconds: float
    control: str | None = None
    atr: bytes = b""
    command: bytes = b""
    answer: bytes = b""
    masked: bool = False

    def encode(self, meaning: str | None = None) -> str:
        """The line, without its end.

        Args:
            meaning: what goes under ``m``.
        """
        line: dict[str, object] = {"t": round(self.seconds, 4)}
        if self.control is not None:
            line["ctl"] = self.control
            if self.atr:
                line["atr"] = self.atr.hex().upper()
            return json.dumps(line)
        line |= {"c": self.command.hex().upper(), "r": self.answer.hex().upper()}
        if meaning is not None:
            line["m"] = meaning
        if self.masked:
            line["masked"] = True
        return json.dumps(line, ensure_ascii=False)

    @classmethod
    def decode(cls, line: str) -> Self:
        """Read a line.

        Raises: ``TranscriptError`` that says what is wrong with it; no byte of it is repeated.
        """
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TranscriptError("no JSON") from error
        if not isinstance(values, dict):
            raise TranscriptError("no JSON object")
        seconds = values.get("t", 0)
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise TranscriptError('"t" is no number')
        if "ctl" in values:
            return cls(seconds, str(values["ctl"]), _hex(values, "atr", required=False))
        masked = values.get("masked") is True
        return cls(seconds, command=_hex(values, "c"), answer=_hex(values, "r"), masked=masked)


def load(path: Path) -> tuple[Entry, ...]:
    """Read a transcript.

    Args:
        path: of the file.

    Raises: ``TranscriptError``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(f"{path} cannot be read: {error}") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(Entry.decode(line))
        except TranscriptError as error:
            raise TranscriptError(f"{path}:{number}: {error}") from error
    return tuple(entries)


def _hex(values: dict[str, object], key: str, *, required: bool = True) -> bytes:
    value = values.get(key)
    if value is None and not required:
        return b""
    if not isinstance(value, str):
        raise TranscriptError(f'"{key}" is missing or no string')
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise TranscriptError(f'"{key}" is not hexadecimal') from error
