"""Names with "*" in them, and finding quickly which of a thousand fit a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

_STAR: Final = "*"
_REMEMBERED: Final = 256
_GRAM: Final = 4


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

    A pattern with "*" is filed under four characters that a name must have to fit it, the rarest among all patterns; so
    a name is held against the few patterns that are filed under something in it.

    Args:
        masks: bits by pattern.
    """

    def __init__(self, masks: Mapping[str, int]) -> None:
        self._exact = {pattern: mask for pattern, mask in masks.items() if _STAR not in pattern}
        self._masks = masks
        self._found: dict[str, int] = {}
        starred = [pattern for pattern in masks if _STAR in pattern]
        rarity = Counter(gram for pattern in starred for gram in _grams_of_parts(pattern))
        self._filed: dict[str, list[str]] = {}
        self._unfiled: list[str] = []
        """Of patterns whose parts are all shorter."""
        for pattern in starred:
            gram = min(_grams_of_parts(pattern), key=rarity.__getitem__, default=None)
            (self._unfiled if gram is None else self._filed.setdefault(gram, [])).append(pattern)

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
        for pattern in (
            *self._unfiled,
            *(one for gram in self._filed.keys() & _grams(name) for one in self._filed[gram]),
        ):
            if fits(pattern, name):
                found |= self._masks[pattern]
        return found


def _grams(text: str) -> set[str]:
    """Every four characters in a row."""
    return {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}


def _grams_of_parts(pattern: str) -> set[str]:
    """Those that every name of the pattern has."""
    return {gram for part in pattern.split(_STAR) for gram in _grams(part)}
