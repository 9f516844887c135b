"""What the log may say of an unforeseen failure: its kind and place, never a value.

A traceback quotes source and exception texts, and those quote arguments: a PIN would be one `ValueError` away from
the journal.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import PurePath


def describe(error: BaseException) -> str:
    """The types of a failure and of its causes, each with the places it passed, innermost last."""
    return " <- ".join(f"{type(found).__qualname__} at {_places(found)}" for found in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _places(error: BaseException) -> str:
    frames = traceback.walk_tb(error.__traceback__)
    places = [f"{_module(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}" for frame, line in frames]
    return " > ".join(places) or "an unknown place"


def _module(filename: str) -> str:
    """The last two parts of a path: enough to find it, nothing of where it is installed."""
    return "/".join(PurePath(filename).parts[-2:])
