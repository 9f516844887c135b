"""Small journals for tests."""

from __future__ import annotations

from collections.abc import Sequence

from cardd.journal.clock import Stamp
from cardd.journal.entry import body_of
from cardd.journal.event import CallerRef, Detail, Event, HolderRef, Kind
from cardd.journal.files import Files
from cardd.journal.link import Head
from cardd.journal.query import Query, search
from cardd.journal.store import Limits, Store

BOOT = "00000000-1111-4222-8333-444444444444"
HOLDER = HolderRef("899700000012", "0123456789")
CALLER = CallerRef(1000, 4242, "app-editor.scope", "org.example.Editor")


class SteadyClock:
    """A second later each time it is looked at."""

    def __init__(self, start: int = 1_800_000_000) -> None:
        self.seconds = start

    def now(self) -> Stamp:
        self.seconds += 1
        return Stamp(self.seconds * 1_000_000, self.seconds * 1_000_000_000, BOOT)


def event(number: int, kind: Kind = Kind.SIGNED) -> Event:
    """An event that can be told from others."""
    return Event(kind, holder=HOLDER, caller=CALLER, what={Detail.NUMBER: number, Detail.KEY: "signature"})


def commit(store: Store, clock: SteadyClock, numbers: Sequence[int]) -> list[Head]:
    """Write events, however many syncs it takes."""
    heads: list[Head] = []
    bodies = [body_of(event(number), clock.now()) for number in numbers]
    while bodies:
        done = store.commit(bodies)
        heads.extend(done)
        del bodies[: len(done)]
    return heads


def numbers_in(files: Files) -> list[int]:
    """The numbers of the events that stand in the journal, oldest first."""
    return [
        int(found.entry.what[Detail.NUMBER]) for found in search(files, Query(kinds=frozenset({Kind.SIGNED.value})))
    ]


def small_store(files: Files, clock: SteadyClock, segment_bytes: int = 4096) -> Store:
    """A store whose segments hold a handful of entries."""
    return Store(files, clock, Limits(segment_bytes))
