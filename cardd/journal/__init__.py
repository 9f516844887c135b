"""What happened, provably: entries chained by hash, sealed by keys that are erased, on the disk before the reply."""

from __future__ import annotations

from cardd.journal.errors import JournalUnavailable, Trouble
from cardd.journal.event import OK, CallerRef, Detail, Event, HolderRef, Kind, clipped
from cardd.journal.journal import Journal, Settings, open_directory
from cardd.journal.link import Head

__all__ = [
    "OK",
    "CallerRef",
    "Detail",
    "Event",
    "Head",
    "HolderRef",
    "Journal",
    "JournalUnavailable",
    "Kind",
    "Settings",
    "Trouble",
    "clipped",
    "open_directory",
]
