"""Tell the story, and check each of its claims."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from scripts.demo_story.chapters import tell
from scripts.demo_story.stage import BIN, Stage
from scripts.demo_story.terminal import ClaimFailedError, Terminal

from cardsim.stage import StageError


def main() -> int:
    """Run `scripts/demo`; 0 when every claim was true."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--interactive", action="store_true", help="leave it running at the end, the card in")
    parser.add_argument("--in-process", action="store_true", help="do without pcscd")
    options = parser.parse_args()
    terminal = Terminal()
    with tempfile.TemporaryDirectory(prefix="cardd-demo-") as folder:
        Path(folder).chmod(0o755)
        stage = Stage(Path(folder), in_process=options.in_process)
        try:
            asyncio.run(tell(stage, terminal))
            if options.interactive:
                _leave_running(stage, terminal)
        except (ClaimFailedError, StageError) as error:
            print(f"\nThe demo failed: {error}\n\n--- cardd's log\n{_log(stage)}", file=sys.stderr)
            return 1
        finally:
            stage.close()
    print(f"\nAll {terminal.checks} claims were checked and hold.")
    return 0


def _leave_running(stage: Stage, terminal: Terminal) -> None:
    stage.cardsim("insert", "--control", str(stage.control))
    terminal.say("It stays until Ctrl-C; the card is in again. In another terminal:")
    for command in (
        f"{BIN}/cardctl --bus '{stage.bus}' status",
        f"{BIN}/cardctl --bus '{stage.bus}' login",
        f"{BIN}/cardsim remove --control {stage.control}",
    ):
        print(f"     {command}")
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _log(stage: Stage) -> str:
    try:
        return stage.cardd.log()[-4000:]
    except StageError:
        return "(it never ran)"


if __name__ == "__main__":
    sys.exit(main())
