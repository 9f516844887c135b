"""Run by scripts/soak-kills."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from scripts.soak_kills.kills import Soak, Victim
from scripts.soak_kills.scene import Scene

from cardsim import PkiStore
from tests.support.pcscd import PcscdUnavailable


def main() -> int:
    """Kill, and tell what was found."""
    parser = argparse.ArgumentParser(prog="scripts/soak-kills", description=__doc__)
    parser.add_argument("victim", choices=[one.value for one in Victim])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cardd-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            with Scene(folder, PkiStore(folder / "pki")) as scene:
                soak = Soak(scene, Victim(options.victim), options.kills, options.seed, _tell)
                result = asyncio.run(soak.run())
                log = "" if not result.findings else scene.cardd.log()[-4000:]
        except PcscdUnavailable as reason:
            print(f"soak-kills: {reason}", file=sys.stderr)
            return 77
    if log:
        print(log, file=sys.stderr)
    print(json.dumps(asdict(result)), flush=True)
    return 1 if result.findings else 0


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
