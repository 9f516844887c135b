"""A little host for tests of host files: its own users, /run and system bus, on the files of the real one.

Mount, process and control group namespaces hold it, so that nothing of the machine changes; leaving the context ends
every process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]

CARDD_UID = 61001
MEMBER_UID = 61002
OUTSIDER_UID = 61003

_USERS = {"cardd": CARDD_UID, "doctor": MEMBER_UID, "visitor": OUTSIDER_UID}
_COMMAND_SECONDS = 60

# Directories whose content is that of the staged tree (and of ``extra``) instead of the host's administrator's.
_STAGED = ("/etc/dbus-1/system.d", "/etc/polkit-1/rules.d")

# Moves itself into the groups that are named before "--", then becomes the command behind it.
_ENTER = """
set -eu
until [ "$1" = -- ]; do echo $$ >"$1/cgroup.procs"; shift; done
shift
exec "$@"
"""

_SETUP = """
set -eu
stage=$1; extra=$2; shift 2
mount --bind "$extra/passwd" /etc/passwd
mount --bind "$extra/group" /etc/group
for directory in "$@"; do
    mkdir -p "$directory"
    mount -t tmpfs -o mode=0755 none "$directory"
    cp "$stage$directory"/* "$directory"
done
mount -t tmpfs -o mode=0755 none /run
mkdir /run/dbus
echo ready
exec sleep infinity
"""


def stage(directory: Path, prefix: str = "/usr/local") -> Path:
    """Install the host's files below ``directory`` by scripts/install-host, and give it back."""
    install_host(directory, "--host-only", prefix=prefix)
    return directory


def install_host(destination: Path, *arguments: str, prefix: str = "/usr/local") -> str:
    """Run scripts/install-host with DESTDIR; gives what it printed."""
    environment = {**os.environ, "DESTDIR": str(destination), "PREFIX": prefix}
    command = [str(REPOSITORY / "scripts" / "install-host"), *arguments]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def own_control_groups() -> list[Path]:
    """A new control group in each hierarchy that systemd would use for its units; empty where none can be made."""
    made = []
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    paths = {controllers or "unified": path for _, controllers, path in lines}
    mounts = {
        "name=systemd": (Path("/sys/fs/cgroup/systemd"),),
        "unified": (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")),
    }
    for hierarchy, places in mounts.items():
        place = next((one for one in places if (one / "cgroup.procs").exists()), None)
        if place is not None and hierarchy in paths:
            group = place / paths[hierarchy].lstrip("/") / f"cardd-test-{secrets.token_hex(4)}"
            with contextlib.suppress(OSError):  # read-only, as in most containers
                group.mkdir()
                made.append(group)
    return made


class Host:
    """The little host; a context manager. For root: it makes namespaces and becomes other users.

    Args:
        staged: the tree that ``stage`` made; its D-Bus policy and polkit rules are in force inside.
        scratch: an empty directory for its own files.
    """

    def __init__(self, staged: Path, scratch: Path) -> None:
        self._staged = staged
        self._scratch = scratch
        self._processes: list[subprocess.Popen[str]] = []
        self._leader = 0
        self._groups: list[Path] = []

    def __enter__(self) -> Self:
        self._write_users()
        self._groups = own_control_groups()
        command = ["bash", "-c", _ENTER, "enter", *map(str, self._groups), "--"]
        command += ["unshare", "--cgroup", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
        command += ["--kill-child", "bash", "-c", _SETUP, "setup", str(self._staged), str(self._scratch), *_STAGED]
        holder = self._popen(command)
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            raise AssertionError(f"no namespaces here: {holder.communicate(timeout=_COMMAND_SECONDS)}")
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()
        self._leader = int(children.split()[0])
        return self

    def __exit__(self, *exception: object) -> None:
        # The first process of a process namespace takes all others with it, those that no longer have a parent too.
        os.kill(self._leader, signal.SIGKILL)
        for process in self._processes:
            process.communicate(timeout=_COMMAND_SECONDS)
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)

    def place(self, pid: int, path: str) -> None:
        """Put a process where systemd would have put it.

        Args:
            pid: as it is inside.
            path: of the control group, from the root of systemd's hierarchy.
        """
        if self._groups:
            script = 'for root; do mkdir -p "$root$path"; echo "$pid" >"$root$path/cgroup.procs"; done'
            arguments = [str(group) for group in self._groups]
        else:
            # No control group can be made here: the kernel's file about the process is replaced, and nothing above it.
            script = (
                'printf "1:name=systemd:%s\\n0::%s\\n" "$path" "$path" >"/run/cgroup.$pid"; '
                'mount --bind "/run/cgroup.$pid" "/proc/$pid/cgroup"'
            )
            arguments = []
        command = ["env", f"pid={pid}", f"path={path}", "bash", "-euc", script, "place", *arguments]
        done = self.run(command)
        assert done.returncode == 0, done.stderr

    def start_bus(self) -> None:
        """Start the system bus, with the configuration of the real one."""
        bus = self.start(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
        self._first_line(bus)

    def run(self, command: Sequence[str], uid: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end, as the user of that number with all its groups."""
        entered = self._entered(command, uid)
        return subprocess.run(entered, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)

    def start(self, command: Sequence[str], uid: int = 0) -> subprocess.Popen[str]:
        """Start a command inside that runs until the host ends."""
        return self._popen(self._entered(command, uid))

    def start_ready(self, command: Sequence[str], uid: int = 0) -> str:
        """Start a command inside, wait for its first line and give that."""
        return self._first_line(self.start(command, uid))

    @staticmethod
    def _first_line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise AssertionError(f"{process.args!r} ended: {process.communicate(timeout=_COMMAND_SECONDS)}")
        return line

    def _entered(self, command: Sequence[str], uid: int) -> list[str]:
        identity = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--init-groups", "--"] if uid else []
        return [
            "nsenter",
            f"--target={self._leader}",
            "--cgroup",
            "--mount",
            "--pid",
            "--root",
            "--wd",
            "--",
            *identity,
            *command,
        ]

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        return process

    def _write_users(self) -> None:
        self._scratch.chmod(0o755)
        passwd = Path("/etc/passwd").read_text()
        group = Path("/etc/group").read_text()
        # Taken out first, where cardd is installed on this machine.
        passwd = "".join(line for line in passwd.splitlines(True) if line.split(":")[0] not in _USERS)
        group = "".join(line for line in group.splitlines(True) if line.split(":")[0] not in _USERS)
        for name, uid in _USERS.items():
            passwd += f"{name}:x:{uid}:{uid}::/:/usr/sbin/nologin\n"
            group += f"{name}:x:{uid}:\n"
        (self._scratch / "passwd").write_text(passwd)
        (self._scratch / "group").write_text(group)
