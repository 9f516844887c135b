"""Reading a source's table of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cardd_drivers.token_source import SourceUnusable


def require_known(table: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse keys that nobody reads.

    Raises:
        SourceUnusable: with the key.
    """
    for key in table:
        if key not in known:
            raise SourceUnusable(f"there is no key {key} (known: {', '.join(sorted(known))})")


def absolute_path(table: Mapping[str, Any], key: str) -> Path:
    """A path that must be there.

    Raises:
        SourceUnusable: it is missing, or not absolute.
    """
    value = table.get(key)
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise SourceUnusable(f"{key} must be an absolute path")
    return Path(value)


def text(table: Mapping[str, Any], key: str, default: str) -> str:
    """Printable text of 1 to 64 characters.

    Raises:
        SourceUnusable: it is none.
    """
    value = table.get(key, default)
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= 64:
        raise SourceUnusable(f"{key} must be a printable text of 1 to 64 characters")
    return value


def seconds(table: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """A number of seconds within bounds.

    Raises:
        SourceUnusable: it is none.
    """
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SourceUnusable(f"{key} must be a number of seconds from {low:g} to {high:g}")
    return float(value)
