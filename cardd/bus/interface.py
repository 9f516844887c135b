"""How a D-Bus interface is declared: a class, its methods, properties and signals.

    class Counter(Interface):
        name = "org.example.Counter"
        reached = Signal("u", names=("count",))

        @method("ua{sv}", "u", out_names=("count",))
        async def add(self, call: Call, amount: int, options: Options) -> int: ...

        @dbus_property("u")
        def count(self) -> int: ...

A name on the bus is the Python name in camel case unless another is given.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from cardd.access.caller import Caller
from cardd.bus.declaration import (
    Argument,
    Declaration,
    Emits,
    MethodDeclaration,
    PropertyDeclaration,
    SignalDeclaration,
)
from cardd.bus.descriptors import OwnedFd
from cardd.bus.syntax import Malformed, is_interface_name, is_member_name, split_signature
from cardd.bus.wire import Variant, variant
from cardd.errors import CarddError

__all__ = [
    "Call",
    "Emits",
    "Interface",
    "Options",
    "OwnedFd",
    "Signal",
    "Variant",
    "dbus_property",
    "method",
    "variant",
]

Options = Mapping[str, Variant]
"""The `a{sv}` that ends every method that acts."""

Guard = Callable[[], CarddError | None]

_ATTRIBUTE = "__dbus_method__"

S = TypeVar("S", bound="Interface")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """What a method's handler is told about the call, beside its arguments.

    Args:
        sender: unique name of the calling connection.
        caller: who that is, by the bus and the kernel.
        path: object that was called.
        interface: interface of the method.
        member: the method.
        no_reply: whether the caller waits for no answer.
        interactive: whether the caller set ALLOW_INTERACTIVE_AUTHORIZATION.
        guard: asked at the moment when the result's first byte leaves for the bus, also after having waited in a
            queue. An error that it returns leaves instead. Set it before anything can end what the result stands for.
    """

    sender: str
    caller: Caller
    path: str
    interface: str
    member: str
    no_reply: bool = False
    interactive: bool = False
    guard: Guard | None = None


class Signal:
    """Declares a signal on an interface class; the class attribute is then its `SignalDeclaration`.

    Args:
        signature: of the body.
        names: of its arguments.
        name: on the bus, the Python name in camel case by default.

    Raises:
        ValueError: signature and names do not fit.
    """

    def __init__(self, signature: str = "", *, names: Sequence[str] = (), name: str | None = None) -> None:
        self._arguments = _arguments(signature, names)
        self._name = name
        self._declared: SignalDeclaration | None = None

    def __set_name__(self, owner: type[Interface], attribute: str) -> None:
        self._declared = SignalDeclaration(owner.name, _member(self._name or camel_case(attribute)), self._arguments)

    def __get__(self, instance: Interface | None, owner: type[Interface]) -> SignalDeclaration:
        if self._declared is None:
            raise AttributeError("a signal is declared on an interface class")
        return self._declared


class _Property(Generic[S, T]):
    """A read-only property; what `dbus_property` makes of a getter."""

    def __init__(self, getter: Callable[[S], T], signature: str, emits: Emits, name: str | None) -> None:
        if len(_split(signature)) != 1:
            raise ValueError("a property has exactly one complete type")
        if inspect.iscoroutinefunction(getter):
            raise TypeError("a property's getter is synchronous and cheap")
        self._getter = getter
        self._signature = signature
        self._emits = emits
        self._name = name
        self.__doc__ = getter.__doc__

    def __set_name__(self, owner: type[Interface], attribute: str) -> None:
        name = _member(self._name or camel_case(attribute))
        self.declared = PropertyDeclaration(name, self._signature, self._emits, attribute)

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Self: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> T: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Self | T:
        return self if instance is None else self._getter(instance)


class Interface:
    """Base of the interface classes.

    Attributes:
        name: the interface's name on the bus, given by each subclass.
        declaration: its members, filled in for each subclass.

    Raises:
        ValueError: (when a subclass is made) no valid name, or two members of one name.
    """

    name: ClassVar[str]
    declaration: ClassVar[Declaration]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not is_interface_name(cls.name):
            raise ValueError(f"{cls.__name__}: no valid interface name")
        members = [value for base in reversed(cls.__mro__) for value in vars(base).values()]
        methods = [getattr(value, _ATTRIBUTE) for value in members if hasattr(value, _ATTRIBUTE)]
        properties = [value.declared for value in members if isinstance(value, _Property)]
        signals = [value.__get__(None, cls) for value in members if isinstance(value, Signal)]
        cls.declaration = Declaration(cls.name, _by_name(methods), _by_name(properties), _by_name(signals))


def method(
    takes: str = "",
    returns: str = "",
    *,
    in_names: Sequence[str] | None = None,
    out_names: Sequence[str] = (),
    name: str | None = None,
) -> Callable[[Callable[Concatenate[S, Call, P], Awaitable[T]]], Callable[Concatenate[S, Call, P], Awaitable[T]]]:
    """Make a coroutine function a D-Bus method.

    It gets the `Call` and one value an argument, descriptors as `OwnedFd` that close when the call ends unless taken,
    and returns None, one value, or a tuple where there are several. What it raises answers the call: a `CarddError`
    as itself, anything else as Internal.

    Args:
        takes: signature of the arguments.
        returns: signature of the result.
        in_names: names of the arguments, the Python parameters' by default.
        out_names: names of the result's parts.
        name: on the bus, the Python name in camel case by default.

    Raises:
        TypeError: not a coroutine function: it would hold up every other call.
        ValueError: signatures and names do not fit.
    """

    def declare(
        handler: Callable[Concatenate[S, Call, P], Awaitable[T]],
    ) -> Callable[Concatenate[S, Call, P], Awaitable[T]]:
        if not inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__}: a D-Bus method is a coroutine function")
        parameters = list(inspect.signature(handler).parameters)[2:]
        if len(parameters) != len(_split(takes)):
            raise ValueError(f"{handler.__qualname__}: {len(parameters)} parameters for the signature {takes}")
        declared = MethodDeclaration(
            _member(name or camel_case(handler.__name__)),
            _arguments(takes, in_names if in_names is not None else parameters),
            _arguments(returns, out_names),
            handler.__name__,
        )
        setattr(handler, _ATTRIBUTE, declared)
        return handler

    return declare


def dbus_property(
    signature: str, *, emits: Emits | str = Emits.TRUE, name: str | None = None
) -> Callable[[Callable[[S], T]], _Property[S, T]]:
    """Make a getter a read-only D-Bus property; it reads as an attribute in Python.

    Args:
        signature: one complete type.
        emits: what `ObjectTree.changed` sends for it.
        name: on the bus, the Python name in camel case by default.

    Raises:
        TypeError: a coroutine function: properties are read in passing.
        ValueError: no single complete type.
    """

    def declare(getter: Callable[[S], T]) -> _Property[S, T]:
        return _Property(getter, signature, Emits(emits), name)

    return declare


def camel_case(name: str) -> str:
    """A Python name as one on the bus: `pin_tries_left` is PinTriesLeft."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _arguments(signature: str, names: Sequence[str]) -> tuple[Argument, ...]:
    types = _split(signature)
    if len(types) != len(names):
        raise ValueError(f"{len(names)} names for the signature {signature!r}")
    return tuple(Argument(name, kind) for name, kind in zip(names, types, strict=True))


def _split(signature: str) -> tuple[str, ...]:
    try:
        return split_signature(signature)
    except Malformed as error:
        raise ValueError(f"{signature!r}: {error}") from None


def _member(name: str) -> str:
    if not is_member_name(name):
        raise ValueError(f"{name!r} is no member name of D-Bus")
    return name


def _by_name(members: Sequence[Any]) -> Mapping[str, Any]:
    found = {member.name: member for member in members}
    if len(found) != len(members):
        raise ValueError("two members of one name")
    return MappingProxyType(found)
