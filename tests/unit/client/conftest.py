"""A private bus and a make-believe daemon on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from cardd.client import CarddClient
from tests.support.bus import PrivateBus
from tests.unit.client.fake import FakeDaemon


@pytest.fixture(scope="session")
def shared_bus() -> Iterator[PrivateBus]:
    with PrivateBus() as running:
        yield running


@pytest.fixture
def daemon(shared_bus: PrivateBus) -> Iterator[FakeDaemon]:
    with FakeDaemon(shared_bus.address) as running:
        yield running


@pytest.fixture
async def client(daemon: FakeDaemon) -> AsyncIterator[CarddClient]:
    async with await CarddClient.connect(daemon.address) as connected:
        yield connected
