"""Users of the machine and the ways in which they come in, each by what really makes such a session."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from tests.system.machine import INSTALLED, PYTHON, run, settle

PROGRAM: Final = (PYTHON, "-B", str(INSTALLED / "tests/system/program.py"))
ADDRESS: Final = "192.0.2.1"
"""Of the machine, on its loopback: sshd takes who comes from localhost for local (RFC 5737: for documentation)."""
KEY: Final = "/root/.ssh/id_ed25519"

_UNIT: Final = ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--service-type=exec")


class Program:
    """An application that runs in a user's session until it is closed; see `tests/system/program.py`.

    Args:
        command: starts it.
    """

    def __init__(self, *command: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*command, *PROGRAM], stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it end, and wait until logind has forgotten its session."""
        session = self.session
        self._process.communicate(timeout=60)
        while session is not None and (Path("/run/systemd/sessions") / session).exists():
            time.sleep(0.02)

    def do(self, action: str, *arguments: str) -> Any:
        """Have it do something that must succeed; gives what came of it."""
        done = self._exchange([action, *arguments])
        assert "error" not in done, (action, done)
        return done["value"]

    def outcome(self, action: str, *arguments: str) -> str:
        """Have it try something: "yes" or the name of the error."""
        error: str = self._exchange([action, *arguments]).get("error", "yes")
        return error

    @property
    def session(self) -> str | None:
        """logind's name of the session that it was started in, None where that is none."""
        found: str | None = self.do("tell")["session"]
        return found

    def _exchange(self, request: list[Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the program ended with {self._process.wait()}"
        found: dict[str, Any] = json.loads(line)
        return found


class Child(Program):
    """Another application in the login session of a first one."""

    def __init__(self, parent: Program, name: str) -> None:
        parent.do("start", name)
        self._parent = parent
        self._name = name

    def close(self) -> None:
        """It ends with its parent."""

    def _exchange(self, request: list[Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._parent.do("relay", self._name, request)  # type: ignore[arg-type]  # a list in it
        return found


def at_the_seat(user: str) -> Program:
    """A graphical login on the seat of this machine, as a display manager makes it; it is in front from then on."""
    environment = ("XDG_SEAT=seat0", "XDG_SESSION_TYPE=wayland", "XDG_SESSION_CLASS=user")
    where = (f"--setenv={each}" for each in environment)
    return Program(*_UNIT, f"--property=User={user}", "--property=PAMName=login", *where, "--")


def over_the_network(user: str) -> Program:
    """A login by ssh."""
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", f"IdentityFile={KEY}")
    return Program("ssh", *(f"-o{option}" for option in options), f"{user}@{ADDRESS}", "--")


def under_the_user_manager(user: str) -> Program:
    """A unit of the user's own service manager, as desktops start applications."""
    return Program(*as_user(user), "systemd-run", "--user", *_UNIT[1:], "--")


def as_a_service(user: str) -> Program:
    """A system service that runs as that user."""
    return Program(*_UNIT, f"--property=User={user}", "--")


def as_user(user: str) -> tuple[str, ...]:
    """What a command is begun with to reach the user's own service manager."""
    uid = run("id", "--user", user).stdout.strip()
    environment = (f"XDG_RUNTIME_DIR=/run/user/{uid}", f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus")
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--init-groups", "env", *environment)


@contextmanager
def linger(user: str) -> Iterator[None]:
    """Have a user's service manager without any login."""
    manager = f"user@{run('id', '--user', user).stdout.strip()}.service"
    run("loginctl", "enable-linger", user)
    try:
        run("systemctl", "start", manager)
        yield
    finally:
        run("loginctl", "disable-linger", user)
        run("systemctl", "stop", manager)


def bring_to_front(program: Program) -> None:
    """Switch the seat to this program's session."""
    session = program.session
    assert session is not None
    run("loginctl", "activate", session)
    settle()


def logind_says(session: str | None) -> dict[str, str]:
    """What logind knows of a session."""
    assert session is not None
    names = ("Active", "Remote", "Seat", "Type", "State")
    shown = run("loginctl", "show-session", session, *(f"--property={name}" for name in names)).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


class Logins:
    """Who is logged in; leaving the block logs everybody out, the last one first."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def add(self, program: Program) -> Program:
        """Keep a program until the end, from when it runs, which is once its user is logged in."""
        entered = self._stack.enter_context(program)
        entered.do("tell")
        settle()
        return entered
