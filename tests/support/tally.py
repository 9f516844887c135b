"""How many cells of the fault matrix were tried, and how they came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Cells that were tried, by operation; printed at the end of a run."""

    cells: Counter[str] = field(default_factory=Counter)
    red: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, dict[str, int] | list[str]]:
        """What one process sends to another."""
        return {"cells": dict(self.cells), "red": self.red}

    def add(self, data: dict[str, Any]) -> None:
        """Count what another process tried."""
        self.cells.update(data["cells"])
        self.red.extend(data["red"])

    def lines(self) -> Iterator[str]:
        """What is printed."""
        total = sum(self.cells.values())
        yield f"{total} cells, {total - len(self.red)} green, {len(self.red)} red"
        for what, count in sorted(self.cells.items()):
            yield f"  {what}: {count}"
        yield from (f"  RED {cell}" for cell in self.red)


TALLY = Tally()
