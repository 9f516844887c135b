"""Where the daemon's process begins: what it must never load is barred before anything else is imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

BARRED = ("ssl", "_hashlib")
"""Standard modules whose absence Python itself provides for (asyncio without TLS, hashlib with its own SHA-2), and
which would map a second OpenSSL into a process that handles PINs, beside the one that `cryptography` carries: 5 MB and
a library that nothing here calls. See docs/decisions/0004."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cardd`."""
    for name in BARRED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: an import of it fails at once
    # What is imported stays: looking for garbage in it meanwhile costs 20 ms, and each later look would touch it again.
    gc.disable()
    from cardd.daemon import main as run  # noqa: PLC0415  # after the bars

    gc.freeze()
    gc.enable()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
