"""The objects of the service: which are there, and the signals that say so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from cardd.bus.declaration import Declaration, Emits, PropertyDeclaration, SignalDeclaration, arguments
from cardd.bus.interface import Interface
from cardd.bus.report import describe
from cardd.bus.syntax import Unsendable, is_object_path
from cardd.bus.wire import Variant, variant

_log = logging.getLogger(__name__)

PROPERTIES_CHANGED: Final = SignalDeclaration(
    "org.freedesktop.DBus.Properties",
    "PropertiesChanged",
    arguments(interface_name="s", changed_properties="a{sv}", invalidated_properties="as"),
)
INTERFACES_ADDED: Final = SignalDeclaration(
    "org.freedesktop.DBus.ObjectManager",
    "InterfacesAdded",
    arguments(object_path="o", interfaces_and_properties="a{sa{sv}}"),
)
INTERFACES_REMOVED: Final = SignalDeclaration(
    "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", arguments(object_path="o", interfaces="as")
)


class SignalSink(Protocol):
    """Where signals go: the transport."""

    def send_signal(
        self, path: str, interface: str, member: str, signature: str, values: Sequence[Any], *, urgent: bool = False
    ) -> bool:
        """Broadcast a signal; False when the bus is lost."""
        ...


class ObjectTree:
    """The objects below one ObjectManager, and that one.

    Signals leave in the order of the changes that they tell; only urgent ones overtake.

    Args:
        sink: where signals go.
        root: path of the ObjectManager.

    Raises:
        ValueError: no object path.
    """

    def __init__(self, sink: SignalSink, root: str) -> None:
        self.root = _path(root)
        self._sink = sink
        self._objects: dict[str, dict[str, Interface]] = {}
        self._changed: dict[tuple[str, str], dict[str, None]] = {}
        self._flush: asyncio.Handle | None = None

    def add(self, path: str, interfaces: Sequence[Interface]) -> None:
        """Make an object appear, or give one that is there more interfaces.

        Raises:
            ValueError: no path of this tree, no interface, or one that the object has already.
        """
        if path != self.root and not path.startswith(self.root + "/"):
            raise ValueError("an object's path begins with the root's")
        present = self._objects.get(_path(path), {})
        added = {interface.name: interface for interface in interfaces}
        if not added or len(added) < len(interfaces) or added.keys() & present.keys():
            raise ValueError(f"{path}: an object needs interfaces, each once")
        self._objects[path] = present | added
        if path != self.root:
            self.emit(self.root, INTERFACES_ADDED, path, {name: properties_of(found) for name, found in added.items()})

    def remove(self, path: str) -> None:
        """Make an object disappear; those below it stay.

        Raises:
            KeyError: it is not there.
        """
        self.flush()
        removed = self._objects.pop(path)
        if path != self.root:
            self.emit(self.root, INTERFACES_REMOVED, path, list(removed))

    def interfaces(self, path: str) -> Mapping[str, Interface]:
        """The interfaces of an object by their names; empty when it is not there."""
        return MappingProxyType(self._objects.get(path, {}))

    def children(self, path: str) -> list[str]:
        """Names of the next path elements below a path, sorted."""
        prefix = path.rstrip("/") + "/"
        return sorted({found.removeprefix(prefix).split("/")[0] for found in self._objects if found.startswith(prefix)})

    def managed(self) -> dict[str, dict[str, dict[str, Variant]]]:
        """What GetManagedObjects answers: every object below the root, its interfaces and their properties."""
        return {
            path: {name: properties_of(interface) for name, interface in interfaces.items()}
            for path, interfaces in self._objects.items()
            if path != self.root
        }

    def emit(self, path: str, signal: SignalDeclaration, *values: object, urgent: bool = False) -> bool:
        """Send a signal.

        Args:
            path: object that it leaves from.
            signal: its declaration.
            values: its arguments.
            urgent: overtake replies and ordinary signals that still wait, the news of this very object included.

        Returns:
            False when the bus is lost.

        Raises:
            Unsendable: a value is not of its type, or the bus would not take it.
        """
        if not urgent:
            self.flush()
        return self._sink.send_signal(path, signal.interface, signal.name, signal.signature, values, urgent=urgent)

    def changed(self, path: str, interface: type[Interface], *names: str) -> None:
        """Tell that properties have new values: one PropertiesChanged an object and turn of the loop, with the values
        that they have when it is sent, and before any later signal or reply.

        Args:
            path: the object; one that is not in the tree has nobody to tell.
            interface: that the properties belong to.
            names: of the properties, as on the bus.

        Raises:
            ValueError: no such property, or one that is declared not to announce changes.
        """
        for name in names:
            declared = interface.declaration.properties.get(name)
            if declared is None or declared.emits in (Emits.CONST, Emits.FALSE):
                raise ValueError(f"{interface.name}.{name} is no property that announces changes")
        if interface.name not in self.interfaces(path):
            return
        self._changed.setdefault((path, interface.name), {}).update(dict.fromkeys(names))
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Send the PropertiesChanged that wait for the end of the turn."""
        if self._flush is None:
            return
        self._flush.cancel()
        self._flush = None
        waiting, self._changed = self._changed, {}
        for (path, interface), names in waiting.items():
            self._send_changed(path, self._objects[path][interface], names)

    def _send_changed(self, path: str, interface: Interface, names: Mapping[str, None]) -> None:
        changed: dict[str, Variant] = {}
        invalidated: list[str] = []
        for name in names:
            declared = interface.declaration.properties[name]
            value = read_or_log(interface, declared) if declared.emits is Emits.TRUE else None
            if value is None:
                invalidated.append(name)
            else:
                changed[name] = value
        try:
            self.emit(path, PROPERTIES_CHANGED, interface.name, changed, invalidated)
        except Unsendable as error:  # not the business of whatever made the changes leave now
            _log.error("the changes of %s %s cannot be told: %s", path, interface.name, error)


def read(interface: Interface, declared: PropertyDeclaration) -> Variant:
    """A property's value with its type.

    Raises:
        Unsendable: it is not of the declared type.
        Exception: what the getter raises.
    """
    return variant(declared.signature, getattr(interface, declared.attribute))


def read_or_log(interface: Interface, declared: PropertyDeclaration) -> Variant | None:
    """A property's value with its type; None, and a line in the log, when it cannot be had."""
    try:
        return read(interface, declared)
    except Exception as error:  # one property's failure must not take the others along
        _log.error("property %s.%s cannot be read: %s", interface.name, declared.name, describe(error))
        return None


def properties_of(interface: Interface) -> dict[str, Variant]:
    """Every property that can be read, by name."""
    declaration: Declaration = interface.declaration
    values = {name: read_or_log(interface, declared) for name, declared in declaration.properties.items()}
    return {name: value for name, value in values.items() if value is not None}


def _path(path: str) -> str:
    if not is_object_path(path):
        raise ValueError(f"{path!r} is no object path")
    return path
