"""Memory for secrets: pages of their own that the kernel keeps out of swap, of core dumps and of forked children.

A buffer on the heap is none of that, and leaves copies behind where it grows. Copy into a room by slices of it
(``room[2:6] = pin``), which Python does in place; the same into a ``bytearray`` makes one more copy, never wiped.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import TypeAlias

SecretBytes: TypeAlias = bytearray | memoryview
"""A secret's characters, to be wiped by whoever owns them; never a ``bytes`` or a ``str``."""

_MAP_LOCKED = {"x86_64": 0x2000, "aarch64": 0x2000, "riscv64": 0x2000}.get(os.uname().machine, 0)
"""Linux, asm-generic/mman.h: the pages are locked as by mlock(2), and the call fails where they may not be. Python has
no name for it; other machines number it otherwise, and go without."""
_MAY_NOT_LOCK = (errno.EAGAIN, errno.EPERM, errno.ENOMEM)


def secret_room(size: int) -> memoryview:
    """Zeroed memory for one secret. It lasts as long as the view, or a slice of it; wipe it before.

    Where the kernel does not let it be locked (RLIMIT_MEMLOCK), it is given all the same: see `can_lock`.

    Args:
        size: bytes; 0 gives an empty view.
    """
    pages = _locked(size) or mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_DONTDUMP)
    pages.madvise(mmap.MADV_DONTFORK)
    return memoryview(pages)[:size]


def wipe(secret: SecretBytes) -> None:
    """Overwrite a secret with zeros, in place."""
    secret[:] = bytes(len(secret))


def can_lock() -> bool:
    """Whether a room would be kept out of swap now."""
    pages = _locked(1)
    if pages is None:
        return False
    pages.close()
    return True


def _locked(size: int) -> mmap.mmap | None:
    if not _MAP_LOCKED:
        return None
    try:
        return mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_LOCKED)
    except OSError as error:
        if error.errno not in _MAY_NOT_LOCK:
            raise
        return None
