"""What a process that handles PINs asks of the kernel for itself, whoever started it."""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
"""prctl(2)."""


def close_memory() -> None:
    """Leave no core dump, and close this process's memory to all but root, other processes of its own user among them.

    A limit alone is not enough: a core that goes to a program (core_pattern with a pipe) is written in spite of it. The
    files of /proc/PID belong to root from now on; those that anybody may read (stat, status, cgroup) stay so.

    Raises:
        OSError: the kernel refuses; it never does so on Linux.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    unused = ctypes.c_ulong(0)
    if library.prctl(_PR_SET_DUMPABLE, unused, unused, unused, unused) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
