"""What a token's process gives up before it loads foreign code. It has the daemon's own sandbox besides."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
"""Linux, linux/prctl.h."""
_FILES_MAX: Final = 256
_MEMORY_MAX: Final = 1 << 31
"""Bytes of address space."""


def confine(parent: int) -> None:
    """Die with the daemon's thread that started this process; gain no rights; leave no core; be closed to others.

    Args:
        parent: process id of the daemon.

    Raises:
        OSError: the kernel refuses.
        ProcessLookupError: the daemon has ended meanwhile.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the daemon has ended")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    os.umask(0o077)
    os.chdir("/")
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES_MAX),
        (resource.RLIMIT_AS, _MEMORY_MAX),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    unused = ctypes.c_ulong(0)
    if library.prctl(option, ctypes.c_ulong(value), unused, unused, unused) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
