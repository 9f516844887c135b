"""The journal: what happened, as far as this user may read it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from cardd.bus.descriptors import OwnedFd
from cardd.bus.names import JOURNAL, ROOT
from cardd.bus.transport import RemoteMethod
from cardd.bus.wire import Variant, variant
from cardd.client.core import Core, Link
from cardd.client.errors import DaemonNotRunning, ExportIncomplete, UnexpectedReply
from cardd.client.values import take, words

_CHUNK = 64 * 1024
_VERIFY_PATIENCE = 3600.0
"""Seconds: a verification reads everything that ever happened."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """What is looked for; what is None is not asked.

    Args:
        since: this moment or later (with a time zone).
        until: before this moment.
        holder: national identifier.
        card: its serial.
        uid: of the caller.
        kinds: any of these words (docs/journal.md lists them); empty for all.
        result: "ok" or an error's name.
        after: only lines with a greater number.
        limit: at most so many entries.
        newest_first: the order.
        follow: go on with what is written later.
    """

    since: datetime | None = None
    until: datetime | None = None
    holder: str | None = None
    card: str | None = None
    uid: int | None = None
    kinds: Collection[str] = ()
    result: str | None = None
    after: int | None = None
    limit: int | None = None
    newest_first: bool = False
    follow: bool = False


@dataclass(frozen=True, slots=True)
class JournalProblem:
    """A finding: its name, the file, the line's number, a sentence in English."""

    fault: str
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What a verification found; `problems` has the first hundred of `count`. `notices` say what it could not know.

    `sealed` and `witnessed` number the last line that a seal covers and the last that a witness confirms; 0 for none.
    """

    sound: bool
    count: int
    problems: tuple[JournalProblem, ...]
    notices: tuple[str, ...]
    head: str
    entries: int
    segments: int
    sealed: int
    witnessed: int = 0


class Journal:
    """What the daemon has written down; `CarddClient.journal` is one."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def head(self) -> str:
        """Ask for the last line on the disk, `JOURNAL:LINE:SHA256`: noted elsewhere, it is a witness."""
        return take(await self._properties(), "Head", str, "")

    async def entries(self) -> int:
        """Ask how many entries there are."""
        return take(await self._properties(), "Entries", int, 0)

    async def query(self, query: JournalQuery | None = None) -> AsyncGenerator[bytes, None]:
        """Search: gives each entry's line as it stands in the journal, newline included.

        With `follow`, it goes on until it is closed (use `contextlib.aclosing`), the daemon stops, or the session ends
        that gave the right to read.

        Raises:
            NotAuthorized: neither root nor the owner of a session whose holder's entries these are.
            JournalBusy, JournalUnavailable.
        """
        answer = await self._call("Query", "a{sv}", "h", _options(query or JournalQuery()))
        with _pipe(answer) as reading:
            async with aclosing(_chunks(reading)) as chunks:
                rest = b""
                async for chunk in chunks:
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield line + b"\n"

    async def verify(self) -> JournalReport:
        """Have the daemon verify everything; for root.

        What a daemon says of itself proves little where the daemon may have been replaced: `scripts/journal-verify`,
        elsewhere, with the first key and a witness, proves.

        Raises:
            NotAuthorized, JournalBusy, JournalUnavailable.
        """
        return _report(await self._call("Verify", "", "a{sv}", patience=_VERIFY_PATIENCE))

    async def export(
        self, content: BinaryIO, proof: BinaryIO, *, first: int | None = None, last: int | None = None
    ) -> None:
        """Write lines as they stand in the journal, and their proof; for root.

        Args:
            content: file for the lines.
            proof: file for the proof.
            first: number of the first line; None for the journal's beginning.
            last: up to the seal that covers this line; None for the journal's end.

        Raises:
            NotAuthorized, InvalidArgument, JournalBusy, JournalUnavailable.
            ExportIncomplete: the daemon gave up; the files hold only a part.
        """
        options = {name: variant("t", line) for name, line in (("first", first), ("last", last)) if line is not None}
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            with OwnedFd(writing) as output:
                answer = await self._call("Export", "ha{sv}", "h", output, options)
        except BaseException:
            os.close(reading)
            raise
        with _pipe(OwnedFd(reading)) as lines, _pipe(answer) as statement:
            await _copy(lines, content)
            if not await _copy(statement, proof):
                raise ExportIncomplete

    async def _properties(self) -> Mapping[str, object]:
        return await (await self._link()).properties(JOURNAL, gone=DaemonNotRunning)

    async def _call(self, member: str, takes: str, returns: str, *values: object, patience: float = 60.0) -> Any:
        method = RemoteMethod(JOURNAL, member, takes, returns)
        return await (await self._link()).call(method, *values, gone=DaemonNotRunning, patience=patience)

    async def _link(self) -> Link:
        return Link(self._core, await self._core.connection.ensure_owner(), ROOT)


def _options(query: JournalQuery) -> dict[str, Variant]:
    values: dict[str, tuple[str, object]] = {
        "since": ("t", _microseconds(query.since)),
        "until": ("t", _microseconds(query.until)),
        "holder": ("s", query.holder),
        "card": ("s", query.card),
        "uid": ("u", query.uid),
        "kind": ("as", list(query.kinds) or None),
        "result": ("s", query.result),
        "after": ("t", query.after),
        "limit": ("u", query.limit),
        "newest-first": ("b", query.newest_first or None),
        "follow": ("b", query.follow or None),
    }
    return {name: variant(kind, value) for name, (kind, value) in values.items() if value is not None}


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _report(values: Mapping[str, object]) -> JournalReport:
    found: list[Any] = take(values, "problems", list, [])
    try:
        problems = tuple(JournalProblem(*one) for one in found)
    except TypeError as error:
        raise UnexpectedReply(detail="problems") from error
    return JournalReport(
        sound=take(values, "sound", bool, False),
        count=take(values, "count", int, 0),
        problems=problems,
        notices=tuple(words(values, "notices")),
        head=take(values, "head", str, ""),
        entries=take(values, "entries", int, 0),
        segments=take(values, "segments", int, 0),
        sealed=take(values, "sealed", int, 0),
    )


@contextmanager
def _pipe(answer: Any) -> Iterator[int]:
    """The readable end of a pipe, closed afterwards."""
    if not isinstance(answer, OwnedFd):
        raise UnexpectedReply(detail="no descriptor")
    with answer:
        os.set_blocking(answer.fileno(), False)
        yield answer.fileno()


async def _copy(reading: int, target: BinaryIO) -> int:
    """Copy to the pipe's end; gives how many bytes."""
    count = 0
    async with aclosing(_chunks(reading)) as chunks:
        async for chunk in chunks:
            target.write(chunk)
            count += len(chunk)
    return count


async def _chunks(reading: int) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(reading, _CHUNK)
            if not chunk:
                return
            yield chunk
            continue
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(reading, _wake, readable)
        try:
            await readable
        finally:
            loop.remove_reader(reading)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
