"""What a check finds, and the host that it looks at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """How a check ended; `skipped`: there was nothing to look at."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in the user's language.

    Args:
        name: of the check, for programs.
        state: how it ended.
        finding: one sentence.
        remedy: what to do, empty where nothing is to be done.
    """

    name: str
    state: State
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """What the checks read of this computer.

    Args:
        root: of the file system.
        pcscd_socket: where pcscd listens.
        now: the clock.
    """

    root: Path
    pcscd_socket: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def this_host() -> Host:
    """Read the computer that this runs on."""
    return Host(
        root=Path("/"),
        # The name that libpcsclite reads, and its default.
        pcscd_socket=Path(os.environ.get("PCSCLITE_CSOCK_NAME", "/run/pcscd/pcscd.comm")),
    )
