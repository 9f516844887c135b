"""A process as /proc shows it: a pid names somebody only together with the start time.

Every text here is the process's own to choose in part (its name may hold spaces, parentheses, line feeds), so each is
parsed as proc(5) says and not as it usually looks.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from cardd.access.cgroups import cgroup_path

PROC: Final = Path("/proc")
_SIZE_MAX: Final = 1 << 16
_COMM_MAX: Final = 64
"""TASK_COMM_LEN is 16; the kernel's own workers have longer names here."""

T = TypeVar("T")


class ProcessUnknown(Exception):
    """Nothing certain can be said of a process; the text says why."""


class ProcessGone(ProcessUnknown):
    """It has ended."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is wanted of /proc/PID/stat.

    Args:
        pid: as the file has it.
        comm: the name that the process gave itself; never an identity.
        start_time: clock ticks after boot.
    """

    pid: int
    comm: str
    start_time: int


@dataclass(frozen=True, slots=True)
class Status:
    """What is wanted of /proc/PID/status.

    Args:
        uids: real, effective, saved and file system uid.
        namespace_depth: process namespaces below the reader's own; 0 in the same.
    """

    uids: tuple[int, int, int, int]
    namespace_depth: int


def parse_stat(content: bytes) -> Stat:
    """Read /proc/PID/stat (proc(5)): the name ends at the last parenthesis, whatever it holds.

    Raises:
        ValueError: no such content.
    """
    opening, closing = content.find(b"("), content.rfind(b")")
    if opening < 2 or closing < opening or content[opening - 1 : opening] != b" ":
        raise ValueError("no process name in it")
    rest = content[closing + 1 :].split()
    # The state is field 3, the start time field 22.
    if len(rest) < 20 or not content[closing + 1 : closing + 2].isspace():
        raise ValueError("fewer than 22 fields")
    comm = content[opening + 1 : closing]
    if len(comm) > _COMM_MAX:
        raise ValueError("a process name that the kernel does not allow")
    return Stat(_number(content[: opening - 1]), comm.decode("utf-8", "replace"), _number(rest[19]))


def parse_status(content: bytes) -> Status:
    """Read /proc/PID/status (proc(5)).

    The kernel escapes the line feeds of the name, so that no process can write lines here.

    Raises:
        ValueError: no such content.
    """
    fields: dict[bytes, list[bytes]] = {}
    for line in content.splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name, value.split())
    uids = tuple(_number(one) for one in fields.get(b"Uid", []))
    pids = [_number(one) for one in fields.get(b"NSpid", [])]
    if len(uids) != 4 or not pids:
        raise ValueError("no Uid or NSpid line")
    return Status((uids[0], uids[1], uids[2], uids[3]), len(pids) - 1)


class Process:
    """A process held by a descriptor (pidfd_open(2)), so that its number cannot pass to another unseen.

    Args:
        pid: its number.
        proc: where procfs is mounted.

    Raises:
        ProcessGone: there is none.
        ProcessUnknown: it cannot be held.
    """

    def __init__(self, pid: int, proc: Path = PROC) -> None:
        self.pid = pid
        self._folder = proc / str(pid)
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            raise ProcessGone(f"process {pid} has ended") from None
        except (OSError, ValueError, OverflowError) as error:
            raise ProcessUnknown(f"process {pid} cannot be held: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    @property
    def alive(self) -> bool:
        """Whether it has not ended since it was held (a zombie has)."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return not poll.poll(0)

    def require_alive(self) -> None:
        """Make sure that what was read of this number was read of this process.

        Raises:
            ProcessGone: it has ended meanwhile.
        """
        if not self.alive:
            raise ProcessGone(f"process {self.pid} has ended")

    def stat(self) -> Stat:
        """Name and start time; raises as `read`."""
        return self._parsed("stat", parse_stat)

    def status(self) -> Status:
        """Users and namespaces; raises as `read`."""
        return self._parsed("status", parse_status)

    def cgroup(self) -> str:
        """Path in systemd's hierarchy; raises as `read`."""
        return self._parsed("cgroup", cgroup_path)

    def read(self, name: str) -> bytes:
        """Read a file of it.

        Raises:
            ProcessGone: it has ended.
            ProcessUnknown: the file cannot be read.
        """
        try:
            with (self._folder / name).open("rb", buffering=0) as reading:
                content = reading.read(_SIZE_MAX) or b""
        except (FileNotFoundError, ProcessLookupError) as error:
            if self.alive:
                raise ProcessUnknown(
                    f"{self._folder / name} is hidden; let the user cardd read other users' /proc (option hidepid)"
                ) from error
            raise ProcessGone(f"process {self.pid} has ended") from None
        except OSError as error:
            raise ProcessUnknown(f"{self._folder / name} cannot be read: {error.strerror}") from error
        return content

    def _parsed(self, name: str, parse: Callable[[bytes], T]) -> T:
        try:
            return parse(self.read(name))
        except ValueError as error:
            raise ProcessUnknown(f"{self._folder / name} makes no sense: {error}") from error


def _number(text: bytes) -> int:
    if not text.isdigit():
        raise ValueError("not a number")
    return int(text)
