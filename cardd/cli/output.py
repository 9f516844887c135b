"""What is shown: for people or, with --json, one JSON document a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from cardd.cli import plain_pages
from cardd.cli.wording import clean

Row = tuple[str, str]
"""A label and what it says; markup is never read from either."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and rows beneath it."""

    heading: str
    rows: tuple[Row, ...] = ()


class Output:
    """Where a command's result goes.

    Args:
        as_json: JSON instead of text.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, content: Mapping[str, Any]) -> None:
        """Write the JSON document; nothing for people."""
        if self.as_json:
            print(json.dumps(plain(content), ensure_ascii=False), flush=True)

    def line(self, text: str, *, style: str = "") -> None:
        """Write a line for people."""
        if not self.as_json:
            _pages().line(text, style)

    def marked(self, mark: str, style: str, text: str) -> None:
        """Write a line for people behind a coloured mark; what is too long goes on below the text."""
        if not self.as_json:
            _pages().marked(mark, style, clean(text))

    def sections(self, sections: Iterable[Section]) -> None:
        """Write headings and rows for people."""
        if not self.as_json:
            for section in sections:
                _pages().section(clean(section.heading), [(label, clean(text)) for label, text in section.rows])

    @staticmethod
    def complain(text: str) -> None:
        """Write a line to the standard error."""
        print(text, file=sys.stderr, flush=True)


def plain(value: Any) -> Any:
    """Turn dataclasses, times and mappings into what JSON has; private fields are left out."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if not one.name.startswith("_")}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _pages() -> ModuleType:
    if not sys.stdout.isatty():
        return plain_pages
    from cardd.cli import pages  # noqa: PLC0415  # rich is slow to import, and only a terminal needs it

    return pages
