"""A process that runs Python as the daemon's own does."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cardd.daemon import SWITCH_SECONDS


@contextmanager
def as_the_daemon() -> Iterator[None]:
    """Threads take turns as quickly, and the garbage collector has nothing old to look at."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
