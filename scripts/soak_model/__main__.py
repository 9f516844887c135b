"""Run by scripts/soak."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import random
import sys
import time
import traceback
from pathlib import Path

from cardd.readers import watch
from cardd.sessions import presence, session
from tests.support.model import MACHINES, Sessions, run_model
from tests.support.world import SEEN

EXAMPLES = 40
"""Of one seed."""


def main() -> int:
    """Soak, and tell what was found."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("hours", nargs="?", type=float, default=1.0)
    parser.add_argument("--seed", type=int, help="run the examples of this seed alone, once")
    parser.add_argument("--keep", type=Path, default=Path("soak-findings"), help="directory of what is found")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    # As in the tests: no time is let pass on purpose.
    presence.WRONG_CODE_PAUSE = 0
    session.PULLED_SECONDS = session.HEAD_START_SECONDS = watch.BACK_OFF_FIRST = 0.001
    until = time.monotonic() + options.hours * 3600
    found = 0
    while True:
        seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
        found += sum(not _holds(machine, seed, options.keep) for machine in MACHINES)
        print(f"seed {seed}: {Sessions.steps} steps, {found} findings", flush=True)
        if options.seed is not None or time.monotonic() >= until:
            break
    for what, count in sorted(SEEN.items()):
        print(f"  {what}: {count}")
    return 1 if found else 0


def _holds(machine: type[Sessions], seed: int, keep: Path) -> bool:
    """Whether nothing was found; else it is kept."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            run_model(machine, seeded=seed, examples=EXAMPLES)
            Sessions.discard_world()
    except KeyboardInterrupt:
        raise
    except BaseException:  # hypothesis raises groups, too; each is a finding
        Sessions.discard_world(quietly=True)
        keep.mkdir(exist_ok=True)
        path = keep / f"{machine.__name__}-{seed}.txt"
        path.write_text(f"scripts/soak --seed {seed}\n\n{said.getvalue()}\n{traceback.format_exc()}", "utf-8")
        print(f"found something with seed {seed}, hold = {machine.hold}: {path}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
