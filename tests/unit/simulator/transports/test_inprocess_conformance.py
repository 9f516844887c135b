"""The in-process stack passes the tests that the real pcscd passes."""

from __future__ import annotations

import pytest

from cardsim.transports.inprocess import InProcessPcsc
from tests.support.pcsc_conformance import Bench, PcscConformance


class TestInProcessConformance(PcscConformance):
    """See ``PcscConformance``."""

    @pytest.fixture
    def bench(self) -> Bench:
        """A stack with one reader."""
        stack = InProcessPcsc()
        return Bench(stack, "Simulated 00 00", stack.add_reader("Simulated 00 00"))
