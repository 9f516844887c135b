"""Between D-Bus variants and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbus_next.signature import Variant

from cardd.bus.wire import variant

Option = bool | int | str | bytes | Sequence[str]
Options = Mapping[str, Option | Variant]
"""Options of a method, as plain values."""


def wrapped(options: Options) -> dict[str, Variant]:
    """Options as an a{sv} is sent; what is a variant already goes as it is."""
    return {
        name: value if isinstance(value, Variant) else variant(_signature(value), value)
        for name, value in options.items()
    }


def _signature(value: Option) -> str:
    """The D-Bus type that options of such a value have."""
    for kind, signature in ((bool, "b"), (int, "u"), (str, "s"), (bytes, "ay")):
        if isinstance(value, kind):
            return signature
    return "as"


def unwrapped(value: Any) -> Any:
    """A decoded value without its variants."""
    if isinstance(value, Variant):
        return unwrapped(value.value)
    if isinstance(value, dict):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value
