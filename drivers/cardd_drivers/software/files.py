"""Reading a file that only its owner may have written, or, if it holds a key, read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

SIZE_MAX: Final = 65_536


class FileRefused(Exception):
    """A file cannot be used; the text says why, and what to do."""


def read_guarded(path: Path, *, secret: bool) -> bytes:
    """A file's content, if nobody but this process's user and root can have put it there.

    Args:
        path: absolute; its last part must be no symbolic link.
        secret: nobody but its owner may read it either.

    Raises:
        FileRefused: with the reason.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        # ELOOP is what O_NOFOLLOW gives.
        why = "is a symbolic link" if path.is_symlink() else f"cannot be opened ({error.strerror})"
        raise FileRefused(f"{path} {why}") from error
    with os.fdopen(descriptor, "rb") as file:
        _require_guarded(path, os.fstat(descriptor), secret=secret)
        folder = path.parent.stat()
        if folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX:
            raise FileRefused(f"{path.parent} may be written by others: chmod go-w {path.parent}")
        content = file.read(SIZE_MAX + 1)
    if len(content) > SIZE_MAX:
        raise FileRefused(f"{path} is longer than {SIZE_MAX} bytes")
    return content


def _require_guarded(path: Path, status: os.stat_result, *, secret: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileRefused(f"{path} is no regular file")
    if status.st_uid not in (0, os.geteuid()):
        raise FileRefused(f"{path} belongs to uid {status.st_uid}, not to cardd's user or root: chown it")
    wrong = stat.S_IRWXG | stat.S_IRWXO if secret else stat.S_IWGRP | stat.S_IWOTH
    if status.st_mode & wrong:
        how = f"chmod {'0600' if secret else 'go-w'} {path}"
        raise FileRefused(f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): {how}")
