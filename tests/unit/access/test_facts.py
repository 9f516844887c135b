"""The facts of a caller: real processes of this machine, and a made-up /proc for those that cannot be had."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cardd.access.caller import Caller
from cardd.access.facts import CallerUnknown, gather, same_application
from cardd.access.logins import LoginSession
from tests.unit.access.support import DESK, DOCTOR, Sessions, facts


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "infinity"]) as process:
        yield process
        process.kill()


class Proc:
    """A /proc of make-believe for one living process (whose descriptor is real)."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.root = folder
        self.folder = folder / str(pid)
        self.folder.mkdir()
        self.pid = pid
        self.write()

    def write(self, *, start_time: int = 77, uid: int = DOCTOR, cgroup: str = "/", depth: int = 0) -> None:
        (self.folder / "stat").write_text(f"{self.pid} (a) b) S {'1 ' * 18}{start_time} 0 0\n")
        (self.folder / "status").write_text(f"Uid:\t{uid} {uid} {uid} {uid}\nNSpid:\t{self.pid}{' 1' * depth}\n")
        (self.folder / "cgroup").write_text(f"0::{cgroup}\n")


@pytest.fixture
def proc(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> Proc:
    return Proc(tmp_path, sleeper.pid)


class Bus:
    """Tells credentials; something may happen while it does."""

    def __init__(self, caller: Caller | None, meanwhile: object = None) -> None:
        self.caller = caller
        self.meanwhile = meanwhile

    async def __call__(self, name: str) -> Caller | None:
        if callable(self.meanwhile):
            self.meanwhile()
        return self.caller


class Helper:
    """Knows one program."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    async def executable(self, pid: int, start_time: int) -> str | None:
        self.asked.append((pid, start_time))
        return "/usr/bin/records"


APP = "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.example.App-1.scope"


async def test_facts_of_a_real_process(sleeper: subprocess.Popen[bytes]) -> None:
    caller = Caller(":1.7", os.getuid(), sleeper.pid)
    found = await gather(caller, Bus(caller), Sessions())
    started = int(Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19])
    assert found.start_time == started
    assert not found.namespaced


async def test_an_application_under_the_users_manager_has_the_display_session(proc: Proc) -> None:
    proc.write(cgroup=APP)
    caller = Caller(":1.7", DOCTOR, proc.pid)
    helper = Helper()
    found = await gather(caller, Bus(caller), Sessions(DESK), executables=helper, proc=proc.root)
    assert (found.session_id, found.session_is_own) == ("2", False)
    assert found.session(Sessions(DESK)) == DESK
    assert found.placement.flatpak == "org.example.App"
    assert found.executable == "/usr/bin/records"
    assert helper.asked == [(proc.pid, 77)]


async def test_a_program_in_a_login_session(proc: Proc) -> None:
    proc.write(cgroup="/user.slice/user-1000.slice/session-5.scope")
    remote = LoginSession("5", DOCTOR, None, active=True, remote=True)
    caller = Caller(":1.7", DOCTOR, proc.pid)
    found = await gather(caller, Bus(caller), Sessions(DESK, remote), proc=proc.root)
    assert (found.session_id, found.session_is_own) == ("5", True)


@pytest.mark.parametrize(
    "session", [LoginSession("5", 1001, "seat0", active=True, remote=False), None], ids=["of another user", "gone"]
)
async def test_su_does_not_carry_into_another_users_session(proc: Proc, session: LoginSession | None) -> None:
    proc.write(cgroup="/user.slice/user-1001.slice/session-5.scope")
    caller = Caller(":1.7", DOCTOR, proc.pid)
    sessions = Sessions(DESK, *([session] if session else []))
    assert (await gather(caller, Bus(caller), sessions, proc=proc.root)).session_id is None


async def test_a_container_is_in_nobodys_session(proc: Proc) -> None:
    proc.write(cgroup=f"/system.slice/docker-{'ab' * 32}.scope", depth=1)
    caller = Caller(":1.7", DOCTOR, proc.pid)
    found = await gather(caller, Bus(caller), Sessions(DESK), proc=proc.root)
    assert (found.session_id, found.placement.container, found.namespaced) == (None, "docker", True)


async def test_a_session_that_became_another_users_counts_no_longer() -> None:
    assert facts().session(Sessions(replace(DESK, uid=1001))) is None
    assert facts().session(Sessions()) is None


async def refused(caller: Caller, bus: Bus, proc: Path = Path("/proc")) -> str:
    with pytest.raises(CallerUnknown) as caught:
        await gather(caller, bus, Sessions(DESK), proc=proc)
    return str(caught.value)


async def test_a_process_that_ended(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    caller = Caller(":1.7", os.getuid(), sleeper.pid)
    assert "ended" in await refused(caller, Bus(caller))


async def test_a_process_that_ends_meanwhile(sleeper: subprocess.Popen[bytes], proc: Proc) -> None:
    def end() -> None:
        sleeper.kill()
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    caller = Caller(":1.7", DOCTOR, proc.pid)
    # Its /proc still reads well, as it would if the number were another's by now.
    assert "ended" in await refused(caller, Bus(caller, end), proc.root)


async def test_a_connection_that_left_meanwhile(proc: Proc) -> None:
    assert "left the bus" in await refused(Caller(":1.7", DOCTOR, proc.pid), Bus(None), proc.root)


@pytest.mark.parametrize("again", [{"uid": 1001}, {"pid": 1}])
async def test_other_credentials_the_second_time(proc: Proc, again: dict[str, Any]) -> None:
    caller = Caller(":1.7", DOCTOR, proc.pid)
    assert "another" in await refused(caller, Bus(replace(caller, **again)), proc.root)


async def test_a_number_that_passed_to_another_users_process(proc: Proc) -> None:
    proc.write(uid=1001)
    caller = Caller(":1.7", DOCTOR, proc.pid)
    assert "another user" in await refused(caller, Bus(caller), proc.root)


async def test_a_number_that_passed_on_meanwhile(proc: Proc) -> None:
    caller = Caller(":1.7", DOCTOR, proc.pid)
    assert "passed to another" in await refused(caller, Bus(caller, lambda: proc.write(start_time=78)), proc.root)


@pytest.mark.parametrize("cgroup", [APP.replace("1000", "1001"), "/system.slice/records.service", "/"])
async def test_outside_of_the_users_own_slice_there_is_no_session(proc: Proc, cgroup: str) -> None:
    proc.write(cgroup=cgroup)  # sudo in a terminal, a system service of that user
    caller = Caller(":1.7", DOCTOR, proc.pid)
    assert (await gather(caller, Bus(caller), Sessions(DESK), proc=proc.root)).session_id is None


@pytest.mark.parametrize("pid", [None, 0])
async def test_no_process_told(pid: int | None) -> None:
    caller = Caller(":1.7", DOCTOR, pid)
    assert "does not say" in await refused(caller, Bus(caller))


def test_the_applications_name() -> None:
    assert facts(unit="session-2.scope", session="2").application == ""
    assert facts(unit="records.service").application == "records.service"
    assert facts(unit="user@1000.service", user_unit="app-x.scope").application == "app-x.scope"
    assert facts(user_unit="app-x.scope", executable="/usr/bin/x").application == "/usr/bin/x"
    assert facts(user_unit="app-x.scope", executable="/usr/bin/x", flatpak="org.a.b").application == "org.a.b"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"name": ":1.7", "pid": 1}, True),
        ({}, {}, True),
        ({}, {"start_time": 78}, False),
        ({}, {"pid": 1}, False),
        ({"flatpak": "org.a.b"}, {"pid": 1, "flatpak": "org.a.b"}, True),
        ({"flatpak": "org.a.b"}, {"pid": 1, "flatpak": "org.a.c"}, False),
        ({"flatpak": "org.a.b", "unit": "user@1000.service"}, {"pid": 1, "unit": "user@1000.service"}, False),
        ({"snap": "a.b"}, {"pid": 1, "snap": "a.c"}, True),
        ({"snap": "a.b"}, {"pid": 1, "snap": "b.b"}, False),
        ({"user_unit": "app-x.scope"}, {"pid": 1, "user_unit": "app-x.scope"}, True),
        ({"user_unit": "app-x.scope"}, {"pid": 1, "user_unit": "agent.service"}, False),
        ({"user_unit": "init.scope"}, {"pid": 1, "user_unit": "init.scope"}, False),
        ({"unit": "records.service"}, {"pid": 1, "unit": "records.service"}, True),
        ({"unit": "session-2.scope"}, {"pid": 1, "unit": "session-2.scope"}, False),
        ({"unit": "user@1000.service"}, {"pid": 1, "unit": "user@1000.service"}, False),
        ({"unit": "records.service"}, {"pid": 1, "uid": 1001, "unit": "records.service"}, False),
    ],
)
def test_same_application(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    left, right = facts(**{"name": ":1.7", **one}), facts(**{"name": ":1.8", **other})
    assert same_application(left, right) is same
    assert same_application(right, left) is same
