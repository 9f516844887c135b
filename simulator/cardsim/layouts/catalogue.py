"""The layouts that a profile can name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cardsim.layouts import cps3, cps3_easy
from cardsim.layouts.layout import Layout

LAYOUTS: Mapping[str, Layout] = MappingProxyType({each.name: each for each in (cps3.LAYOUT, cps3_easy.LAYOUT)})
"""By name."""
STANDARD_LAYOUT = cps3.LAYOUT
