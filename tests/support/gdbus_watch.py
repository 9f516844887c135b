"""Run by the system's python3: GDBus's own ObjectManager client, saying on stdout what it sees, one JSON a line.

Arguments: bus address, service name, root path.
"""

# mypy: ignore-errors
# (python3-gi belongs to the system's interpreter and has no types here.)

import json
import sys

from gi.repository import Gio, GLib

address, service, root = sys.argv[1:4]


def say(*words):
    """Tell the test."""
    print(json.dumps(words), flush=True)


def properties(interface):
    """What the client has cached."""
    return {name: interface.get_cached_property(name).unpack() for name in interface.get_cached_property_names() or []}


def describe(found):
    """Interfaces and their cached properties."""
    return {one.get_interface_name(): properties(one) for one in found.get_interfaces()}


flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
manager = Gio.DBusObjectManagerClient.new_sync(
    connection, Gio.DBusObjectManagerClientFlags.NONE, service, root, None, None, None
)
manager.connect("object-added", lambda _, found: say("added", found.get_object_path(), describe(found)))
manager.connect("object-removed", lambda _, found: say("removed", found.get_object_path()))
manager.connect(
    "interface-proxy-properties-changed",
    lambda _, found, proxy, changed, invalid: say("changed", found.get_object_path(), changed.unpack(), list(invalid)),
)
say("ready", {found.get_object_path(): describe(found) for found in manager.get_objects()})
GLib.MainLoop().run()
