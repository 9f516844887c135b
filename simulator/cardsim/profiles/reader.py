"""TOML tables read key by key: every fault names the file, the line and the key."""

from __future__ import annotations

import enum
import re
from typing import TypeVar

E = TypeVar("E", bound=enum.Enum)


class ProfileError(ValueError):
    """A profile is refused.

    Args:
        file: the file's name.
        line: line number from 1, or None where it is not known.
        reason: which key, and what is wrong. Never the value of a PIN or PUK.
    """

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class Document:
    """A TOML text with its file name, to say where a key stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = text.splitlines()

    def line_of(self, table: str, occurrence: int, key: str | None) -> int | None:
        """Line of a key in a table, of the table's header when the key is None or not found."""
        header_line, seen, inside = (None if table else 1), -1, not table
        for number, line in enumerate(self._lines, start=1):
            header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
            if header:
                seen += header[1] == table
                inside = header[1] == table and seen == occurrence
                header_line = number if inside else header_line
            elif inside and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return header_line


class Table:
    """One table; keys are taken out of it, and what is left at the end is unknown.

    Args:
        document: where it stands.
        name: dotted name; empty for the top level.
        values: the parsed table.
        occurrence: which of several tables of that name.
    """

    def __init__(self, document: Document, name: str, values: dict[str, object], occurrence: int = 0) -> None:
        self._document = document
        self._name = name
        self._values = dict(values)
        self._occurrence = occurrence

    def error(self, key: str | None, reason: str) -> ProfileError:
        """A fault of this table, or of one of its keys."""
        line = self._document.line_of(self._name, self._occurrence, key)
        where = ".".join(part for part in (self._name, key) if part)
        return ProfileError(self._document.file, line, f"{where}: {reason}" if where else reason)

    def optional_text(self, key: str, pattern: str = r".{1,64}", meaning: str = "1 to 64 characters") -> str | None:
        """A string that matches ``pattern`` as a whole, or None where the key is absent.

        Raises:
            ProfileError: another type or form; the value is not repeated.
        """
        if key not in self._values:
            return None
        value = self._values.pop(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.error(key, f"must be a string: {meaning}")
        return value

    def text(self, key: str, pattern: str = r".{1,64}", meaning: str = "1 to 64 characters") -> str:
        """The same, required."""
        value = self.optional_text(key, pattern, meaning)
        if value is None:
            raise self.error(key, "is missing")
        return value

    def optional_text_or_number(self, key: str) -> str | int | None:
        """A string or an integer, or None where the key is absent.

        Raises:
            ProfileError: another type.
        """
        value = self._values.pop(key, None)
        if value is None or (isinstance(value, (str, int)) and not isinstance(value, bool)):
            return value
        raise self.error(key, "must be a string or an integer")

    def optional_number(self, key: str, low: int, high: int) -> int | None:
        """An integer from ``low`` to ``high``, or None where the key is absent.

        Raises:
            ProfileError: another type or value.
        """
        if key not in self._values:
            return None
        value = self._values.pop(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(key, f"must be an integer from {low} to {high}")
        return value

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """The same, required unless there is a default."""
        value = self.optional_number(key, low, high)
        value = default if value is None else value
        if value is None:
            raise self.error(key, "is missing")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean.

        Raises:
            ProfileError: another type.
        """
        value = self._values.pop(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def choice(self, key: str, choices: type[E], default: E) -> E:
        """One of an enumeration's string values.

        Raises:
            ProfileError: another value; the possible ones are listed.
        """
        value = self._values.pop(key, default.value)
        found = next((member for member in choices if member.value == value), None)
        if found is None:
            raise self.error(key, "must be one of " + ", ".join(str(member.value) for member in choices))
        return found

    def table(self, key: str) -> Table:
        """A sub-table; an absent one is empty.

        Raises:
            ProfileError: it is no table.
        """
        value = self._values.pop(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return Table(self._document, key, value)

    def tables(self, key: str) -> list[Table]:
        """An array of tables; an absent one is empty.

        Raises:
            ProfileError: it is no array of tables.
        """
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"must be an array of tables: [[{key}]]")
        return [Table(self._document, key, item, place) for place, item in enumerate(value)]

    def finish(self) -> None:
        """Refuse what was not taken.

        Raises:
            ProfileError: names the first unknown key.
        """
        for key in self._values:
            raise self.error(key, "unknown key")
