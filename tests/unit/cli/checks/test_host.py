"""Checks of the computer: each state of each, with its remedy."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cardd
from cardd.cli.checks.host import check_clock, check_opensc, check_pcscd, check_policy, check_rights
from cardd.cli.checks.model import Host, State, this_host

INSTALLED = datetime.fromtimestamp(Path(cardd.__file__).stat().st_mtime, UTC)


def host_of(
    root: Path,
    *,
    now: datetime = INSTALLED + timedelta(days=1),
) -> Host:
    return Host(root, root / "pcscd.comm", now)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "pcscd.comm"))
        server.listen()
        yield server


def test_pcscd_answers(tmp_path: Path, listening: socket.socket) -> None:
    assert check_pcscd(host_of(tmp_path)).state is State.OK


def test_pcscd_is_not_installed(tmp_path: Path) -> None:
    found = check_pcscd(host_of(tmp_path))
    assert found.state is State.PROBLEM
    assert "apt install pcscd" in found.remedy


def test_pcscd_is_off(tmp_path: Path, listening: socket.socket) -> None:
    listening.close()  # the file stays, as after a crash
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/pcscd").touch()
    found = check_pcscd(host_of(tmp_path))
    assert found.state is State.PROBLEM
    assert "systemctl enable --now pcscd.socket" in found.remedy


def test_opensc_is_offered_to_nobody(tmp_path: Path) -> None:
    assert check_opensc(host_of(tmp_path)).state is State.OK


MODULE = "usr/share/p11-kit/modules/opensc-pkcs11.module"


@pytest.mark.parametrize(
    ("file", "text", "state"),
    [
        (MODULE, "module: opensc-pkcs11.so\n", State.WARNING),
        ("etc/opensc/opensc.conf", 'app default {\n\t# ignored_readers = "CardMan 1021";\n}\n', State.WARNING),
        ("etc/opensc/opensc.conf", 'app default {\n    ignored_readers = "Gemalto";\n}\n', State.OK),
        ("etc/pkcs11/modules/opensc-pkcs11.module", "module: opensc-pkcs11.so\nenable-in: nothing\n", State.OK),
        ("etc/pkcs11/modules/opensc-pkcs11.module", "module: opensc-pkcs11.so\n", State.WARNING),
    ],
)
def test_opensc_is_offered_unless_a_setting_keeps_it_off(tmp_path: Path, file: str, text: str, state: State) -> None:
    for name, content in ((MODULE, "module: opensc-pkcs11.so\n"), (file, text)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = check_opensc(host_of(tmp_path))
    assert found.state is state
    assert ("docs/sharing.md" in found.remedy) is (state is State.WARNING)


def test_rights(tmp_path: Path) -> None:
    def found(file: str | None) -> tuple[State, str]:
        if file is not None:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        finding = check_rights(host_of(tmp_path))
        return finding.state, finding.remedy

    assert found(None) == (State.PROBLEM, "Install it: `sudo apt install polkitd`.")
    assert found("usr/lib/polkit-1/polkitd") == (State.PROBLEM, "Install cardd again.")
    assert found("usr/share/polkit-1/actions/org.cardd1.policy") == (State.OK, "")


@pytest.mark.parametrize("place", ["usr/share/dbus-1/system.d", "etc/dbus-1/system.d"])
def test_the_policy_is_found(tmp_path: Path, place: str) -> None:
    missing = check_policy(host_of(tmp_path))
    assert missing.state is State.PROBLEM
    assert "reload dbus" in missing.remedy
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "org.cardd1.conf").touch()
    assert check_policy(host_of(tmp_path)).state is State.OK


def test_the_clock_can_be_right(tmp_path: Path) -> None:
    assert check_clock(host_of(tmp_path), [], []).state is State.OK


def test_the_clock_is_before_the_installation(tmp_path: Path) -> None:
    found = check_clock(host_of(tmp_path, now=INSTALLED - timedelta(days=2)), [], [])
    assert found.state is State.PROBLEM
    assert "timedatectl" in found.remedy


def test_the_clock_is_before_the_newest_root(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    assert check_clock(host, [host.now + timedelta(days=2)], []).state is State.PROBLEM
    assert check_clock(host, [host.now - timedelta(days=2)], []).state is State.OK


def test_the_clock_is_after_the_last_root(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    ends = [host.now - timedelta(days=9), host.now - timedelta(days=1)]
    assert check_clock(host, [], ends).state is State.PROBLEM
    assert check_clock(host, [], [*ends, host.now + timedelta(days=1)]).state is State.OK


@pytest.mark.parametrize(("age", "state"), [(-2, State.PROBLEM), (10, State.OK), (500, State.WARNING)])
def test_the_clock_is_far_from_the_traces_on_disk(tmp_path: Path, age: int, state: State) -> None:
    host = host_of(tmp_path, now=INSTALLED + timedelta(days=1000))
    trace = tmp_path / "var/lib/systemd/timesync/clock"
    trace.parent.mkdir(parents=True)
    trace.touch()
    then = (host.now - timedelta(days=age)).timestamp()
    os.utime(trace, (then, then))
    assert check_clock(host, [], []).state is state


def test_this_host_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", "/elsewhere/pcscd.comm")
    host = this_host()
    assert host.pcscd_socket == Path("/elsewhere/pcscd.comm")
    assert abs(host.now - datetime.now(UTC)) < timedelta(minutes=10)
