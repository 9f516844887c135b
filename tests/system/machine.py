"""What the tests do as root of the machine that they run in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

BOOTED: Final = Path("/run/systemd/container")
"""Where systemd writes in which kind of container it runs."""
INSTALLED: Final = Path("/usr/src/cardd")
"""The clone from which scripts/system-test installed cardd; every user may read it."""
PYTHON: Final = "/usr/local/lib/cardd/bin/python"
_SECONDS: Final = 60


def inside() -> bool:
    """Whether this is the machine that scripts/system-test boots."""
    return BOOTED.exists() and BOOTED.read_text().strip() == "systemd-nspawn" and INSTALLED.is_dir()


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; it must succeed unless said otherwise."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def facts(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit, as systemd has them in force."""
    shown = run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def fact(unit: str, name: str) -> str:
    """One property of a unit."""
    return facts(unit, name)[name]


def settle() -> None:
    """Let polkitd see what logind changed: it looks at its files and its calls in turn, and tells cardd before us."""
    authority = "org.freedesktop.PolicyKit1.Authority"
    for _ in range(2):
        where = ("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority")
        run("busctl", "get-property", *where, authority, "BackendName")
