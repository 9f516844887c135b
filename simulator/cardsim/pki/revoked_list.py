"""What an authority has revoked: a text file beside its certificate, one line a certificate."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509

from cardsim.pki.revocation import RevokedEntry

FILE = "revoked"


def read_entries(folder: Path) -> list[RevokedEntry]:
    """The entries, in the order of their revocation; none where nothing was revoked yet.

    Raises:
        ValueError: a line is none of ours.
    """
    path = folder / FILE
    if not path.exists():
        return []
    return [_entry(line) for line in path.read_text("ascii").splitlines()]


def add_entry(folder: Path, entry: RevokedEntry) -> None:
    """Add one; another one of the same serial goes. The file is whole at every moment."""
    kept = [one for one in read_entries(folder) if one.serial != entry.serial]
    fresh = folder / f".new-{FILE}"
    fresh.write_text("".join(_line(one) for one in (*kept, entry)), "ascii")
    fresh.replace(folder / FILE)


def _line(entry: RevokedEntry) -> str:
    reason = "-" if entry.reason is None else entry.reason.name
    return f"{entry.serial:x} {entry.moment.isoformat()} {reason}\n"


def _entry(line: str) -> RevokedEntry:
    serial, moment, reason = line.split()
    flag = None if reason == "-" else x509.ReasonFlags[reason]
    return RevokedEntry(int(serial, 16), datetime.datetime.fromisoformat(moment), flag)
