"""Who may do what on the host: the D-Bus policy in a real dbus-daemon, the polkit rule in a real polkitd.

Each is loaded under the machine's own configuration of the system bus, by users of the numbers that it names.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.host import CARDD_UID, MEMBER_UID, OUTSIDER_UID, Host, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users are for root")

REFUSED = "Access denied"

# A connection that answers every standard call, as GDBus does by itself; its unique name is its first line.
PEER = """
import sys
from gi.repository import Gio, GLib
flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync("unix:path=/run/dbus/system_bus_socket", flags, None, None)
def ready(*_):
    print(bus.get_unique_name(), flush=True)
if len(sys.argv) > 1:
    Gio.bus_own_name_on_connection(bus, sys.argv[1], 0, ready, lambda *_: sys.exit("name refused"))
else:
    ready()
GLib.MainLoop().run()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    # Below /tmp itself: pytest's own directories are closed to the other users.
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch, Host(stage(tmp_path / "stage"), Path(scratch)) as running:
        running.start_bus()
        yield running


def start_peer(host: Host, uid: int, *name: str) -> str:
    return host.start_ready(["/usr/bin/python3", "-c", PEER, *name], uid)


def call(host: Host, uid: int, destination: str, method: str = "org.freedesktop.DBus.Peer.Ping") -> str:
    """Call a method without arguments; gives "answered", "refused" or the error."""
    interface, _, member = method.rpartition(".")
    result = host.run(["busctl", "--system", "call", destination, "/org/cardd1", interface, member], uid)
    if result.returncode == 0:
        return "answered"
    return "refused" if REFUSED in result.stderr else result.stderr.strip()


def request_name(host: Host, uid: int) -> str:
    bus = "org.freedesktop.DBus"
    command = ["busctl", "--system", "call", bus, "/org/freedesktop/DBus", bus, "RequestName", "su", "org.cardd1", "4"]
    result = host.run(command, uid)
    return "refused" if REFUSED in result.stderr else result.stdout.strip() or result.stderr.strip()


@pytest.mark.parametrize("uid", [0, MEMBER_UID, OUTSIDER_UID], ids=["root", "member", "outsider"])
def test_only_cardd_takes_the_name(host: Host, uid: int) -> None:
    assert request_name(host, uid) == "refused"
    # DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER
    assert request_name(host, CARDD_UID) == "u 1"


@pytest.mark.parametrize(
    ("uid", "outcome"),
    [(0, "answered"), (MEMBER_UID, "answered"), (OUTSIDER_UID, "answered")],
    ids=["root", "member", "outsider"],
)
def test_who_may_call_cardd(host: Host, uid: int, outcome: str) -> None:
    unique = start_peer(host, CARDD_UID, "org.cardd1")
    assert call(host, uid, "org.cardd1") == outcome
    # A policy for a name holds for the connection that has it, however it is addressed.
    assert call(host, uid, unique) == outcome


def test_cardd_asks_an_agent_and_nothing_else_of_a_user(host: Host) -> None:
    agent = start_peer(host, MEMBER_UID)
    assert "does not exist" in call(host, CARDD_UID, agent, "org.cardd1.Agent.Cancel")
    assert call(host, CARDD_UID, agent, "org.example.Other.Cancel") == "refused"


@pytest.mark.parametrize("uid", [MEMBER_UID, OUTSIDER_UID], ids=["member", "outsider"])
def test_nobody_else_asks_an_agent(host: Host, uid: int) -> None:
    agent = start_peer(host, MEMBER_UID)
    assert call(host, uid, agent, "org.cardd1.Agent.Cancel") == "refused"


# The actions of a pcscd that was built with polkit, with defaults as strict as they can be for a daemon.
ACTIONS = ("org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card")
# logind's, whose own defaults are "yes" to everybody.
DELAY_SLEEP = "org.freedesktop.login1.inhibit-delay-sleep"
POLICY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig>{actions}</policyconfig>
"""
ACTION = """<action id="{name}"><description>test</description><message>test</message><defaults>
<allow_any>no</allow_any><allow_inactive>no</allow_inactive><allow_active>yes</allow_active></defaults></action>"""


@pytest.fixture
def polkit(host: Host) -> Host:
    """The host with a polkitd that knows pcscd's actions and logind's, and our rules."""
    names = (*ACTIONS, DELAY_SLEEP, "org.cardd1.test.other")
    policy = POLICY.format(actions="".join(ACTION.format(name=name) for name in names))
    actions = "/usr/share/polkit-1/actions"
    script = f'mount -t tmpfs -o mode=0755 none {actions} && printf %s "$1" >{actions}/test.policy'
    prepared = host.run(["bash", "-c", script, "prepare", policy])
    assert prepared.returncode == 0, prepared.stderr
    host.start(["/usr/lib/polkit-1/polkitd", "--no-debug"])
    waited = host.run(["gdbus", "wait", "--system", "--timeout=30", "org.freedesktop.PolicyKit1"])
    assert waited.returncode == 0, waited.stderr
    return host


def authorised(host: Host, uid: int, action: str) -> bool:
    """Ask polkit about a process of that user (pkcheck's own parent, a shell)."""
    script = f"pkcheck --action-id {action} --process $$; echo $?"
    result = host.run(["bash", "-c", script], uid)
    # pkcheck(1): 0 authorised, 1 not.
    assert result.stdout.strip() in {"0", "1"}, result.stderr
    return result.stdout.strip() == "0"


def test_polkit_lets_cardd_use_the_readers(polkit: Host) -> None:
    for action in ACTIONS:
        assert authorised(polkit, CARDD_UID, action)
        assert not authorised(polkit, MEMBER_UID, action)
    assert not authorised(polkit, CARDD_UID, "org.cardd1.test.other")


def test_polkit_lets_cardd_delay_sleep_where_nobody_else_may(polkit: Host) -> None:
    assert authorised(polkit, CARDD_UID, DELAY_SLEEP)
    assert not authorised(polkit, MEMBER_UID, DELAY_SLEEP)
