"""The processes of a PKCS#11 module: ``python -m cardd_drivers.pkcs11.child``, started by `source`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any

from cardd_drivers.isolated.serving import process_main


def _make(settings: Mapping[str, Any], connection: socket.socket) -> Any:  # foreign code is loaded once confined
    if settings["slot"] is None:
        from cardd_drivers.pkcs11.watching import Watching  # noqa: PLC0415 - as above

        Watching(settings["module"], settings["slots"], settings["poll"], connection).run()
        return None
    from cardd_drivers.pkcs11.module import ModuleToken  # noqa: PLC0415 - as above

    return ModuleToken(settings["module"], settings["slot"])


if __name__ == "__main__":
    sys.exit(process_main(_make, sys.argv[1:]))
