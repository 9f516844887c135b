"""Introspection data from declarations. D-Bus specification, "Introspection Data Format"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

from cardd.bus.declaration import Argument, Declaration, PropertyDeclaration

DOCTYPE = (
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n'
    ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n'
)
EMITS_CHANGED = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def node_xml(declarations: Iterable[Declaration], children: Sequence[str] = ()) -> str:
    """The XML of one object.

    Args:
        declarations: its interfaces.
        children: names of the nodes below it.
    """
    node = ET.Element("node")
    for declaration in declarations:
        node.append(interface_element(declaration))
    for child in children:
        ET.SubElement(node, "node", name=child)
    ET.indent(node)
    return DOCTYPE + ET.tostring(node, encoding="unicode") + "\n"


def interface_element(declaration: Declaration) -> ET.Element:
    """The `interface` element of one interface."""
    element = ET.Element("interface", name=declaration.name)
    for method in declaration.methods.values():
        child = ET.SubElement(element, "method", name=method.name)
        _add_arguments(child, method.inputs, {"direction": "in"})
        _add_arguments(child, method.outputs, {"direction": "out"})
    for signal in declaration.signals.values():
        _add_arguments(ET.SubElement(element, "signal", name=signal.name), signal.arguments, {})
    for declared in declaration.properties.values():
        _add_property(element, declared)
    return element


def _add_arguments(element: ET.Element, found: Iterable[Argument], attributes: Mapping[str, str]) -> None:
    for argument in found:
        ET.SubElement(element, "arg", {"name": argument.name, "type": argument.signature, **attributes})


def _add_property(element: ET.Element, declared: PropertyDeclaration) -> None:
    child = ET.SubElement(element, "property", name=declared.name, type=declared.signature, access="read")
    ET.SubElement(child, "annotation", name=EMITS_CHANGED, value=declared.emits.value)
