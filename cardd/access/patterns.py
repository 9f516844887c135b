"""Names with "*" in them, and finding quickly which of a thousand fit a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_STAR: Final = "*"
_REMEMBERED: Final = 256


def fits(pattern: str, name: str) -> bool:
    """Whether a name is that of the pattern, in which "*" stands for anything, also for nothing.

    In linear time, whatever the pattern: each part is taken where it first comes.
    """
    first, *middle = pattern.split(_STAR)
    if not middle:
        return name == first
    *middle, last = middle
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


class PatternIndex:
    """For each name, the union of the bit masks whose pattern it fits.

    Args:
        masks: bits by pattern.
    """

    def __init__(self, masks: Mapping[str, int]) -> None:
        self._exact = {pattern: mask for pattern, mask in masks.items() if _STAR not in pattern}
        # By their longest plain part: that the name lacks it settles most patterns in some 30 ns.
        self._starred = [(max(pattern.split(_STAR), key=len), pattern) for pattern in masks if _STAR in pattern]
        self._masks = masks
        self._found: dict[str, int] = {}

    def find(self, name: str) -> int:
        """The bits of all patterns that a name fits."""
        found = self._found.get(name)
        if found is None:
            found = self._search(name)
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[name] = found
        return found

    def _search(self, name: str) -> int:
        found = self._exact.get(name, 0)
        for pattern in [pattern for part, pattern in self._starred if part in name]:
            if fits(pattern, name):
                found |= self._masks[pattern]
        return found
