"""What every run of the tests tells at its end: by how many processes it ran makes no difference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.tally import TALLY


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send this process's share to the one that prints, where pytest-xdist has made several."""
    sent: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if sent is not None:
        sent["fault matrix"] = TALLY.as_data()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a process's share; one that died has sent none."""
    sent: dict[str, Any] = getattr(node, "workeroutput", {})
    if "fault matrix" in sent:
        TALLY.add(sent["fault matrix"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the size and the result of the fault matrix, where it was run."""
    if TALLY.cells:
        terminalreporter.section("fault matrix")
        for line in TALLY.lines():
            terminalreporter.write_line(line)
