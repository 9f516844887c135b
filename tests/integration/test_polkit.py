"""cardd's actions in a real polkitd on a private system bus: who is allowed what, kept until something changes.

polkitd takes login sessions from logind's state files; here they are written by the test, as logind would write them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cardd.access.actions import Action
from tests.support.host import CARDD_UID, MEMBER_UID, OUTSIDER_UID, REPOSITORY, Host, stage
from tests.support.ward import in_user_manager, log_in, shell, start_polkit

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users are for root")

POLICY = REPOSITORY / "polkit/org.cardd1.policy"
ACTIONS = [action.value for action in Action if action is not Action.ASSERT]
DAILY = {"authenticate", "sign", "decrypt", "mint-token", "read-holder", "break-glass"}

PEER = """
import asyncio, os
from cardd.bus.transport import connect
async def main():
    transport = await connect()
    print(transport.unique_name, os.getpid(), flush=True)
    await transport.lost.wait()
asyncio.run(main())
"""

# Asks as cardd does: questions are lines of its argument; an answer a line. "wait" waits until polkit says Changed.
ASK = """
import asyncio, json, os, pathlib, sys
from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.polkit import Details, NoPolkit, Polkit
from cardd.bus.polkit import BusAuthority
from cardd.bus.transport import connect
from cardd.errors import CarddError

class Counting(BusAuthority):
    asked = 0
    async def check(self, question):
        self.asked += 1
        return await super().check(question)

async def main(given):
    authority = Counting(await connect())
    changed = asyncio.Event()
    polkit = Polkit(authority, own_uid=os.getuid(), without=NoPolkit(given["without"]))
    forget = polkit.forget_answers
    def forget_and_tell():
        forget()
        changed.set()
    polkit.forget_answers = forget_and_tell
    await polkit.start()
    caller = Caller(given["name"], given["uid"])
    for question in given["questions"]:
        if question == "wait":
            print("waiting", flush=True)
            await changed.wait()
            continue
        details = Details(**question.get("details", {}))
        call = asyncio.ensure_future(polkit.require(caller, Action(question["action"]), details,
                                     owner_uid=question.get("owner"), interactive=question.get("interactive", False)))
        if question.get("cancel"):
            await asyncio.to_thread(pathlib.Path(question["cancel"]).read_text)
            call.cancel()
            await asyncio.wait([call])
            await asyncio.gather(*polkit._cancelling)
            print("cancelled", flush=True)
            continue
        try:
            await call
            answer = "yes"
        except CarddError as error:
            answer = error.short_name + given["tell"] * f": {error.message}"
        print(json.dumps([answer, authority.asked]), flush=True)

asyncio.run(main(json.loads(sys.argv[1])))
"""

# A user's polkit agent that closes each question, or keeps it open and tells when it is cancelled.
AGENT = """
import os, sys
from gi.repository import Gio, GLib
XML = '''<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
<method name="BeginAuthentication"><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="a{ss}" direction="in"/><arg type="s" direction="in"/>
<arg type="a(sa{sv})" direction="in"/></method>
<method name="CancelAuthentication"><arg type="s" direction="in"/></method></interface></node>'''
flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync("unix:path=/run/dbus/system_bus_socket", flags, None, None)
kept = []
def call(connection, sender, path, interface, method, arguments, invocation):
    print(method, arguments.unpack()[1] if method == "BeginAuthentication" else "", flush=True)
    if method == "CancelAuthentication":
        invocation.return_value(None)
        kept.pop().return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "closed")
    elif sys.argv[1] == "dismiss":
        invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "closed")
    else:
        kept.append(invocation)
bus.register_object("/test/agent", Gio.DBusNodeInfo.new_for_xml(XML).interfaces[0], call, None, None)
started = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
subject = ("unix-process", {"pid": GLib.Variant("u", os.getpid()), "start-time": GLib.Variant("t", started)})
bus.call_sync("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
              "org.freedesktop.PolicyKit1.Authority", "RegisterAuthenticationAgent",
              GLib.Variant("((sa{sv})ss)", (subject, "fr_FR.UTF-8", "/test/agent")), None, 0, -1, None)
print(bus.get_unique_name(), os.getpid(), flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("stage")
    # Below /tmp itself: pytest's own directories are closed to the other users.
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch, Host(stage(folder), Path(scratch)) as running:
        shell(running, "mkdir -p /run/systemd/sessions /run/systemd/users /run/systemd/seats /run/systemd/machines")
        running.start_bus()
        yield running


@pytest.fixture(scope="module")
def polkit(host: Host) -> Host:
    """The host with a polkitd that knows cardd's actions."""
    start_polkit(host)
    return host


def asking(name: str, uid: int, *questions: object, without: str = "refuse", tell: bool = False) -> list[str]:
    given = {"name": name, "uid": uid, "questions": questions, "without": without, "tell": tell}
    return [sys.executable, "-c", ASK, json.dumps(given)]


def ask(host: Host, name: str, uid: int, *questions: object, as_uid: int = CARDD_UID, **more: Any) -> list[str]:
    """What cardd would answer, a word a question."""
    done = host.run(asking(name, uid, *questions, **more), as_uid)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)[0] for line in done.stdout.splitlines()]


def peer(host: Host, uid: int) -> str:
    """A connection of that user, under the user's service manager; gives its name."""
    return placed(host, host.start_ready([sys.executable, "-c", PEER], uid), uid)


def placed(host: Host, ready: str, uid: int) -> str:
    """Show a process (its first line is name and pid) as systemd would have placed it; gives its name."""
    name, pid = ready.split()
    host.place(int(pid), in_user_manager(uid, "app-test.scope"))
    return name


def every_action() -> list[dict[str, str]]:
    return [{"action": action} for action in ACTIONS]


@needs_root
@pytest.mark.parametrize("session", ["active", "inactive", "remote", None])
def test_what_each_session_may(polkit: Host, session: str | None) -> None:
    log_in(polkit, session)
    answers = dict(zip(ACTIONS, ask(polkit, peer(polkit, MEMBER_UID), MEMBER_UID, *every_action()), strict=True))
    at_the_desk = session == "active"
    expected = {
        action: ("yes" if at_the_desk else "NotAuthorized") if action in DAILY else "NotAuthorizedCanObtain"
        for action in ACTIONS
    }
    assert answers == expected


@needs_root
def test_another_users_session_is_of_no_use(polkit: Host) -> None:
    log_in(polkit, "active")
    assert ask(polkit, peer(polkit, OUTSIDER_UID), OUTSIDER_UID, {"action": "sign"}) == ["NotAuthorized"]


@needs_root
def test_without_the_owner_annotation_polkit_answers_nobody_but_root(polkit: Host) -> None:
    """The annotation names cardd: another service's user asks in vain, and a refusal is what its caller gets."""
    log_in(polkit, "active")
    name = peer(polkit, MEMBER_UID)
    (refusal,) = ask(polkit, name, MEMBER_UID, {"action": "sign"}, as_uid=OUTSIDER_UID, tell=True)
    assert "polkit gave no answer" in refusal
    assert ask(polkit, name, MEMBER_UID, {"action": "sign"}) == ["yes"]


@needs_root
def test_an_answer_is_kept_until_the_login_session_changes(polkit: Host) -> None:
    log_in(polkit, "active")
    sign = {"action": "sign"}
    running = polkit.start(asking(peer(polkit, MEMBER_UID), MEMBER_UID, sign, sign, "wait", sign), CARDD_UID)
    assert [line(running) for _ in range(3)] == ['["yes", 1]', '["yes", 1]', "waiting"]
    log_in(polkit, "inactive")
    assert line(running) == '["NotAuthorized", 2]'


HOSPITAL = """
polkit.addRule(function (action, subject) {
    if (action.id === "org.cardd1.sign" && action.lookup("document-kind") === "prescription" &&
        action.lookup("application") !== "org.example.Records" && action.lookup("card") === "4242") {
        return polkit.Result.NO;
    }
    return polkit.Result.NOT_HANDLED;
});
"""


@needs_root
def test_a_hospitals_rule_by_card_application_and_kind_counts_as_soon_as_it_is_there(polkit: Host) -> None:
    log_in(polkit, "active")

    def question(**details: str) -> object:
        return {"action": "sign", "details": {"card": "4242", "document_kind": "prescription", **details}}

    name = peer(polkit, MEMBER_UID)
    running = polkit.start(asking(name, MEMBER_UID, question(), "wait", question()), CARDD_UID)
    assert [line(running), line(running)] == ['["yes", 1]', "waiting"]
    rules = "/etc/polkit-1/rules.d/40-hospital.rules"
    shell(polkit, f'printf %s "$1" >{rules}.new; mv {rules}.new {rules}', HOSPITAL)
    try:
        assert line(running) == '["NotAuthorized", 2]'
        others = [question(application="org.example.Records"), question(card="1"), question(document_kind="letter")]
        assert ask(polkit, name, MEMBER_UID, *others) == ["yes"] * 3
    finally:
        shell(polkit, f"rm {rules}")


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@needs_root
def test_a_dialogue_that_the_user_closes(polkit: Host) -> None:
    log_in(polkit, "active")
    agent = polkit.start([*AGENT_PROGRAM, "dismiss"], MEMBER_UID)
    name = placed(polkit, line(agent), MEMBER_UID)
    answers = ask(polkit, name, MEMBER_UID, {"action": "configure", "interactive": True}, {"action": "configure"})
    assert answers == ["NotAuthorizedDismissed", "NotAuthorizedCanObtain"]
    # In the agent's language.
    assert "Il faut s'authentifier pour modifier la configuration" in line(agent)


@needs_root
def test_a_caller_who_leaves_closes_the_dialogue(polkit: Host) -> None:
    log_in(polkit, "active")
    agent = polkit.start([*AGENT_PROGRAM, "keep"], MEMBER_UID)
    shell(polkit, "mkfifo --mode=666 /run/leave")
    question = {"action": "configure", "interactive": True, "cancel": "/run/leave"}
    name = placed(polkit, line(agent), MEMBER_UID)
    running = polkit.start(asking(name, MEMBER_UID, question), CARDD_UID)
    assert line(agent).startswith("BeginAuthentication")
    shell(polkit, "echo >/run/leave")
    assert line(running) == "cancelled"
    assert line(agent) == "CancelAuthentication"


AGENT_PROGRAM = ["/usr/bin/python3", "-c", AGENT]


@needs_root
def test_a_caller_who_has_left_is_refused(polkit: Host) -> None:
    assert ask(polkit, ":1.99999", MEMBER_UID, {"action": "sign"}, without="same-user") == ["NotAuthorized"]


@needs_root
def test_no_polkit(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch, Host(stage(tmp_path), Path(scratch)) as host:
        # A system without polkit has nothing that the bus could start either.
        shell(host, "mount -t tmpfs none /usr/share/dbus-1/system-services")
        host.start_bus()
        sign = {"action": "sign", "owner": MEMBER_UID}
        assert ask(host, ":1.99", MEMBER_UID, sign) == ["NotAuthorized"]
        assert ask(host, ":1.99", MEMBER_UID, sign, without="same-user") == ["yes"]
        assert ask(host, ":1.99", OUTSIDER_UID, sign, without="same-user") == ["NotAuthorized"]


# The file itself.


def actions() -> dict[str, ET.Element]:
    return {one.attrib["id"]: one for one in ET.parse(POLICY).getroot().iter("action")}


def test_every_action_is_there_and_none_else() -> None:
    assert set(actions()) == {f"org.cardd1.{name}" for name in ACTIONS}
    assert {action.polkit_id for action in Action} == set(actions())


@pytest.mark.parametrize("name", ACTIONS)
def test_each_action_speaks_two_languages_and_has_its_owner(name: str) -> None:
    action = actions()[f"org.cardd1.{name}"]
    for tag in ("description", "message"):
        languages = [one.get("{http://www.w3.org/XML/1998/namespace}lang") for one in action.iter(tag)]
        assert languages == [None, "fr"]
        assert all(one.text and one.text.strip() for one in action.iter(tag))
    owners = [one.text for one in action.iter("annotate") if one.get("key") == "org.freedesktop.policykit.owner"]
    assert owners == ["unix-user:cardd"]
    defaults = {one.tag: one.text for one in action.find("defaults") or ()}
    assert "yes" not in (defaults["allow_any"], defaults["allow_inactive"])
