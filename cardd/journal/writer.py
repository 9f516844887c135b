"""The writer thread: what is queued while it syncs shares the next sync (group commit)."""

from __future__ import annotations

import asyncio
import enum
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cardd.journal.clock import Clock
from cardd.journal.entry import Body, body_of
from cardd.journal.errors import JournalUnavailable, Trouble
from cardd.journal.event import Detail, Event, Kind
from cardd.journal.link import Head
from cardd.journal.store import Store

log = logging.getLogger("cardd.journal")

Outcome = Head | JournalUnavailable | None
"""The head of the entry, or why it is not written; None where there was nothing to seal."""
Answer = asyncio.Future[Outcome]
"""Carried through this thread, and never touched by it: the loop settles it."""


class Order(enum.Enum):
    """What the writer is told to do beside writing."""

    OPEN = "open"
    SEAL = "seal"
    STOP = "stop"


@dataclass(slots=True)
class Item:
    """One thing to do.

    Args:
        task: an entry, or an order.
        answer: who waits for it; None for an entry that must not be lost though nobody waits (a session's end).
    """

    task: Body | Order
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Report:
    """What one round of the writer did, handed to the loop.

    Args:
        outcomes: for each who waited.
        done: how many items were taken from the queue.
        head: the journal's head now.
        entries: entries in the journal now.
        trouble: why it does not write; None when it does.
    """

    outcomes: Sequence[tuple[Answer, Outcome]]
    done: int
    head: Head | None
    entries: int
    trouble: JournalUnavailable | None


@dataclass(frozen=True, slots=True)
class Pace:
    """When the writer seals, and how much it remembers while it cannot write.

    Args:
        seal_seconds: an entry is sealed at the latest this long after it was written.
        seal_entries: and when so many are not sealed.
        backlog: entries that nobody waits for, kept while the disk refuses them.
        retry_seconds: between attempts to write that backlog when no other entry comes.
    """

    seal_seconds: float = 600.0
    seal_entries: int = 8192
    backlog: int = 1024
    retry_seconds: float = 5.0


class Writer(threading.Thread):
    """The only thread that touches the journal's files for writing.

    Args:
        store: what it writes to.
        clock: stamps what the writer itself has to tell.
        pace: sealing and backlog.
        report: called after each round, on this thread.
        written: called with each entry that is on the disk, on this thread; must neither block nor raise.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        pace: Pace,
        report: Callable[[Report], None],
        written: Callable[[Body, Head], None] | None = None,
    ) -> None:
        super().__init__(name="cardd-journal", daemon=True)
        self._store = store
        self._clock = clock
        self._pace = pace
        self._report = report
        self._written = written
        self._queue: queue.SimpleQueue[Sequence[Item]] = queue.SimpleQueue()
        self._backlog: deque[Body] = deque()
        self._lost = 0
        self._trouble: JournalUnavailable | None = None
        self._seal_at: float | None = None
        self._retry_at: float | None = None
        self._stopping = False

    def put(self, items: Sequence[Item]) -> None:
        """Queue things to do; from any thread."""
        self._queue.put(items)

    def run(self) -> None:
        """Work until the order to stop."""
        while not self._stopping:
            self._round(self._take())
        self._store.close()

    def _take(self) -> list[Item]:
        due = [one for one in (self._seal_at, self._retry_at) if one is not None]
        try:
            items = list(self._queue.get(timeout=max(0.0, min(due) - time.monotonic()) if due else None))
        except queue.Empty:
            return []
        try:
            while True:
                items.extend(self._queue.get_nowait())
        except queue.Empty:
            return items

    def _round(self, items: Sequence[Item]) -> None:
        outcomes: list[tuple[Answer, Outcome]] = []
        try:
            self._do(items, outcomes)
        except Exception:
            # A defect of ours must not leave callers waiting for ever, nor end the thread that all service hangs on.
            log.exception("the journal's writer failed")
            self._trouble = JournalUnavailable(Trouble.INTERNAL)
            answered = {id(answer) for answer, _ in outcomes}
            waiting = (item.answer for item in items if item.answer is not None)
            outcomes.extend((answer, self._trouble) for answer in waiting if id(answer) not in answered)
        self._report(Report(outcomes, len(items), self._store.head, self._store.entries, self._trouble))

    def _do(self, items: Sequence[Item], outcomes: list[tuple[Answer, Outcome]]) -> None:
        entries: list[tuple[Body, Answer | None]] = []
        for item in items:
            if isinstance(item.task, Body):
                entries.append((item.task, item.answer))
                continue
            self._write(entries, outcomes)
            entries = []
            self._obey(item.task, item.answer, outcomes)
        self._write(entries, outcomes)
        self._seal_if_due()

    def _obey(self, order: Order, answer: Answer | None, outcomes: list[tuple[Answer, Outcome]]) -> None:
        outcome: Outcome
        try:
            if order is Order.OPEN:
                self._store.open()
                outcome = self._store.head
            else:
                outcome = self._store.seal()
                self._seal_at = None
            self._well()
        except JournalUnavailable as error:
            self._failed(error)
            outcome = error
        if order is Order.STOP:
            self._stopping = True
            if self._backlog:
                log.error("%d entries could not be written before the end", len(self._backlog))
        if answer is not None:
            outcomes.append((answer, outcome))

    def _write(self, entries: Sequence[tuple[Body, Answer | None]], outcomes: list[tuple[Answer, Outcome]]) -> None:
        """What is left from before goes first, so that the journal stays in the order of what happened."""
        if not entries and not self._backlog:
            return
        waiting: list[tuple[Body, Answer | None]] = [(body, None) for body in self._with_losses()]
        self._backlog.clear()
        waiting.extend(entries)
        done = 0
        try:
            while done < len(waiting):
                heads = self._store.commit([body for body, _ in waiting[done:]])
                for (body, answer), head in zip(waiting[done:], heads, strict=False):  # fewer fit into one batch
                    if answer is not None:
                        outcomes.append((answer, head))
                    if self._written is not None:
                        self._written(body, head)
                done += len(heads)
            self._well()
        except JournalUnavailable as error:
            self._failed(error)
            for body, answer in waiting[done:]:
                if answer is None:
                    self._keep(body)
                else:
                    outcomes.append((answer, error))
            self._retry_at = time.monotonic() + self._pace.retry_seconds if self._backlog else None

    def _with_losses(self) -> Sequence[Body]:
        if not self._lost:
            return tuple(self._backlog)
        lost, self._lost = self._lost, 0
        event = Event(Kind.ENTRIES_LOST, what={Detail.COUNT: lost, Detail.CAUSE: "backlog-full"})
        return (*self._backlog, body_of(event, self._clock.now()))

    def _keep(self, body: Body) -> None:
        if body.event.kind is Kind.ENTRIES_LOST:
            count = body.event.what[Detail.COUNT]
            self._lost += int(count)
        elif len(self._backlog) < self._pace.backlog:
            self._backlog.append(body)
        else:
            self._lost += 1

    def _seal_if_due(self) -> None:
        unsealed = self._store.unsealed
        if not unsealed or self._trouble is not None:
            self._seal_at = None
            return
        now = time.monotonic()
        if self._seal_at is None:
            self._seal_at = now + self._pace.seal_seconds
        if unsealed < self._pace.seal_entries and now < self._seal_at:
            return
        self._seal_at = None
        try:
            self._store.seal()
        except JournalUnavailable as error:
            self._failed(error)

    def _well(self) -> None:
        if self._trouble is not None:
            log.warning("the journal is written again")
        self._trouble = None
        self._retry_at = None

    def _failed(self, error: JournalUnavailable) -> None:
        if self._trouble is None or self._trouble.trouble is not error.trouble:
            log.error("%s", error)
        self._trouble = error
