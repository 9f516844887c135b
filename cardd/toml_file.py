"""TOML files: read within a bound, as UTF-8, and where things stand in them, which the standard library does not tell.

To find lines, the text is read as TOML 1.0 reads it as far as strings and comments go, so that what looks like a header
inside a string is not taken for one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SIZE_MAX: Final = 1 << 20
_DELIMITERS: Final = ('"""', "'''", '"', "'")
_HEADER: Final = re.compile(r"\s*\[\[?\s*([^\[\]#]+?)\s*\]")
_KEY: Final = re.compile(r"\s*(?:\"([^\"\\]*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*[.=]")


class TomlUnusable(Exception):
    """A text is no TOML, or cannot be read; the exception's text says why, to be put behind the file's name."""


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """What a file holds.

    Args:
        table: its values.
        lines: where they stand.
    """

    table: Mapping[str, Any]
    lines: Lines


def read_toml(file: Path) -> TomlDocument:
    """Read a file of at most `SIZE_MAX` bytes.

    Raises:
        TomlUnusable: it cannot be read, is too large, no UTF-8 or no TOML.
    """
    try:
        with file.open("rb") as reading:
            raw = reading.read(SIZE_MAX + 1)
    except OSError as error:
        raise TomlUnusable(f"cannot be read ({error.strerror})") from error
    if len(raw) > SIZE_MAX:
        raise TomlUnusable(f"is larger than {SIZE_MAX} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TomlUnusable(f"is not UTF-8 at byte {error.start}") from error
    return parse_toml(text)


def parse_toml(text: str) -> TomlDocument:
    """Read a text; raises TomlUnusable: it is no TOML."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlUnusable(f"is no valid TOML: {error}") from error
    except RecursionError:
        raise TomlUnusable("is nested too deeply") from None
    return TomlDocument(table, Lines(text))


class Lines:
    """Finds headers and keys in a text that is valid TOML.

    Args:
        text: of the file.
    """

    def __init__(self, text: str) -> None:
        self._lines = _outside_of_strings(text)
        self._headers = [
            (number, _plain(found.group(1))) for number, line in self._lines if (found := _HEADER.match(line))
        ]
        self._by_name: dict[str, list[int]] = {}
        for number, name in self._headers:
            self._by_name.setdefault(name, []).append(number)

    def header(self, name: str, position: int = 0) -> int | None:
        """The line of the table's header of that name, or of one of several ("[[name]]"), by position from 0."""
        found = self._by_name.get(name, ())
        return found[position] if position < len(found) else None

    def key(self, key: str, header: int | None) -> int | None:
        """The line on which a key of a table begins.

        Args:
            key: its name.
            header: the line of the table's header; None for what stands before all tables.
        """
        start = header or 0
        end = min((number for number, _ in self._headers if number > start), default=None)
        for number, line in self._lines:
            if number <= start or (end is not None and number >= end):
                continue
            found = _KEY.match(line)
            if found is not None and key in found.groups():
                return number
        return None


def _plain(name: str) -> str:
    """A header's name without the quotes that its parts may have."""
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _outside_of_strings(text: str) -> list[tuple[int, str]]:
    """The lines that do not begin inside a string, with their numbers from 1."""
    outside: list[tuple[int, str]] = []
    inside: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if inside is None:
            outside.append((number, line))
        inside = _state_after(line, inside)
    return outside


def _state_after(line: str, inside: str | None) -> str | None:
    """The delimiter of the string that is open at the end of a line, None where none is."""
    position = 0
    while position < len(line):
        if inside is None:
            if line[position] == "#":
                return None
            inside = next((one for one in _DELIMITERS if line.startswith(one, position)), None)
            position += len(inside) if inside is not None else 1
        elif inside[0] == '"' and line[position] == "\\":
            position += 2
        elif line.startswith(inside, position):
            position += len(inside)
            inside = None
        else:
            position += 1
    # Strings of one line end with it, in valid TOML.
    return inside if inside is not None and len(inside) == 3 else None
