"""What the tests of tokens share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from tests.unit.tokens.support import open_registry


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[SqliteTokenRegistry]:
    """A new registry in a file."""
    opened = await open_registry(tmp_path)
    yield opened
    await opened.close()
