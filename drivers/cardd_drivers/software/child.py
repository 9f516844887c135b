"""The process of a key in a file: ``python -m cardd_drivers.software.child``, started by `source`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cardd_drivers.isolated.serving import process_main
from cardd_drivers.software.key_file import KeyFile


def _make(settings: Mapping[str, Any], connection: socket.socket) -> KeyFile:
    del connection
    return KeyFile(Path(settings["certificate"]), Path(settings["key"]))


if __name__ == "__main__":
    sys.exit(process_main(_make, sys.argv[1:]))
