"""A disk in memory that fails on demand: short writes, ENOSPC, EIO, and crashes that lose what was not synced.

After a failed sync it does as Linux does: the pages count as clean, look right, and are not on the medium.
"""

from __future__ import annotations

import enum
import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

PAGE = 512


def chance_of(seed: int) -> random.Random:
    """Chance that comes out the same each time."""
    return random.Random(seed)  # noqa: S311  # decides what a test's crash leaves


class Crash(BaseException):
    """The machine stops in the middle of a call."""


class Failure(enum.Enum):
    """What goes wrong at a call."""

    NO_SPACE = errno.ENOSPC
    INPUT_OUTPUT = errno.EIO
    READ_ONLY = errno.EROFS
    SHORT = "short write"
    CRASH = "crash"


@dataclass
class Inode:
    """A file: what reading shows, and what the medium has."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    mode: int = 0o600


class MemoryDisk:
    """`cardd.journal.files.Files` in memory.

    Args:
        chance: decides what a crash leaves of unsynced pages and names.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self.chance = chance or chance_of(0)
        self.inodes: dict[str, Inode] = {}
        self.durable_names: dict[str, Inode] = {}
        self.calls: list[str] = []
        self.touched: list[tuple[str, str]] = []
        """Each of the calls with the file that it was on, "" for the directory."""
        self.failures: dict[int, Failure] = {}
        """By number of the call (only calls that change or sync something are counted)."""
        self.lasting: Failure | None = None
        """Every such call fails like this."""
        self.refuses: Callable[[bytes], bool] = lambda _data: False
        """Which writes find no space."""

    def _call(self, name: str, file: str = "") -> Failure | None:
        failure = self.failures.get(len(self.calls), self.lasting)
        self.calls.append(name)
        self.touched.append((name, file))
        if failure in {None, Failure.SHORT, Failure.CRASH}:
            return failure
        assert failure is not None
        if name == "sync":
            return failure
        raise OSError(failure.value, os.strerror(int(str(failure.value))))

    def lock(self) -> None:
        """Always free."""

    def names(self) -> list[str]:
        return list(self.inodes)

    def size(self, name: str) -> int:
        return len(self._inode(name).seen)

    def create(self, name: str, mode: int) -> MemoryHandle:
        crash = self._call("create", name)
        if name in self.inodes:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.inodes[name] = Inode(mode=mode)
        self._crash_if(crash)
        return MemoryHandle(self, self.inodes[name], name)

    def open(self, name: str, *, write: bool = False) -> MemoryHandle:
        inode = self._inode(name)
        if write and not inode.mode & 0o200:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return MemoryHandle(self, inode, name)

    def rename(self, name: str, to: str) -> None:
        crash = self._call("rename", name)
        self.inodes[to] = self.inodes.pop(name)
        self._crash_if(crash)

    def remove(self, name: str) -> None:
        crash = self._call("remove", name)
        self._inode(name)
        del self.inodes[name]
        self._crash_if(crash)

    def sync_directory(self) -> None:
        failure = self._call("sync-directory")
        self._crash_if(failure)
        self.durable_names = dict(self.inodes)

    def _inode(self, name: str) -> Inode:
        try:
            return self.inodes[name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None

    @staticmethod
    def _crash_if(failure: Failure | None) -> None:
        if failure is Failure.CRASH:
            raise Crash

    def after_crash(self) -> MemoryDisk:
        """The disk as the next start finds it: of what was not synced, any part may be there or not."""
        disk = MemoryDisk(self.chance)
        for name in self.inodes.keys() | self.durable_names.keys():
            now, before = self.inodes.get(name), self.durable_names.get(name)
            inode = now if now is before else self.chance.choice((now, before))
            if inode is not None:
                content = self._survived(inode)
                disk.inodes[name] = Inode(bytearray(content), bytearray(content), mode=inode.mode)
        disk.durable_names = dict(disk.inodes)
        return disk

    def _survived(self, inode: Inode) -> bytes:
        size = self.chance.choice((len(inode.seen), len(inode.durable))) if inode.dirty else len(inode.durable)
        content = bytearray(inode.durable[:size].ljust(size, b"\0"))
        for page in sorted(inode.dirty):
            if self.chance.random() < 0.5:
                part = inode.seen[page * PAGE : (page + 1) * PAGE][: max(0, size - page * PAGE)]
                content[page * PAGE : page * PAGE + len(part)] = part
        return bytes(content)


class MemoryHandle:
    """An open file of a `MemoryDisk`."""

    def __init__(self, disk: MemoryDisk, inode: Inode, name: str) -> None:
        self._disk = disk
        self._inode = inode
        self._name = name

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self._inode.seen[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> int:
        failure = self._disk._call("write", self._name)
        if self._disk.refuses(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if failure in {Failure.SHORT, Failure.CRASH}:
            data = data[: max(1, len(data) // 3)]
        seen = self._inode.seen
        if len(seen) < offset:
            seen.extend(bytes(offset - len(seen)))
        seen[offset : offset + len(data)] = data
        self._inode.dirty.update(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))
        self._disk._crash_if(failure)
        return len(data)

    def truncate(self, size: int) -> None:
        self._disk._crash_if(self._disk._call("truncate", self._name))
        del self._inode.seen[size:]
        self._inode.dirty.add(size // PAGE)

    def sync(self) -> None:
        failure = self._disk._call("sync", self._name)
        inode = self._inode
        self._disk._crash_if(failure)
        if failure not in {None, Failure.SHORT}:
            inode.dirty.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        size = len(inode.seen)
        del inode.durable[size:]
        inode.durable.extend(bytes(size - len(inode.durable)))
        for page in inode.dirty:
            inode.durable[page * PAGE : (page + 1) * PAGE] = inode.seen[page * PAGE : (page + 1) * PAGE]
        inode.dirty.clear()

    def make_read_only(self) -> None:
        crash = self._disk._call("chmod", self._name)
        self._inode.mode = 0o440
        self._disk._crash_if(crash)

    def close(self) -> None:
        """Nothing to give back."""
