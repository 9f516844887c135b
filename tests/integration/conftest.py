"""What the integration tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.running import Running, running_cardd
from tests.support.untimed import untimed

untimed()


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    """A cardd on a private bus, with an empty simulated reader; one for each file of tests."""
    with running_cardd() as running:
        yield running
