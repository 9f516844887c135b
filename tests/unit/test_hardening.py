"""What a process that handles PINs asks of the kernel for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HARDENED = """
import ctypes, sys
assert ctypes.CDLL(None).setgid(65534) == ctypes.CDLL(None).setuid(65534) == 0
assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0  # as after an exec: a change of the user alone closes it
if sys.argv[1] == "closed":
    from cardd.hardening import close_memory
    close_memory()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may start a process of another user")
@pytest.mark.parametrize(("how", "owner"), [("closed", 0), ("open", 65534)])
def test_the_memory_is_roots_alone_and_leaves_no_core(how: str, owner: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HARDENED, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        folder = Path("/proc") / str(process.pid)
        # Files of a process that cannot be dumped belong to root (proc(5)): its own user may not open them.
        assert (folder / "mem").stat().st_uid == owner
        core = next(line for line in (folder / "limits").read_text().splitlines() if line.startswith("Max core"))
        if how == "closed":  # otherwise it is the limit of the tests' own process, whatever that is
            assert core.split()[4:6] == ["0", "0"]
        as_its_user = ["setpriv", "--reuid=65534", "--clear-groups", "--regid=65534", "--bounding-set=-all"]
        opened = subprocess.run([*as_its_user, "cat", str(folder / "environ")], check=False, capture_output=True)
        assert (opened.returncode == 0) == (how == "open")
        # What access rules need of a caller stays readable.
        for name in ("stat", "status", "cgroup"):
            subprocess.run([*as_its_user, "cat", str(folder / name)], check=True, capture_output=True)
