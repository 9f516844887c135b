"""The journal, read for callers: searches and exports that flow through pipes, verification. Each is itself written
down before it begins."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import os
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

from cardd.access.caller import Caller
from cardd.errors import InvalidArgument, JournalBusy, NotAuthorized
from cardd.journal import Detail, HolderRef, Journal, Kind, clipped
from cardd.journal.errors import JournalUnavailable, LineMalformed
from cardd.journal.export import NothingSealed, export
from cardd.journal.files import Files
from cardd.journal.problems import Report
from cardd.journal.query import Query, search
from cardd.journal.verify import verify
from cardd.journal.view import ReadView, Snapshot
from cardd.sessions.account import Account, What, unavailable
from cardd.sessions.journal_access import (
    ALL_ONLY,
    HoldersOf,
    MayReadAll,
    Reach,
    own_reach,
    reach_of,
    root_alone,
)
from cardd.sessions.outflow import Bell, GivenUp, PipeOutflow, require_writable_pipe

log = logging.getLogger(__name__)

_BUFFER = 64 * 1024
STOP_SECONDS = 5.0
"""For the threads to end with the daemon; each looks at its bell before it reads or writes on."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be read at once.

    Args:
        flows: pipes that are being filled, of all users; each has a thread.
        flows_per_user: of one user.
        patience: seconds that a reader has for taking what was written.
    """

    flows: int = 16
    flows_per_user: int = 4
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Search:
    """What a caller looks for.

    Args:
        query: with its limit.
        follow: go on with what is written later, until the reader leaves.
        wording: the query as the journal is told.
    """

    query: Query
    follow: bool = False
    wording: str = ""


@dataclass(slots=True, eq=False)
class _Flow:
    caller: Caller
    bell: Bell = field(default_factory=Bell)
    thread: threading.Thread | None = None
    through: int = 0
    """Number of the last line that may be shown; grows while the journal is followed."""
    last: bool = False
    """No more will come after that."""


class JournalReadings:
    """Who reads the journal now, and how.

    Args:
        journal: tells its head.
        files: its directory.
        account: where readings are told.
        holders_of: whose sessions a user has open.
        may_read_all: who else than root may read everything.
        bounds: on what is read at once.
    """

    def __init__(
        self,
        journal: Journal,
        files: Files,
        account: Account,
        holders_of: HoldersOf,
        *,
        may_read_all: MayReadAll = root_alone,
        bounds: Bounds | None = None,
    ) -> None:
        self._journal = journal
        self._files = files
        self._account = account
        self._holders_of = holders_of
        self._may_read_all = may_read_all
        self._bounds = bounds or Bounds()
        self._flows: set[_Flow] = set()
        self._verifying: Bell | None = None
        self._stopped = False

    @property
    def head(self) -> str:
        """The last line on the disk, as a witness keeps it; empty before there is one."""
        return "" if self._journal.head is None else str(self._journal.head)

    @property
    def entries(self) -> int:
        """Entries on the disk."""
        return self._journal.entries

    async def query(self, caller: Caller, wanted: Search, *, interactive: bool) -> int:
        """Entries, one a line, through a pipe that ends with them.

        Returns:
            The readable end; the caller of this function closes it.

        Raises:
            NotAuthorized, JournalBusy, JournalUnavailable.
        """
        reach = await reach_of(
            caller,
            wanted.query.holder,
            may_read_all=self._may_read_all,
            holders_of=self._holders_of,
            interactive=interactive,
        )
        self._require_room(caller)
        what: What = {Detail.ACTION: "follow" if wanted.follow else "query", Detail.OBJECT: clipped(wanted.wording)}
        await self._account.served(Kind.JOURNAL_READ, _reader(reach), caller, what)
        self._require_room(caller)
        flow = _Flow(caller, through=self._last_line())
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            outflow = PipeOutflow(writing, flow.bell, self._bounds.patience)
        except OSError:
            os.close(reading)
            flow.bell.close()
            raise
        unfollow = self._journal.follow(lambda: self._moved(flow, reach)) if wanted.follow else lambda: None
        self._begin(flow, lambda: self._pour(flow, outflow, wanted, reach), unfollow)
        return reading

    async def verify(self, caller: Caller, *, interactive: bool) -> Report:
        """What a verification of the whole journal finds, without witnesses.

        Raises:
            NotAuthorized, JournalBusy, JournalUnavailable.
            OSError: it cannot be read.
        """
        await self._require_all(caller, interactive)
        if self._verifying is not None or self._stopped:
            raise JournalBusy
        self._verifying = bell = Bell()
        try:
            await self._account.served(Kind.JOURNAL_READ, None, caller, {Detail.ACTION: "verify"})
            snapshot = Snapshot(self._files, self._last_line(), lambda: _unless_stopped(bell))
            return await asyncio.to_thread(verify, snapshot)
        finally:
            # The thread may still read where this call was cancelled: the bell's flag ends it, its descriptor is done.
            bell.stop()
            bell.close()
            self._verifying = None

    async def export(
        self, caller: Caller, content: int, *, first: int = 1, last: int | None = None, interactive: bool
    ) -> int:
        """Lines as they were written, through a pipe of the caller's, and their proof through one of ours; the proof
        comes when everything else was taken.

        Args:
            caller: who asks.
            content: writable end of a pipe; stays open here, its owner closes it.
            first: number of the first line.
            last: up to the seal that covers this line; None for everything.
            interactive: the caller's user may be asked.

        Returns:
            The readable end of the proof's pipe; the caller of this function closes it.

        Raises:
            NotAuthorized, InvalidArgument, DescriptorUnusable, JournalBusy, JournalUnavailable.
        """
        await self._require_all(caller, interactive)
        require_writable_pipe(content)
        if not 1 <= first <= self._last_line():
            raise InvalidArgument(argument="first", reason="the journal has no such line")
        if last is not None and last < first:
            raise InvalidArgument(argument="last", reason="it is before the first")
        self._require_room(caller)
        what: What = {Detail.FIRST: str(first), Detail.LAST: "" if last is None else str(last)}
        await self._account.served(Kind.JOURNAL_EXPORTED, None, caller, what)
        await self._sealed()
        self._require_room(caller)
        flow = _Flow(caller, through=self._last_line())
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            proof = PipeOutflow(writing, flow.bell, self._bounds.patience)
            try:
                outflow = PipeOutflow(os.dup(content), flow.bell, self._bounds.patience)
            except OSError:
                proof.close()
                raise
        except OSError:
            os.close(reading)
            flow.bell.close()
            raise
        self._begin(flow, lambda: self._pour_export(flow, outflow, proof, first, last), lambda: None)
        return reading

    async def stop(self) -> None:
        """Give up every reading; returns when its thread has ended."""
        self._stopped = True
        if self._verifying is not None:
            self._verifying.stop()
        flows = tuple(self._flows)
        for flow in flows:
            flow.bell.stop()
        for flow in flows:
            if flow.thread is not None:
                await asyncio.to_thread(flow.thread.join, STOP_SECONDS)

    # --- on the loop ------------------------------------------------------------------------------------------------

    async def _require_all(self, caller: Caller, interactive: bool) -> None:
        if not await self._may_read_all(caller, interactive):
            raise NotAuthorized(reason=ALL_ONLY)

    def _require_room(self, caller: Caller) -> None:
        own = sum(flow.caller.uid == caller.uid for flow in self._flows)
        if self._stopped or len(self._flows) >= self._bounds.flows or own >= self._bounds.flows_per_user:
            raise JournalBusy

    async def _sealed(self) -> None:
        try:
            await self._journal.seal()
        except JournalUnavailable as error:
            raise unavailable(error) from error

    def _last_line(self) -> int:
        return 0 if self._journal.head is None else self._journal.head.seq

    def _moved(self, flow: _Flow, reach: Reach) -> None:
        """The journal has grown; whoever reads by the right of a session reads to its end."""
        if flow.last:
            return
        flow.through = self._last_line()
        flow.last = reach.holders is not None and not reach.holders <= (
            own_reach(flow.caller, self._holders_of).holders or frozenset()
        )
        flow.bell.ring()

    def _begin(self, flow: _Flow, work: Callable[[], None], finished: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()

        def done() -> None:
            self._flows.discard(flow)
            finished()
            flow.bell.close()

        def run() -> None:
            try:
                work()
            finally:
                # A loop that is closed already has forgotten everything anyway.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(done)

        flow.thread = threading.Thread(target=run, name="cardd-journal-reading", daemon=True)
        flow.thread.start()
        self._flows.add(flow)

    # --- on the reading's thread ------------------------------------------------------------------------------------

    def _pour(self, flow: _Flow, outflow: PipeOutflow, wanted: Search, reach: Reach) -> None:
        with closing(outflow):
            try:
                self._pour_entries(flow, outflow, wanted, reach)
            except GivenUp as error:
                log.info("a reading of the journal was given up: %s", error)
            except OSError as error:
                log.error("the journal cannot be read: %s", error.strerror)

    def _pour_entries(self, flow: _Flow, outflow: PipeOutflow, wanted: Search, reach: Reach) -> None:
        view = ReadView(self._files, outflow.check)
        query, shown = replace(wanted.query, limit=None), wanted.query.after
        while True:
            last, through = flow.last, flow.through
            found = (
                one for one in search(view, replace(query, after=shown, through=through)) if reach.admits(one.entry)
            )
            batch: list[bytes] = []
            size = 0
            for one in itertools.islice(found, wanted.query.limit):
                batch.append(one.line)
                size += len(one.line)
                if size >= _BUFFER:
                    outflow.write(b"".join(batch))
                    batch, size = [], 0
            outflow.write(b"".join(batch))
            if not wanted.follow or last:
                return
            shown = through
            while flow.through == shown and not flow.last:
                outflow.wait()

    def _pour_export(self, flow: _Flow, outflow: PipeOutflow, proof: PipeOutflow, first: int, last: int | None) -> None:
        def check() -> None:
            outflow.check()
            proof.check()

        snapshot = Snapshot(self._files, flow.through, check)
        with closing(proof), closing(outflow):
            try:
                content, statement = io.BufferedWriter(outflow, _BUFFER), io.BytesIO()
                export(snapshot, content, statement, first=first, last=last)
                content.flush()
                outflow.close()
                proof.write(statement.getbuffer())
            except GivenUp as error:
                log.info("an export of the journal was given up: %s", error)
            except (NothingSealed, LineMalformed) as error:
                log.error("the journal cannot be exported, it is spoilt: %s", error)
            except OSError as error:
                log.error("the journal cannot be read: %s", error.strerror)


def _reader(reach: Reach) -> HolderRef | None:
    """Whom a reading concerns: the one holder who reads what is his own."""
    if reach.holders is None or len(reach.holders) != 1:
        return None
    (holder,) = reach.holders
    return HolderRef(national_id=clipped(holder, 64), card="")


def _unless_stopped(bell: Bell) -> None:
    if bell.stopped:
        raise GivenUp("it is no longer wanted")
