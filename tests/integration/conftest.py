"""What the integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.matrix import TALLY
from tests.support.running import Running, running_cardd
from tests.support.untimed import untimed

untimed()


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    """A cardd on a private bus, with an empty simulated reader; one for each file of tests."""
    with running_cardd() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the size and the result of the fault matrix, where it was run."""
    if TALLY.cells:
        terminalreporter.section("fault matrix")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
