"""`cardctl journal`: what happened, followed, searched, exported.

The running daemon is asked where there is one; otherwise, or with a directory, the files themselves are read.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer

from cardd.cli.commands.trust import configuration
from cardd.cli.failures import FileUnusable
from cardd.cli.i18n import _
from cardd.cli.journal_words import KINDS, entry_line, now
from cardd.cli.options import ConfigOption
from cardd.cli.output import Output
from cardd.cli.settings import Settings, settings_of
from cardd.client import CarddClient, JournalQuery, JournalReport
from cardd.client.errors import BusUnreachable
from cardd.errors import N_, InvalidArgument

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help=N_("This time or later: 2026-01-31, 2026-01-31T08:05, or 90s, 30m, 8h, 7d ago.")
    ),
]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help=N_("Before this time."))]
_Holder = Annotated[
    str | None, typer.Option("--holder", metavar="ID", help=N_("Entries of this holder, by national identifier."))
]
_Card = Annotated[str | None, typer.Option("--card", metavar="SERIAL", help=N_("Entries of this card."))]
_Uid = Annotated[int | None, typer.Option("--uid", metavar="N", min=0, help=N_("What this user asked for."))]
_Kind = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help=N_("Entries of this kind (docs/journal.md); may be repeated.")),
]
_Result = Annotated[
    str | None, typer.Option("--result", metavar="RESULT", help=N_("Entries that ended so: ok, or an error's name."))
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help=N_("Read the files of this directory instead of asking cardd.")),
]


class Source(Protocol):
    """A journal: `cardd.client.Journal`, or `cardd.cli.journal_files.JournalFiles`."""

    def query(self, query: JournalQuery | None = None) -> AsyncGenerator[bytes, None]:
        """Search, or follow."""

    async def head(self) -> str:
        """Where it stands, ``JOURNAL:LINE:SHA256``; empty where there is nothing."""

    async def verify(self) -> JournalReport:
        """Verify everything."""

    async def export(
        self, content: BinaryIO, proof: BinaryIO, *, first: int | None = None, last: int | None = None
    ) -> None:
        """Write lines and their proof."""


Work = Callable[[Source, Output], Awaitable[None]]


def query(
    context: typer.Context,
    since: _Since = None,
    until: _Until = None,
    holder: _Holder = None,
    card: _Card = None,
    uid: _Uid = None,
    kind: _Kind = None,
    result: _Result = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help=N_("At most so many."))] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first", help=N_("The newest first."))] = False,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Search the journal."""
    wanted = JournalQuery(
        since=_moment("since", since),
        until=_moment("until", until),
        holder=holder,
        card=card,
        uid=uid,
        kinds=_kinds(kind),
        result=result,
        limit=limit,
        newest_first=newest_first,
    )
    with_journal(context, directory, config, lambda journal, output: _show(journal, output, wanted))


def follow(
    context: typer.Context,
    since: _Since = None,
    holder: _Holder = None,
    uid: _Uid = None,
    kind: _Kind = None,
    result: _Result = None,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell what is written into the journal, until Ctrl-C."""
    wanted = JournalQuery(
        since=_moment("since", since) or now(),
        holder=holder,
        uid=uid,
        kinds=_kinds(kind),
        result=result,
        follow=True,
    )
    with_journal(context, directory, config, lambda journal, output: _show(journal, output, wanted))


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=N_("File for the lines."))],
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help=N_("File for the proof (default: FILE.proof)."))
    ] = None,
    first: Annotated[int | None, typer.Option("--first", metavar="N", min=1, help=N_("From this line on."))] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help=N_("Up to the seal that covers this line."))
    ] = None,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Write lines of the journal and their proof. Both files are for their owner alone (mode 0600)."""
    statement_file = proof or file.with_name(f"{file.name}.proof")

    async def work(journal: Source, output: Output) -> None:
        with _private(file) as content, _private(statement_file) as statement:
            try:
                await journal.export(content, statement, first=first, last=last)
            except BaseException:
                for one in (file, statement_file):
                    with suppress(OSError):
                        one.unlink()
                raise
        with statement_file.open("rb") as reading:
            told = json.loads(reading.readline())
        output.document({"file": str(file), "proof": str(statement_file), "statement": told})
        said = _("Lines {first} to {last} written to {file}, their proof to {proof}.")
        output.line(said.format(first=told["first"], last=told["last"], file=file, proof=statement_file))

    with_journal(context, directory, config, work)


def with_journal(context: typer.Context, directory: Path | None, config: Path | None, work: Work) -> None:
    """Do it with the running daemon's journal, or with files where one is given or none runs."""
    settings = settings_of(context)
    if directory is None and asyncio.run(_by_daemon(settings, work)):
        return

    from cardd.cli.journal_files import JournalFiles  # noqa: PLC0415  # cryptography is slow to import

    asyncio.run(_done(work(JournalFiles(directory or configuration(config).journal.directory), settings.output)))


async def _by_daemon(settings: Settings, work: Work) -> bool:
    """False where none runs; it is not started for this."""
    try:
        client = await CarddClient.connect(settings.bus)
    except BusUnreachable:
        if settings.bus is not None:
            raise
        return False
    async with client:
        if client.daemon_runs:
            await work(client.journal, settings.output)
        return client.daemon_runs


async def _done(work: Awaitable[None]) -> None:
    await work


async def _show(journal: Source, output: Output, wanted: JournalQuery) -> None:
    async with aclosing(journal.query(wanted)) as lines:
        async for line in lines:
            if output.as_json:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
            else:
                output.line(entry_line(line))


def _private(path: Path) -> BinaryIO:
    """A new or emptied file that its owner alone can read.

    Raises:
        FileUnusable: it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # one that was there keeps its mode otherwise
    except OSError as error:
        raise FileUnusable(file=str(path), reason=error.strerror or "?") from error
    return open(descriptor, "wb")


def _kinds(words: list[str] | None) -> tuple[str, ...]:
    for word in words or ():
        if word not in KINDS:
            raise InvalidArgument(argument="--kind", reason=", ".join(KINDS))
    return tuple(words or ())


def _moment(option: str, text: str | None) -> datetime | None:
    """A time as people write it: of this machine's zone unless it says another; or how long ago.

    Raises:
        InvalidArgument: it is neither.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        reason = _("write 2026-01-31, 2026-01-31T08:05, or 8h for eight hours ago")
        raise InvalidArgument(argument=f"--{option}", reason=reason) from None
