"""A table ``[[drivers.pkcs11]]`` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardd_drivers.isolated.table import absolute_path, require_known, seconds, text
from cardd_drivers.token_source import SourceUnusable

_KEYS = ("module", "name", "slots", "environment", "poll")


@dataclass(frozen=True, slots=True)
class Settings:
    """A PKCS#11 module.

    Args:
        module: the shared object.
        name: of the module, in names of places and in logs.
        slots: CK_SLOT_ID of those that are looked at; empty: all.
        environment: variables of the module's processes.
        poll: seconds between two looks, where the module cannot tell of changes.
    """

    module: Path
    name: str
    slots: tuple[int, ...]
    environment: Mapping[str, str]
    poll: float

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Settings:
        """Read a table.

        Raises:
            SourceUnusable: which key cannot be used, and why.
        """
        require_known(table, _KEYS)
        module = absolute_path(table, "module")
        if not module.is_file():
            raise SourceUnusable(f"module: there is no file {module}")
        return cls(
            module=module,
            name=text(table, "name", module.name.removesuffix(".so").removeprefix("lib")),
            slots=_slots(table.get("slots", [])),
            environment=_environment(table.get("environment", {})),
            poll=seconds(table, "poll", 2.0, 0.1, 3600),
        )


def _slots(value: Any) -> tuple[int, ...]:  # TOML
    good = isinstance(value, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 1 << 64 for one in value
    )
    if not good:
        raise SourceUnusable("slots must be a list of slot numbers, as `pkcs11-tool --list-slots` tells them")
    return tuple(value)


def _environment(value: Any) -> dict[str, str]:  # TOML
    if not isinstance(value, dict) or not all(isinstance(one, str) and "\0" not in one for one in value.values()):
        raise SourceUnusable("environment must be a table of strings")
    return dict(value)
