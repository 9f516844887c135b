"""A table [[drivers.pkcs11]]: what it says, and what is refused of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cardd_drivers.pkcs11.settings import Settings
from cardd_drivers.token_source import SourceUnusable


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file where a module would be."""
    path = tmp_path / "libexample.so"
    path.touch()
    return path


def test_a_module_alone_is_enough(module: Path) -> None:
    assert Settings.parse({"module": str(module)}) == Settings(module, "example", (), {}, 2.0)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"module": "lib.so"}, "module must be an absolute path"),
        ({"module": "/no/such.so"}, "there is no file /no/such.so"),
        ({"slot": 1}, "there is no key slot"),
        ({"slots": [-1]}, "slots must be a list"),
        ({"slots": [True]}, "slots must be a list"),
        ({"poll": 0}, "poll must be a number of seconds"),
        ({"name": ""}, "name must be a printable text"),
        ({"environment": {"A": 1}}, "environment must be a table of strings"),
    ],
)
def test_what_cannot_be_used_is_named(module: Path, table: dict[str, Any], problem: str) -> None:
    with pytest.raises(SourceUnusable, match=problem):
        Settings.parse({"module": str(module), **table})
