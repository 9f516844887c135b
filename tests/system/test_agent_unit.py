"""`cardctl agent` as the unit of the user's service manager, in the graphical session, through a daemon's restart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.logins import Logins, Program, as_user, at_the_seat, bring_to_front
from tests.system.machine import run

UNIT = "cardd-agent.service"
# What a desktop has of its own: graphical-session.target refuses to be started by hand.
DESKTOP = """[Unit]
BindsTo=graphical-session.target
Before=graphical-session.target
[Service]
ExecStart=/bin/sleep infinity
"""
# Answers as a user who knows the PIN and agrees; tells what it was shown.
PINENTRY = """#!/bin/sh
echo "OK Pleased to meet you"
while read -r command rest; do
    echo "$command $rest" >>/tmp/pinentry.log
    case $command in
        GETPIN) printf 'D 1234\\nOK\\n' ;;
        *) echo OK ;;
    esac
done
"""


@pytest.fixture(scope="module", autouse=True)
def desktop() -> Iterator[None]:
    """A desktop, and a pinentry that needs no window."""
    made = {Path("/etc/systemd/user/desktop.service"): DESKTOP, Path("/usr/bin/pinentry"): PINENTRY}
    for path, content in made.items():
        path.write_text(content)
        path.chmod(0o755)
    yield
    for path in made:
        path.unlink()


def of_user(user: str, *command: str) -> subprocess.CompletedProcess[str]:
    return run(*as_user(user), "systemctl", "--user", *command)


def shown(user: str, name: str) -> str:
    return of_user(user, "show", UNIT, f"--property={name}", "--value").stdout.strip()


def log_in_graphically(logins: Logins, user: str) -> Program:
    program = logins.add(at_the_seat(user))
    of_user(user, "set-environment", "WAYLAND_DISPLAY=wayland-0")
    of_user(user, "start", "desktop.service")
    return program


def await_registration(user: str) -> None:
    """Until the agent says so in the user's journal; its standard output is that."""
    uid = run("id", "--user", user).stdout.strip()
    journal = ["journalctl", "--follow", "--lines=all", "--output=cat", f"_UID={uid}", f"_SYSTEMD_USER_UNIT={UNIT}"]
    with subprocess.Popen(journal, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert any("are asked here until" in line for line in following.stdout)
        following.terminate()


def test_it_asks_in_the_graphical_session_and_after_a_restart_of_cardd(logins: Logins) -> None:
    doctor = log_in_graphically(logins, "doctor")
    assert shown("doctor", "ActiveState") == "active"
    await_registration("doctor")
    bring_to_front(doctor)
    doctor.do("authenticate-by-agent")
    doctor.do("sign")
    log = Path("/tmp/pinentry.log").read_text()
    assert "GETPIN" in log
    assert "CONFIRM" in log
    before = shown("doctor", "MainPID")
    run("systemctl", "restart", "cardd.service")
    doctor.do("authenticate-by-agent")
    doctor.do("sign")
    doctor.do("logout")
    assert shown("doctor", "MainPID") == before
    # It goes with the desktop.
    of_user("doctor", "stop", "desktop.service")
    assert shown("doctor", "ActiveState") == "inactive"


def test_it_is_not_for_users_of_the_system(logins: Logins) -> None:
    run("useradd", "--system", "--create-home", "greeter")
    log_in_graphically(logins, "greeter")
    assert (shown("greeter", "ActiveState"), shown("greeter", "ConditionResult")) == ("inactive", "no")


def test_a_login_without_a_desktop_has_none(logins: Logins) -> None:
    logins.add(at_the_seat("nurse"))
    assert shown("nurse", "ActiveState") == "inactive"
