"""Strings that strangers wrote, made fit to be shown to a user who decides by them.

A title or an application's name may hold terminal escapes, characters that turn the direction of writing, invisible
ones, or a megabyte. What is removed leaves a mark, so that the user sees that something was there.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LENGTH_MAX: Final = 120
"""Characters, by default: a line of a dialogue."""

MARK: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for whatever was taken out."""

_ELLIPSIS: Final = "…"
_MARKS_IN_A_ROW: Final = 3
"""Combining characters upon one letter; Vietnamese and pointed Hebrew need two or three, "zalgo" text has dozens."""
_LOOKED_AT: Final = 8
"""How many times the shown length is read at most: the rest of a megabyte is not even looked at."""

# ECMA-48, 5.4 (control sequences) and 5.6 (control strings, which end with ST or, as xterm has it, with BEL).
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_MARKS: Final = re.compile(f"{MARK}+")

# Controls, formats (bidirectional, zero width, tags), surrogates, private use, unassigned, separators of lines.
_NEVER_SHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters by category, and blank or filling in every font: HANGUL fillers, BRAILLE BLANK, COMBINING GRAPHEME JOINER,
# KHMER inherent vowels, MONGOLIAN and other variation selectors (which change nothing that a title needs).
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f") | frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_BREAKS: Final = frozenset("\t\n\r\v\f")


def clean(text: str, limit: int = LENGTH_MAX) -> str:
    """Make one line of plain text of it.

    Args:
        text: from anybody.
        limit: characters of the result, at least 1; a longer text ends in an ellipsis.

    Returns:
        Printable characters and single spaces, in NFC, with a mark where something was removed.
    """
    looked_at = text[: limit * _LOOKED_AT]
    plain = _ESCAPES.sub(MARK, looked_at)
    shown = "".join(_shown(character) for character in unicodedata.normalize("NFC", plain))
    line = " ".join(_MARKS.sub(MARK, _without_piles(shown)).split())
    if len(line) > limit or len(text) > len(looked_at):
        return line[: limit - 1].rstrip() + _ELLIPSIS
    return line


def _shown(character: str) -> str:
    if character in _BREAKS:
        return " "
    category = unicodedata.category(character)
    if category in _NEVER_SHOWN or character in _INVISIBLE:
        return MARK
    return " " if category == "Zs" else character


def _without_piles(text: str) -> str:
    """Without the combining characters that come after too many others, and those that have no letter to stand on."""
    kept: list[str] = []
    in_a_row = _MARKS_IN_A_ROW  # nothing to stand on yet
    for character in text:
        combining = unicodedata.category(character) in ("Mn", "Me")
        in_a_row = in_a_row + 1 if combining else 0
        kept.append(MARK if combining and in_a_row > _MARKS_IN_A_ROW else character)
    return "".join(kept)
