"""The machine of scripts/system-test: its users, its card, its configuration.

Outside of that machine nothing here is collected: there is nothing that it could be tried on.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.logins import ADDRESS, KEY, Logins
from tests.system.machine import inside, run

collect_ignore_glob = [] if inside() else ["test_*.py"]

USERS = ("doctor", "nurse")
CONFIGURATION = Path("/etc/cardd/cardd.toml")
AUTHORITIES = "/etc/cardd/simulator"
CARDSIM = str(Path(sys.executable).parent / "cardsim")


@pytest.fixture(scope="session", autouse=True)
def card() -> Iterator[None]:
    """A simulated card in the virtual reader of the machine's own pcscd, and a cardd that trusts its authorities."""
    run(CARDSIM, "pki", "export", AUTHORITIES)
    written = CONFIGURATION.read_text()
    trusting = written.replace('simulator = ""', f'simulator = "{AUTHORITIES}"')
    assert trusting != written
    CONFIGURATION.write_text(trusting)
    # The driver listens once pcscd runs; it ends itself when nobody uses it, and cardd does.
    run("systemctl", "start", "pcscd", "cardd")
    with subprocess.Popen([CARDSIM, "run"], stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        assert "ready\n" in iter(simulator.stdout.readline, "")
        yield
        simulator.terminate()


@pytest.fixture(scope="session", autouse=True)
def users() -> None:
    """The users, each with an account that ssh lets in by root's key."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY)
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    for user in USERS:
        run("useradd", "--create-home", "--shell", "/bin/bash", user)
        home = f"/home/{user}/.ssh"
        run("install", "-d", "-o", user, "-g", user, "-m", "0700", home)
        run("install", "-o", user, "-g", user, "-m", "0600", f"{KEY}.pub", f"{home}/authorized_keys")


@pytest.fixture
def logins() -> Iterator[Logins]:
    """Nobody yet."""
    with Logins() as everybody:
        yield everybody
