"""Run by scripts/bench."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable

from benchmarks.figure import Figure

GROUPS = {
    "apdus": ("benchmarks.apdus", "measure"),
    "peers": ("benchmarks.peers", "measure"),
    "removal": ("benchmarks.latency", "removals"),
    "insert": ("benchmarks.load", "insertions"),
    "card": ("benchmarks.load", "utilisation"),
    "readers": ("benchmarks.load", "sixteen_readers"),
    "dbus": ("benchmarks.latency", "sign_overhead"),
    "daemon": ("benchmarks.process", "measure"),
    "journal": ("benchmarks.journal", "measure"),
    "token": ("benchmarks.tokens", "measure"),
    "access": ("benchmarks.access", "measure"),
}
"""What is measured together, by the beginning of the figures' names."""


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names; all figures without")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    wanted = tuple(options.names) or tuple(GROUPS)
    groups = [group for group in GROUPS if any(group.startswith(name.split("/")[0]) for name in wanted)]
    if not groups:
        parser.error(f"no figure begins with {' or '.join(wanted)}; there are {', '.join(GROUPS)}")
    for group in groups:
        module, function = GROUPS[group]
        measure: Callable[[], Iterable[Figure]] = getattr(importlib.import_module(module), function)
        for figure in measure():
            if not options.names or figure.name.startswith(wanted):
                print(figure.line() if options.json else _row(figure), flush=True)
    return 0


def _row(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} ×"
    compared = f"{ratio} {figure.reference} ({figure.reference_value:g})"
    return f"{figure.name:32} {figure.value:9.2f} {figure.unit:9} {compared:42} {figure.note}"


if __name__ == "__main__":
    sys.exit(main())
