"""The journal's files, read where no daemon serves them: on this machine by root, or a copy of them anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cardd.cli.failures import FileUnusable, NothingToExport
from cardd.cli.journal_witnesses import Testimony
from cardd.client.journal import JournalProblem, JournalQuery, JournalReport
from cardd.journal.errors import LineMalformed
from cardd.journal.export import NothingSealed, export
from cardd.journal.files import DirectoryFiles
from cardd.journal.link import Head, digest_of, read_header
from cardd.journal.problems import Report
from cardd.journal.query import Query, search
from cardd.journal.sealing import public_key_in
from cardd.journal.segment import read_lines, segment_names
from cardd.journal.verify import Anchors, verify
from cardd.journal.verify_export import verify_export

_FOLLOW_SECONDS = 0.5
"""Between two looks at files that nobody tells us of."""


class JournalFiles:
    """A directory; it has the methods of `cardd.client.Journal`.

    Args:
        directory: of the journal, or a copy.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def query(self, query: JournalQuery | None = None) -> AsyncGenerator[bytes, None]:
        """Search, or follow.

        Raises:
            FileUnusable: the directory cannot be read.
        """
        wanted = query or JournalQuery()
        after = wanted.after or 0
        with self._opened() as files:
            while True:
                state, end = self._state(files), _last_line(files)
                for found in search(files, _query(wanted, after)):
                    after = max(after, found.entry.seq)
                    yield found.line
                if not wanted.follow:
                    return
                after = max(after, end)
                while self._state(files) == state:
                    await asyncio.sleep(_FOLLOW_SECONDS)

    async def head(self) -> str:
        """The head of the last entry, ``JOURNAL:LINE:SHA256``; empty where there is none.

        Raises:
            FileUnusable: the directory cannot be read, or its last segment does not begin with its header.
        """
        with self._opened() as files:
            newest = next(search(files, Query(newest_first=True, limit=1)), None)
            if newest is None:
                return ""
            handle = files.open(segment_names(files)[-1])
            try:
                header = read_header(next(read_lines(handle)).data)
            except (StopIteration, LineMalformed) as error:
                raise FileUnusable(file=str(self._directory), reason=str(error)) from error
            finally:
                handle.close()
            return str(Head(header.journal, newest.entry.seq, digest_of(newest.line)))

    async def verify(self, anchors: Anchors | None = None) -> JournalReport:
        """Verify everything.

        Raises:
            FileUnusable: the directory cannot be read.
        """
        with self._opened() as files:
            return _report(verify(files, anchors))

    async def export(
        self, content: BinaryIO, proof: BinaryIO, *, first: int | None = None, last: int | None = None
    ) -> None:
        """Export what is sealed.

        Raises:
            FileUnusable: the directory cannot be read, or is spoilt.
            NothingToExport: nothing of it is sealed.
        """
        with self._opened() as files:
            try:
                export(files, content, proof, first=first or 1, last=last)
            except NothingSealed as error:
                raise NothingToExport from error
            except LineMalformed as error:
                raise FileUnusable(file=str(self._directory), reason=str(error)) from error

    def _state(self, files: DirectoryFiles) -> tuple[str, int] | None:
        """What differs once more was written: the last segment and when it was written to."""
        names = segment_names(files)
        return (names[-1], (self._directory / names[-1]).stat().st_mtime_ns) if names else None

    @contextmanager
    def _opened(self) -> Iterator[DirectoryFiles]:
        try:
            files = DirectoryFiles(self._directory)
            try:
                yield files
            finally:
                files.close()
        except OSError as error:
            raise FileUnusable(file=str(self._directory), reason=error.strerror or "?") from error


def verify_exported(content: Path, proof: Path, anchors: Anchors) -> JournalReport:
    """Verify an export against its proof.

    Raises:
        FileUnusable: one of them cannot be read, or the proof is none.
    """
    try:
        with content.open("rb") as lines, proof.open("rb") as statement:
            return _report(verify_export(lines, statement, anchors))
    except OSError as error:
        raise FileUnusable(file=str(error.filename), reason=error.strerror or "?") from error
    except LineMalformed as error:
        raise FileUnusable(file=str(proof), reason=str(error)) from error


def anchors_in(keys: list[Path], witnesses: Iterable[Testimony], header: Path | None) -> Anchors:
    """What the verifier was told elsewhere.

    Args:
        keys: files with a public key each.
        witnesses: what they kept.
        header: file whose first line is the header of the first segment that was kept.

    Raises:
        FileUnusable: a file cannot be read, or holds no such thing.
    """
    return Anchors(
        keys=frozenset(map(_key, keys)),
        header=None if header is None else _text(header).split("\n", 1)[0].encode() + b"\n",
        witnesses=tuple(head for one in witnesses for head in one.heads),
    )


def _key(file: Path) -> str:
    try:
        return public_key_in(_text(file))
    except ValueError as error:
        raise FileUnusable(file=str(file), reason=str(error)) from error


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError as error:
        raise FileUnusable(file=str(file), reason=error.strerror or "?") from error


def _last_line(files: DirectoryFiles) -> int:
    newest = next(search(files, Query(newest_first=True, limit=1)), None)
    return 0 if newest is None else newest.entry.seq


def _query(wanted: JournalQuery, after: int) -> Query:
    return Query(
        since=wanted.since,
        until=wanted.until,
        holder=wanted.holder,
        card=wanted.card,
        uid=wanted.uid,
        kinds=frozenset(wanted.kinds),
        result=wanted.result,
        after=after,
        limit=wanted.limit,
        newest_first=wanted.newest_first,
    )


def _report(report: Report) -> JournalReport:
    return JournalReport(
        sound=report.sound,
        count=report.count,
        problems=tuple(JournalProblem(one.fault.value, one.file, one.seq, one.text) for one in report.problems),
        notices=report.notices,
        head="" if report.head is None else str(report.head),
        entries=report.entries,
        segments=report.segments,
        sealed=report.sealed,
        witnessed=report.witnessed,
    )
