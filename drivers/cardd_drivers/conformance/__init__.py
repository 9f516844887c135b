"""The tests that every driver passes, for the author of one; docs/drivers.md shows their use.

They need pytest and hypothesis, which cardd itself does not: ``pip install cardd[testing]``.
"""

from __future__ import annotations

import pytest

# Their assertions are told in full, as those of a test file are; before pytest has seen the modules.
for _part in ("bench", "hostile", "interruptions", "keys", "memory", "pins", "recognition"):
    pytest.register_assert_rewrite(f"{__name__}.{_part}")

from cardd_drivers.conformance.hostile import HostileTests  # noqa: E402
from cardd_drivers.conformance.interruptions import InterruptionTests  # noqa: E402
from cardd_drivers.conformance.keys import KeyTests  # noqa: E402
from cardd_drivers.conformance.memory import MemoryTests  # noqa: E402
from cardd_drivers.conformance.pins import PinTests  # noqa: E402
from cardd_drivers.conformance.recognition import RecognitionTests  # noqa: E402
from cardd_drivers.conformance.subject import Subject  # noqa: E402

__all__ = ["DriverConformance", "Subject"]


class DriverConformance(RecognitionTests, MemoryTests, PinTests, KeyTests, InterruptionTests, HostileTests):
    """Inherit it in a class ``Test…`` and give it a fixture ``subject`` that returns a `Subject`, new for each test."""
