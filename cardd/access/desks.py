"""Which login sessions have nobody in front of them, as far as that was told."""

from __future__ import annotations

import enum


class Away(enum.Enum):
    """Why nobody is there."""

    LOCKED = enum.auto()
    SWITCHED = enum.auto()
    """Another login session has the seat."""


class Desks:
    """Remembers who is away, until the same sort of news says that he is back."""

    def __init__(self) -> None:
        self._away: set[tuple[str, Away]] = set()

    def leave(self, session_id: str, why: Away) -> None:
        """Nobody is in front of a login session now."""
        self._away.add((session_id, why))

    def come_back(self, session_id: str, why: Away) -> None:
        """That reason is over."""
        self._away.discard((session_id, why))

    def forget_all(self) -> None:
        """Whoever told of them is gone."""
        self._away.clear()

    def is_away(self, session_id: str | None) -> bool:
        """Whether nobody is in front of a login session; of no login session nothing is known."""
        return any((session_id, why) in self._away for why in Away)
