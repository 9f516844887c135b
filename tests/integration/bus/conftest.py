"""A bus for each test, and the gadget service on it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.bus import PrivateBus
from tests.support.gadget import Served


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    """A dbus-daemon with the limits of a system bus."""
    with PrivateBus() as one:
        yield one


@pytest.fixture
async def served(bus: PrivateBus) -> AsyncIterator[Served]:
    """The gadget service."""
    async with Served(bus.address) as one:
        yield one
