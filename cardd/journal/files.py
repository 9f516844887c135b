"""The file layer: everything that the journal asks of its directory, behind one seam that tests can break."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Handle(Protocol):
    """An open file. Every method may raise OSError."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes; fewer at the end."""

    def write_at(self, offset: int, data: bytes) -> int:
        """Write some of ``data``; gives how many bytes."""

    def truncate(self, size: int) -> None:
        """Cut (or lengthen) the file."""

    def sync(self) -> None:
        """Return when the content and size are on the medium."""

    def make_read_only(self) -> None:
        """Set the mode 0440."""

    def close(self) -> None:
        """Give it back."""


class Files(Protocol):
    """The journal's directory. Every method may raise OSError."""

    def lock(self) -> None:
        """Take the directory for this process; BlockingIOError where another has it."""

    def names(self) -> list[str]:
        """Names of the files in it."""

    def size(self, name: str) -> int:
        """Bytes in a file."""

    def create(self, name: str, mode: int) -> Handle:
        """A new file; FileExistsError where there is one."""

    def open(self, name: str, *, write: bool = False) -> Handle:
        """A file that exists."""

    def rename(self, name: str, to: str) -> None:
        """Give another name."""

    def remove(self, name: str) -> None:
        """Take a name away."""

    def sync_directory(self) -> None:
        """Return when the names are on the medium."""


class FileHandle:
    """`Handle` over a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        """pread(2), repeated until the end of the file."""
        parts: list[bytes] = []
        while length > 0:
            part = os.pread(self._descriptor, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes) -> int:
        """pwrite(2)."""
        return os.pwrite(self._descriptor, data, offset)

    def truncate(self, size: int) -> None:
        """ftruncate(2)."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """fdatasync(2), which brings a changed size to the medium too."""
        os.fdatasync(self._descriptor)

    def make_read_only(self) -> None:
        """fchmod(2)."""
        os.fchmod(self._descriptor, 0o440)

    def close(self) -> None:
        """close(2); a second call does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class DirectoryFiles:
    """`Files` over a real directory, by its descriptor: whoever renames the path does not lead it elsewhere.

    Args:
        path: of the directory; its parent must be there.

    Raises:
        OSError: it cannot be made or opened.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.mkdir(mode=0o750, exist_ok=True)
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def lock(self) -> None:
        """flock(2) on the directory, without waiting."""
        fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def names(self) -> list[str]:
        """The directory's listing."""
        # Opened anew: a listing moves the offset of its open file, and threads that shared one would miss names.
        listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            return os.listdir(listing)
        finally:
            os.close(listing)

    def size(self, name: str) -> int:
        """lstat(2)."""
        return os.stat(name, dir_fd=self._directory, follow_symlinks=False).st_size

    def create(self, name: str, mode: int) -> FileHandle:
        """open(2) with O_EXCL; the mode as given, whatever the umask."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(name, flags, mode, dir_fd=self._directory)
        os.fchmod(descriptor, mode)
        return FileHandle(descriptor)

    def open(self, name: str, *, write: bool = False) -> FileHandle:
        """open(2), no symbolic link."""
        flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
        return FileHandle(os.open(name, flags, dir_fd=self._directory))

    def rename(self, name: str, to: str) -> None:
        """renameat(2)."""
        os.rename(name, to, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def remove(self, name: str) -> None:
        """unlinkat(2)."""
        os.unlink(name, dir_fd=self._directory)

    def sync_directory(self) -> None:
        """fsync(2) of the directory."""
        os.fsync(self._directory)

    def close(self) -> None:
        """Give the directory and its lock back."""
        if self._directory >= 0:
            descriptor, self._directory = self._directory, -1
            os.close(descriptor)


def write_all(handle: Handle, offset: int, data: bytes) -> None:
    """Write every byte, in as many calls as it takes.

    Raises:
        OSError: of the call that failed, or where nothing more goes in.
    """
    view = memoryview(data)
    while view:
        written = handle.write_at(offset, bytes(view) if len(view) < len(data) else data)
        if written <= 0:
            raise OSError(5, "the file takes no more bytes")
        view = view[written:]
        offset += written
