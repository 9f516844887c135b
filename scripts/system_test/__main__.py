"""Order of things: may it run here, the image, the machine, the installation, the tests."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from scripts.system_test.image import ImageError, Unreachable, debian_image, python_packages
from scripts.system_test.machine import CLONE, WHEELS, Machine, MachineError
from scripts.system_test.obstacles import obstacle

SKIPPED = 77
"""Exit code where this machine cannot run it, as Automake and Meson have it."""
TESTS = "tests/system"
SOURCES = "/usr/src/cardd"
"""Where the clone is copied to in the machine, as an administrator's own clone, and installed from."""

# A clone holds what was committed, not what was made from it; .git is not read by the installation.
COPY = (
    f"mkdir {SOURCES} && tar -C {CLONE} --exclude=./.?* --exclude=__pycache__ -c . "
    f"| tar -C {SOURCES} --no-same-owner -x"
)
INSTALL = f"cd {SOURCES} && PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS} scripts/install-host"
PYTEST = f"cd {CLONE} && exec .venv/bin/python -B -m pytest -p no:cacheprovider -v"


def main() -> int:
    """Run it.

    Returns:
        pytest's exit code, 1 where the machine could not be made, `SKIPPED` where this machine cannot have one.
    """
    options, for_pytest = _options()
    forbidden = obstacle()
    if forbidden is not None:
        print(f"system-test: skipped: {forbidden}")
        return SKIPPED
    clock = _Clock()
    try:
        image, wheels = debian_image(options.cache), python_packages(options.cache)
        clock.say("Debian's image and the Python packages are there")
        with Machine(image, wheels) as machine:
            clock.say("it is booted")
            machine.check("sh", "-c", COPY)
            machine.check("sh", "-c", INSTALL)
            clock.say("cardd is installed")
            if options.shell:
                return machine.run("bash", terminal=True)
            status = machine.run("sh", "-c", f'{PYTEST} "$@"', "pytest", *(for_pytest or [TESTS]))
            clock.say("the tests have run")
    except Unreachable as error:
        print(f"system-test: skipped: {error}")
        return SKIPPED
    except (ImageError, MachineError, OSError, subprocess.SubprocessError) as error:
        print(f"system-test: {error}", file=sys.stderr)
        return 1
    clock.say("and the machine is gone")
    return status


def _options() -> tuple[argparse.Namespace, list[str]]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cardd" / "system-test"
    parser = argparse.ArgumentParser(prog="scripts/system-test", description=__doc__, allow_abbrev=False)
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="image and packages (%(default)s)")
    parser.add_argument("--shell", action="store_true", help="a shell in the machine instead of the tests")
    options, for_pytest = parser.parse_known_args()
    if for_pytest and not any(argument.startswith(TESTS) for argument in for_pytest):
        for_pytest.append(TESTS)
    return options, for_pytest


class _Clock:
    """Tells how long each step took."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def say(self, what: str) -> None:
        now = time.monotonic()
        print(f"system-test: {what} ({now - self._last:.1f} s)", flush=True)
        self._last = now


if __name__ == "__main__":
    sys.exit(main())
