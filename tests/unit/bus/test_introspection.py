"""The XML that describes an interface."""

import re
from xml.etree import ElementTree as ET

from cardd.bus.interface import Call, Interface, OwnedFd, Signal, dbus_property, method
from cardd.bus.introspection import interface_element, node_xml


class Door(Interface):
    """An example of everything."""

    name = "org.example.Door"
    opened = Signal("s", names=("who",))

    @method("sh", "ay", in_names=("key", "log"), out_names=("proof",))
    async def unlock(self, call: Call, key: str, log: OwnedFd) -> bytes:
        """Unlock."""
        return b""

    @dbus_property("b")
    def open(self) -> bool:
        """Whether it is."""
        return False

    @dbus_property("u", emits="false")
    def uses(self) -> int:
        """How often."""
        return 0


EXPECTED = """<interface name="org.example.Door">
  <method name="Unlock">
    <arg name="key" type="s" direction="in" />
    <arg name="log" type="h" direction="in" />
    <arg name="proof" type="ay" direction="out" />
  </method>
  <signal name="Opened">
    <arg name="who" type="s" />
  </signal>
  <property name="Open" type="b" access="read">
    <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="true" />
  </property>
  <property name="Uses" type="u" access="read">
    <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false" />
  </property>
</interface>"""


def test_an_interface() -> None:
    element = interface_element(Door.declaration)
    ET.indent(element)
    assert ET.tostring(element, encoding="unicode") == EXPECTED


def test_a_node_with_children() -> None:
    xml = node_xml([Door.declaration], ["a", "b"])
    assert xml.startswith("<!DOCTYPE node PUBLIC")
    node = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", xml))
    assert [child.get("name") for child in node.findall("node")] == ["a", "b"]
    assert [child.get("name") for child in node.findall("interface")] == ["org.example.Door"]
