"""What introspection shows of an interface: its members as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Emits(StrEnum):
    """What a change of a property sends (org.freedesktop.DBus.Property.EmitsChangedSignal)."""

    TRUE = "true"
    INVALIDATES = "invalidates"
    CONST = "const"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a method or signal.

    Args:
        name: as introspection shows it.
        signature: one complete type.
    """

    name: str
    signature: str


@dataclass(frozen=True, slots=True)
class MethodDeclaration:
    """A method as introspection shows it.

    Args:
        name: on the bus.
        inputs: arguments that it takes.
        outputs: arguments that it returns.
        attribute: Python name of the handler, empty for those of the standard interfaces.
    """

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attribute: str = ""

    @property
    def takes(self) -> str:
        """Signature of what it takes."""
        return "".join(argument.signature for argument in self.inputs)

    @property
    def returns(self) -> str:
        """Signature of what it returns."""
        return "".join(argument.signature for argument in self.outputs)


@dataclass(frozen=True, slots=True)
class PropertyDeclaration:
    """A property as introspection shows it; all are read-only.

    Args:
        name: on the bus.
        signature: one complete type.
        emits: what its change sends.
        attribute: Python name of the getter.
    """

    name: str
    signature: str
    emits: Emits
    attribute: str


@dataclass(frozen=True, slots=True)
class SignalDeclaration:
    """A signal as introspection shows it.

    Args:
        interface: that it belongs to.
        name: on the bus.
        arguments: what it carries.
    """

    interface: str
    name: str
    arguments: tuple[Argument, ...]

    @property
    def signature(self) -> str:
        """Signature of the body."""
        return "".join(argument.signature for argument in self.arguments)


@dataclass(frozen=True, slots=True)
class Declaration:
    """An interface as introspection shows it, its members by name."""

    name: str
    methods: Mapping[str, MethodDeclaration]
    properties: Mapping[str, PropertyDeclaration]
    signals: Mapping[str, SignalDeclaration]


def arguments(**signatures: str) -> tuple[Argument, ...]:
    """Arguments by name, for declarations that are data."""
    return tuple(Argument(name, signature) for name, signature in signatures.items())
