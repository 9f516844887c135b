"""Faults written in a file: the same as on the command line, for a story of several.

[[fault]]
kind = "sw"          # one of the kinds of ``cardsim.faults``
at = 3               # at the third command
argument = "6F00"    # milliseconds, bytes and lengths are numbers; status words and profiles are strings
stays = false        # true: at every command from the third on
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from cardsim.faults import Fault, FaultSpecificationError
from cardsim.profiles.reader import Document, ProfileError, Table

if TYPE_CHECKING:
    from pathlib import Path

_KEY = "fault"
_LAST_COMMAND = 999_999


def load(path: Path) -> tuple[Fault, ...]:
    """Read a file of faults, in their order.

    Args:
        path: of the TOML file.

    Raises: ``FaultSpecificationError``: names the file, and the line at fault where it can be read.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FaultSpecificationError(f"{path} cannot be read: {error}") from error


def parse(text: str, file: str) -> tuple[Fault, ...]:
    """Make faults of TOML text.

    Args:
        text: the TOML.
        file: its name, for what is wrong with it.

    Raises: ``FaultSpecificationError``.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultSpecificationError(f"{file}: no TOML: {error}") from error
    try:
        top = Table(Document(file, text), "", values)
        faults = tuple(_fault(table) for table in top.tables(_KEY))
        top.finish()
    except ProfileError as error:  # the table reader's word for what it refuses
        raise FaultSpecificationError(str(error)) from error
    if not faults:
        raise FaultSpecificationError(f"{file}: no [[{_KEY}]] in it")
    return faults


def _fault(table: Table) -> Fault:
    kind = table.text("kind")
    at = table.number("at", 0, _LAST_COMMAND)
    stays = table.flag("stays", default=False)
    argument = table.optional_text_or_number("argument")
    table.finish()
    try:
        # By the text form: one set of rules says what a fault may be.
        return Fault.parse(f"{kind}@{at}{'+' if stays else ''}" + ("" if argument is None else f":{argument}"))
    except FaultSpecificationError as error:
        raise table.error(None, str(error)) from error
