"""The layouts that a profile can name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cardsim.layouts import cps3, cps3_easy, cps4
from cardsim.layouts.layout import Layout

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        each.name: each
        for each in (cps3.LAYOUT, cps3_easy.LAYOUT, cps4.LAYOUT, cps4.RELEASE_CANDIDATE_LAYOUT, cps4.T0_LAYOUT)
    }
)
"""By name."""
STANDARD_LAYOUT = cps3.LAYOUT
