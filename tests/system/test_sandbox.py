"""The sandbox of the running daemon: what the kernel says of the process, not what the unit asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.system.machine import fact, run

EXPOSURE_MAX: Final = 2.0


@pytest.fixture(scope="module", autouse=True)
def started() -> None:
    run("systemctl", "start", "cardd.service")


def process() -> Path:
    return Path("/proc") / fact("cardd.service", "MainPID")


def status() -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in (process() / "status").read_text().splitlines() if ":\t" in line)


def inside(*command: str) -> str:
    """What a command of root's, with all its rights, does in the daemon's mount namespace."""
    done = run("nsenter", f"--target={process().name}", "--mount", "--", *command, check=False)
    return f"{done.returncode} {done.stdout}{done.stderr}".strip()


def test_systemd_finds_little_exposed() -> None:
    said = run("systemd-analyze", "security", "--no-pager", "cardd.service").stdout
    found = re.search(r"exposure level for cardd\.service: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= EXPOSURE_MAX


def test_it_is_its_own_user_without_rights() -> None:
    found = status()
    assert set(found["Uid"].split()) == {run("id", "--user", "cardd").stdout.strip()}
    assert {found[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"  # SECCOMP_MODE_FILTER


def test_no_core_file_and_locked_memory_for_a_pin() -> None:
    # proc(5): the name in 26 columns, then the soft and the hard limit.
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process() / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max locked memory"] == [str(8 << 20)] * 2


def test_its_own_user_cannot_read_its_memory() -> None:
    # proc(5): the files of a process that cannot be dumped belong to root.
    assert (process() / "mem").stat().st_uid == 0 != int(status()["Uid"].split()[0])


@pytest.mark.parametrize("place", ["/usr/x", "/etc/x", "/etc/cardd/x", "/var/lib/x", "/var/log/x", "/srv/x"])
def test_it_sees_the_machine_read_only(place: str) -> None:
    assert "Read-only file system" in inside("touch", place)


def test_it_may_write_what_is_its_own() -> None:
    for place in ("/var/lib/cardd/x", "/var/lib/cardd/journal/x", "/tmp/x"):
        assert inside("touch", place) == "0"
        assert inside("rm", place) == "0"
    assert not Path("/tmp/x").exists(), "its /tmp is its own"


@pytest.mark.parametrize("home", ["/root", "/home"])
def test_it_sees_no_homes(home: str) -> None:
    assert any(Path(home).iterdir())
    assert inside("ls", "-A", home) == "0"


def test_it_sees_no_devices() -> None:
    devices = set(inside("ls", "/dev").split()[1:])
    assert {"null", "urandom"} <= devices
    assert devices.isdisjoint({"console", "kmsg", "mem", "bus", "hidraw0", "sda"})


def test_what_it_keeps_is_for_it_alone() -> None:
    owner = "cardd cardd"
    assert run("stat", "--format=%U %G %a", "/var/lib/cardd", "/var/lib/cardd/journal").stdout.splitlines() == [
        f"{owner} 750",
        f"{owner} 750",
    ]
    for path in ("/var/lib/cardd/tokens.sqlite", "/var/lib/cardd/token-key.pem"):
        assert not Path(path).exists() or run("stat", "--format=%U %G %a", path).stdout.strip() == f"{owner} 600"
