"""The unit under the real systemd: what starts it, what brings it back, what a bad configuration does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.conftest import CONFIGURATION
from tests.system.machine import fact, facts, run

CARDCTL = "/usr/local/bin/cardctl"
VERSION = ("org.cardd1", "/org/cardd1", "org.cardd1.Manager", "Version")


class Watch:
    """What `cardctl watch` tells, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def until(self, *words: str) -> None:
        """Wait for an event that has all these words."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if all(f'"{word}"' in line for word in words):
                return
        raise AssertionError(f"cardctl watch ended with {self._process.wait()}")


@contextmanager
def watching() -> Iterator[Watch]:
    """Follow cardd, which is started if it does not run."""
    with subprocess.Popen([CARDCTL, "--json", "watch"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Watch(process)
        finally:
            process.terminate()


@pytest.fixture
def stopped() -> Iterator[None]:
    """Neither cardd nor pcscd runs, as after boot; both run again afterwards."""
    # One after the other: a cardd that still runs would wake pcscd again, by its socket.
    run("systemctl", "stop", "cardd.service")
    run("systemctl", "stop", "pcscd.service")
    yield
    run("systemctl", "start", "cardd.service")


def state(unit: str) -> str:
    return fact(unit, "ActiveState")


@pytest.mark.usefixtures("stopped")
def test_anybodys_first_call_starts_it_and_it_starts_pcscd() -> None:
    assert (state("cardd.service"), state("pcscd.service"), state("pcscd.socket")) == ("inactive", "inactive", "active")
    asked = run("setpriv", "--reuid=nobody", "--clear-groups", "busctl", "get-property", *VERSION)
    assert asked.stdout.startswith('s "')
    assert state("cardd.service") == "active"
    with watching() as watch:
        watch.until("identified")  # the simulated card comes back by itself
    # By its socket: nothing else here wants it.
    assert state("pcscd.service") == "active"
    assert "cardd" not in facts("pcscd.service", "WantedBy", "RequiredBy").values()


def test_one_that_is_killed_comes_back_and_knows_the_card() -> None:
    with watching() as watch:
        watch.until("identified")
        before = facts("cardd.service", "MainPID", "NRestarts")
        os.kill(int(before["MainPID"]), signal.SIGKILL)
        watch.until("service-stopped")
        watch.until("identified")
    after = facts("cardd.service", "MainPID", "NRestarts")
    assert after["MainPID"] != before["MainPID"]
    assert int(after["NRestarts"]) == int(before["NRestarts"]) + 1


def test_a_pcscd_that_is_killed_comes_back_by_its_socket() -> None:
    with watching() as watch:
        watch.until("identified")
        os.kill(int(fact("pcscd.service", "MainPID")), signal.SIGKILL)
        watch.until("card-removed")
        watch.until("identified")
    assert state("pcscd.service") == "active"


def test_a_reload_shows_the_wrong_line_and_keeps_what_is_in_force() -> None:
    right, pid = CONFIGURATION.read_text(), fact("cardd.service", "MainPID")
    try:
        CONFIGURATION.write_text(right + "\n[nonsense]\n")
        assert run("systemctl", "reload", "cardd.service", check=False).returncode != 0
        said = run("journalctl", "--unit=cardd.service", "--output=cat", "--lines=20").stdout
        assert f"{CONFIGURATION}, line {right.count(chr(10)) + 2}" in said
    finally:
        CONFIGURATION.write_text(right)
    assert fact("cardd.service", "MainPID") == pid
    run("systemctl", "reload", "cardd.service")


def test_a_start_with_a_wrong_configuration_is_not_tried_again() -> None:
    right = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text(right + "\n[nonsense]\n")
        run("systemctl", "restart", "cardd.service", check=False)
        # EX_CONFIG of sysexits.h
        assert facts("cardd.service", "ActiveState", "ExecMainStatus", "NRestarts") == {
            "ActiveState": "failed",
            "ExecMainStatus": "78",
            "NRestarts": "0",
        }
    finally:
        CONFIGURATION.write_text(right)
        run("systemctl", "reset-failed", "cardd.service")
        run("systemctl", "start", "cardd.service")
