"""Between D-Bus variants and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbus_next.signature import Variant

from cardd.bus.wire import variant

Options = Mapping[str, bool]
"""Options of a method, as plain values."""


def wrapped(options: Options) -> dict[str, Variant]:
    """Options as an a{sv} is sent."""
    return {name: variant("b", value) for name, value in options.items()}


def unwrapped(value: Any) -> Any:
    """A decoded value without its variants."""
    if isinstance(value, Variant):
        return unwrapped(value.value)
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value
