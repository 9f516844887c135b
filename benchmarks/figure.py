"""One figure, and how it is told."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value beside what it is compared with.

    Args:
        name: as in docs/figures.md.
        value: measured.
        unit: of both values.
        reference: what `reference_value` is: a goal, a floor, or a peer measured in the same run.
        reference_value: in the same unit.
        note: what else a reader should know, possibly empty.
    """

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Value to reference; None where the reference is nothing."""
        return self.value / self.reference_value if self.reference_value else None

    def line(self) -> str:
        """As one JSON object."""
        ratio = None if self.ratio is None else round(self.ratio, 3)
        return json.dumps({**asdict(self), "value": round(self.value, 3), "ratio": ratio}, ensure_ascii=False)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share (0 to 1) of the values lies; linear between neighbours."""
    if len(values) == 1:
        return values[0]
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    return cuts[min(len(cuts) - 1, max(0, round(share * 1000) - 1))]
