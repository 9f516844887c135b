"""The open journal with what belongs to it: its files, its mirror, and what sums up what any user can cause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cardd.journal.event import Kind
from cardd.journal.files import DirectoryFiles
from cardd.journal.journal import Journal, open_directory
from cardd.journal.mirror import JournaldMirror
from cardd.journal.refusals import Allowance, Refusals

CONNECTIONS: Final = Allowance(in_full=100)
"""Connections of one user that are written down one by one; what follows without a quiet minute is summed up."""


@dataclass(frozen=True, slots=True)
class Book:
    """The journal, and what is summed up for it.

    Args:
        files: its directory.
        journal: the journal; it takes entries at once, and writes them when it is open.
        refusals, connections: what is rate limited.
        opening: done when the journal is open, or has found that it cannot be.
    """

    files: DirectoryFiles
    journal: Journal
    refusals: Refusals
    connections: Refusals
    opening: asyncio.Task[None]


@asynccontextmanager
async def open_book(directory: Path, *, journald: bool) -> AsyncIterator[Book]:
    """The journal of a directory; everything that was told is written before it closes.

    Args:
        directory: where it is.
        journald: each entry goes there as well.

    Raises:
        JournalUnavailable: the directory cannot be had.
    """
    mirror = JournaldMirror() if journald else None
    files = open_directory(directory)
    journal = Journal(files, mirror=mirror)
    # The disk takes its time (a new segment is filled with zeros) while the rest starts.
    opening = asyncio.create_task(journal.start())
    await asyncio.sleep(0)
    refusals = Refusals(journal)
    connections = Refusals(journal, CONNECTIONS, summed=Kind.CALLER_CONNECTED)
    try:
        yield Book(files, journal, refusals, connections, opening)
    finally:
        await opening
        refusals.close()
        connections.close()
        await journal.close()
        files.close()
        if mirror is not None:
            mirror.close()
