"""GET CHALLENGE."""

from __future__ import annotations

import pytest

from tests.unit.simulator.host import Host


def test_eight_bytes_each_time_others(host: Host) -> None:
    """Two challenges differ."""
    first, second = host.send("0084000008"), host.send("0084000008")
    assert len(first) == len(second) == 2 * (8 + 2)
    assert first.endswith("9000")
    assert first != second


@pytest.mark.parametrize(
    ("command", "sw"),
    [("0084000010", "6C08"), ("0084000000", "6C08"), ("0084010008", "6A86"), ("0084000001AA", "6700")],
)
def test_refusals(host: Host, command: str, sw: str) -> None:
    """No other number of bytes."""
    assert host.send(command) == sw
