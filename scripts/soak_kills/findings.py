"""What a soak finds."""

from __future__ import annotations

from collections.abc import Iterable


class Findings:
    """Sentences, each about one thing that must not be."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.kill = 0
        """After which kill it is found."""

    def add(self, sentence: str) -> None:
        """Tell one."""
        self.told.append(f"after kill {self.kill}: {sentence}")

    def missing(self, what: str, promised: Iterable[str], kept: set[str]) -> None:
        """Tell what was promised and is not kept."""
        if lost := sorted(set(promised) - kept):
            self.add(f"{len(lost)} {what} were handed out and are not kept, for instance {lost[0]}")
