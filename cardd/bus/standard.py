"""The interfaces that every service answers. D-Bus specification, "Standard Interfaces"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cardd.bus.declaration import Argument, Declaration, MethodDeclaration, SignalDeclaration, arguments
from cardd.bus.failures import StandardError, StandardName
from cardd.bus.interface import Interface
from cardd.bus.introspection import node_xml
from cardd.bus.objects import (
    INTERFACES_ADDED,
    INTERFACES_REMOVED,
    PROPERTIES_CHANGED,
    ObjectTree,
    properties_of,
    read,
)

MACHINE_ID_FILES: Final = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))

Answer = Callable[[str, list[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class StandardMethod:
    """A method of a standard interface: answered at once, without asking who calls.

    Args:
        interface: its interface.
        declaration: its arguments.
        answer: from the object's path and the arguments to the result; raises StandardError.
    """

    interface: str
    declaration: MethodDeclaration
    answer: Answer


class StandardInterfaces:
    """Peer, Introspectable, Properties and ObjectManager over an object tree.

    Properties are read by anybody: nothing that says who somebody is belongs there.

    Args:
        tree: the objects.
    """

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._answers: dict[tuple[str, str], Answer] = {
            (_PEER.name, "Ping"): lambda path, values: [],
            (_PEER.name, "GetMachineId"): lambda path, values: [machine_id()],
            (_INTROSPECTABLE.name, "Introspect"): lambda path, values: [self.introspect(path)],
            (_PROPERTIES.name, "Get"): self._get,
            (_PROPERTIES.name, "GetAll"): self._get_all,
            (_PROPERTIES.name, "Set"): self._set,
            (_OBJECT_MANAGER.name, "GetManagedObjects"): lambda path, values: [tree.managed()],
        }

    def at(self, path: str) -> Mapping[str, Declaration]:
        """The standard interfaces that a path has, by name; where there is no object, Peer alone."""
        present = [_PEER]
        is_root = path == self._tree.root
        is_object = is_root or bool(self._tree.interfaces(path))
        if is_object or self._tree.children(path):
            present.append(_INTROSPECTABLE)
        if is_object:
            present.append(_PROPERTIES)
        if is_root:
            present.append(_OBJECT_MANAGER)
        return {declaration.name: declaration for declaration in present}

    def find(self, path: str, interface: str | None, member: str) -> StandardMethod | None:
        """The method of that name at a path, whatever its interface where none is given."""
        for declaration in self.at(path).values():
            found = declaration.methods.get(member)
            if found is not None and interface in (None, declaration.name):
                return StandardMethod(declaration.name, found, self._answers[declaration.name, member])
        return None

    def introspect(self, path: str) -> str:
        """The introspection XML of a path."""
        own = [found.declaration for found in self._tree.interfaces(path).values()]
        return node_xml([*self.at(path).values(), *own], self._tree.children(path))

    def _get(self, path: str, values: list[Any]) -> list[Any]:
        interface_name, name = values
        for interface in self._named(path, interface_name):
            declared = interface.declaration.properties.get(name)
            if declared is not None:
                return [read(interface, declared)]
        raise StandardError(StandardName.UNKNOWN_PROPERTY, "there is no such property here")

    def _get_all(self, path: str, values: list[Any]) -> list[Any]:
        merged: dict[str, Any] = {}
        for interface in reversed(self._named(path, values[0])):
            merged |= properties_of(interface)
        return [merged]

    def _set(self, path: str, values: list[Any]) -> list[Any]:
        interface_name, name, _ = values
        if any(name in interface.declaration.properties for interface in self._named(path, interface_name)):
            raise StandardError(StandardName.PROPERTY_READ_ONLY, "the property can only be read")
        raise StandardError(StandardName.UNKNOWN_PROPERTY, "there is no such property here")

    def _named(self, path: str, interface_name: str) -> list[Interface]:
        """The interface of that name, all of them for the empty name; a standard one has no properties."""
        interfaces = self._tree.interfaces(path)
        if not interface_name:
            return list(interfaces.values())
        if interface_name in interfaces:
            return [interfaces[interface_name]]
        if interface_name in self.at(path):
            return []
        raise StandardError(StandardName.UNKNOWN_INTERFACE, "there is no such interface here")


def machine_id() -> str:
    """The host's identity, 32 hexadecimal digits.

    Raises:
        StandardError: the host has none.
    """
    for file in MACHINE_ID_FILES:
        try:
            found = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue  # the next one may be there
        if found:
            return found
    raise StandardError(StandardName.FAILED, "this host has no machine id")


def _declaration(name: str, *members: MethodDeclaration | SignalDeclaration) -> Declaration:
    return Declaration(
        name,
        MappingProxyType({found.name: found for found in members if isinstance(found, MethodDeclaration)}),
        MappingProxyType({}),
        MappingProxyType({found.name: found for found in members if isinstance(found, SignalDeclaration)}),
    )


def _method(name: str, takes: tuple[Argument, ...] = (), returns: tuple[Argument, ...] = ()) -> MethodDeclaration:
    return MethodDeclaration(name, takes, returns)


_PEER: Final = _declaration(
    "org.freedesktop.DBus.Peer", _method("Ping"), _method("GetMachineId", returns=arguments(machine_uuid="s"))
)
_INTROSPECTABLE: Final = _declaration(
    "org.freedesktop.DBus.Introspectable", _method("Introspect", returns=arguments(xml_data="s"))
)
_PROPERTIES: Final = _declaration(
    "org.freedesktop.DBus.Properties",
    _method("Get", arguments(interface_name="s", property_name="s"), arguments(value="v")),
    _method("GetAll", arguments(interface_name="s"), arguments(props="a{sv}")),
    _method("Set", arguments(interface_name="s", property_name="s", value="v")),
    PROPERTIES_CHANGED,
)
_OBJECT_MANAGER: Final = _declaration(
    "org.freedesktop.DBus.ObjectManager",
    _method("GetManagedObjects", returns=arguments(objects="a{oa{sa{sv}}}")),
    INTERFACES_ADDED,
    INTERFACES_REMOVED,
)
