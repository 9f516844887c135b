"""Why a machine cannot be booted here; found out cheaply, before anything is downloaded."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess

from scripts.system_test.nspawn import nspawn

RELEASE = "bookworm"
TOOLS = ("systemd-nspawn", "mmdebstrap", "unshare", "nsenter", "setpriv")
_PROBE_SECONDS = 60


def obstacle() -> str | None:
    """Say why it cannot run here; None where it can."""
    if os.geteuid() != 0:
        return "booting a machine in systemd-nspawn is for root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found; scripts/setup installs what scripts/debian-packages lists"
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "another system")
    if release != RELEASE:
        # The tests run in the machine by the clone's own virtual environment: the same Python must be there.
        return f"this is {release}, the machine would be Debian 12 ({RELEASE}), and the clone's Python fits one only"
    return _refusal_of_the_kernel()


def _refusal_of_the_kernel() -> str | None:
    """Have nspawn run one command on this machine's own /usr, with all that the machine needs of the kernel."""
    try:
        tried = subprocess.run(
            nspawn("--directory=/", "--volatile=yes", "--", "/usr/bin/true"),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return "systemd-nspawn does not come to an end here"
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"]
    return f"systemd-nspawn is not let here: {said[-1]}"
