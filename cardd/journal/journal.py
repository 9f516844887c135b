"""The journal as the daemon's loop sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cardd.journal.clock import Clock, SystemClock
from cardd.journal.entry import Body, body_of
from cardd.journal.errors import JournalUnavailable, Trouble, trouble_of
from cardd.journal.event import Event
from cardd.journal.files import DirectoryFiles, Files
from cardd.journal.link import Head
from cardd.journal.store import Limits, Store
from cardd.journal.writer import Item, Order, Outcome, Pace, Report, Writer


class Mirror(Protocol):
    """Where each entry goes a second time, best effort."""

    def send(self, body: Body, head: Head) -> None:
        """Called on the writer thread once the entry is on the disk; neither blocks nor raises."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the journal is kept.

    Args:
        limits: of a segment.
        pace: of sealing.
        queue: entries that may wait for the disk; one more is refused.
    """

    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    queue: int = 4096


class Journal:
    """What happened, provably. To be used from one asyncio loop.

    Args:
        files: the journal's directory.
        settings: how it is kept.
        clock: stamps each event as it is told.
        mirror: None for none.
    """

    def __init__(
        self,
        files: Files,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(
            Store(files, self._clock, self._settings.limits),
            self._clock,
            self._settings.pace,
            self._reported,
            None if mirror is None else mirror.send,
        )
        self._gathered: list[Item] = []
        self._waiting = 0
        self._closed = False
        self._head: Head | None = None
        self._entries = 0
        self._trouble: JournalUnavailable | None = None
        self._listeners: list[Callable[[], None]] = []
        self._followers: list[Callable[[], None]] = []

    @property
    def head(self) -> Head | None:
        """The last line on the disk, as the loop last heard: what a witness is told."""
        return self._head

    @property
    def entries(self) -> int:
        """Entries on the disk."""
        return self._entries

    @property
    def trouble(self) -> JournalUnavailable | None:
        """Why it does not write; None while it does. It goes by itself when a write succeeds."""
        return self._trouble

    def listen(self, changed: Callable[[], None]) -> None:
        """Have ``changed`` called on the loop when `trouble` comes or goes."""
        self._listeners.append(changed)

    def follow(self, moved: Callable[[], None]) -> Callable[[], None]:
        """Have ``moved`` called on the loop whenever `head` has moved; gives what stops it."""
        self._followers.append(moved)
        return lambda: self._followers.remove(moved)

    async def start(self) -> None:
        """Start the writer thread and open the journal. If that cannot be done now, `trouble` says why, and each
        `record` tries again."""
        self._writer.start()
        try:
            await self._ask(Order.OPEN)
        except JournalUnavailable:
            return  # in `trouble`, and every record will say it

    async def record(self, event: Event) -> Head:
        """Write an event down; returns when it is on the disk. If the caller is cancelled, it is written all the same.

        Raises:
            JournalUnavailable: it is not written.
        """
        stamp = self._clock.now()
        if self._closed:
            raise JournalUnavailable(Trouble.CLOSED)
        if self._waiting >= self._settings.queue:
            raise JournalUnavailable(Trouble.BUSY)
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._put(Item(body_of(event, stamp), future))
        head = await future
        if isinstance(head, Head):
            return head
        raise _own(head)

    def note(self, event: Event) -> None:
        """Have an event written without waiting: for what cannot be refused any more (a session's end, a removal).
        While the disk refuses, a bounded number is remembered; how many were lost beyond that is written afterwards."""
        if not self._closed:
            self._put(Item(body_of(event, self._clock.now()), None))

    async def seal(self) -> Head | None:
        """Seal everything written so far, before an export for instance; None where nothing is unsealed.

        Raises:
            JournalUnavailable: it is not sealed.
        """
        return await self._ask(Order.SEAL)

    async def close(self) -> None:
        """Write what is queued, seal, and stop the thread."""
        if self._closed:
            return
        # A failure is said in the log by the writer; there is nobody left to refuse.
        with contextlib.suppress(JournalUnavailable):
            await self._ask(Order.STOP, last=True)
        await asyncio.to_thread(self._writer.join)

    async def _ask(self, order: Order, *, last: bool = False) -> Head | None:
        if self._closed:
            raise JournalUnavailable(Trouble.CLOSED)
        self._closed = last
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._put(Item(order, future))
        outcome = await future
        if isinstance(outcome, JournalUnavailable):
            raise _own(outcome)
        return outcome

    def _put(self, item: Item) -> None:
        """Gathered until the end of the loop's next turn: callers that one sync woke share the next one, too."""
        self._waiting += 1
        self._gathered.append(item)
        if len(self._gathered) == 1:
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._writer.put(gathered)

    def _reported(self, report: Report) -> None:
        self._loop.call_soon_threadsafe(self._settle, report)

    def _settle(self, report: Report) -> None:
        self._waiting -= report.done
        moved = report.head != self._head
        self._head, self._entries = report.head, report.entries
        changed = str(report.trouble) != str(self._trouble)
        self._trouble = report.trouble
        for answer, outcome in report.outcomes:
            if not answer.done():  # its caller may have left
                answer.set_result(outcome)
        if changed:
            for listener in self._listeners:
                listener()
        if moved:
            for follower in tuple(self._followers):
                follower()


def _own(outcome: JournalUnavailable | None) -> JournalUnavailable:
    """A failure of one's own: several callers share the writer's, and raising adds to it."""
    return (
        JournalUnavailable(Trouble.INTERNAL) if outcome is None else JournalUnavailable(outcome.trouble, outcome.detail)
    )


def open_directory(path: Path) -> DirectoryFiles:
    """The journal's directory, made if only it is missing and its parent is there.

    Raises:
        JournalUnavailable: it cannot be had.
    """
    try:
        return DirectoryFiles(path, create=True)
    except OSError as error:
        raise trouble_of(error) from error
