"""`cardctl journal verify` and `timestamp`: whether the journal is what it was, and a witness for later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardd.cli.commands.journal import DirectoryOption, Source, with_journal
from cardd.cli.commands.trust import configuration
from cardd.cli.exit_codes import ExitCode
from cardd.cli.failures import FileUnusable
from cardd.cli.files import write_public
from cardd.cli.i18n import _, ngettext
from cardd.cli.journal_words import fault, notice, witness
from cardd.cli.options import ConfigOption
from cardd.cli.output import Output
from cardd.cli.settings import settings_of
from cardd.cli.wording import clean, clock
from cardd.client import JournalReport
from cardd.errors import N_, InvalidArgument

if TYPE_CHECKING:
    from cardd.cli.journal_witnesses import Testimony  # what it reads is slow to import

_TsaRoot = Annotated[
    list[Path] | None,
    typer.Option(
        "--tsa-root", metavar="FILE", help=N_("Certificate of the timestamp authority's root; may be repeated.")
    ),
]


def verify(
    context: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", help=N_("Directory of the journal or of a copy; with --proof, the export.")),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help=N_("Public key that was noted elsewhere; may be repeated.")),
    ] = None,
    witness_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--witness",
            metavar="FILE",
            help=N_(
                "What a witness kept elsewhere: a note of heads, what journalctl gave out, the proof of an export, a "
                "token, a timestamp; may be repeated."
            ),
        ),
    ] = None,
    tsa_root: _TsaRoot = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FILE",
            help=N_("Root that a token's certificate must lead to; may be repeated. Default: those cardd believes."),
        ),
    ] = None,
    header: Annotated[
        Path | None,
        typer.Option("--header", metavar="FILE", help=N_("First line of the first file that was not archived.")),
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help=N_("Verify an export by this proof."))
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Verify the journal, a copy of it or an export."""
    from cardd.cli.journal_witnesses import Roots, testimony  # noqa: PLC0415  # cryptography is slow to import

    if proof is not None and path is None:
        raise InvalidArgument(argument="PATH", reason="--proof needs the export")
    by_files = key or witness_file or header
    files = path if path is not None or not by_files else configuration(config).journal.directory
    output = settings_of(context).output
    roots = Roots(tuple(tsa_root or ()), tuple(root or ()), config)
    seen = [testimony(file, roots) for file in witness_file or ()]
    report = _asked(context, config) if files is None else _verified(files, proof, key or [], seen, header)
    _tell(output, report, seen)
    if not report.sound:
        raise typer.Exit(ExitCode.FAILURE)


def timestamp(
    context: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="DIRECTORY", help=N_("Directory for the head and its timestamp; keep what is in it elsewhere.")
        ),
    ],
    tsa: Annotated[
        str, typer.Option("--tsa", metavar="URL", help=N_("Address of the timestamp authority, http or https."))
    ],
    tsa_root: _TsaRoot = None,
    directory: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Have a timestamp authority (RFC 3161) witness where the journal stands."""
    from cardd.cli import timestamps  # noqa: PLC0415  # cryptography is slow to import
    from cardd.cli.roots import certificates_in  # noqa: PLC0415  # as above
    from cardd.journal.link import Head  # noqa: PLC0415  # as above

    if not tsa_root:
        raise InvalidArgument(argument="--tsa-root", reason=_("name the root that its timestamps are verified by"))
    roots = certificates_in(tsa_root)

    async def work(journal: Source, output: Output) -> None:
        text = await journal.head()
        if not text:
            raise FileUnusable(file=str(directory or ""), reason=_("nothing is written yet"))
        head = Head.parse(text)
        response, at = timestamps.ask(tsa, head, roots)
        file = target / f"{head.journal}-{head.seq:015d}{timestamps.RESPONSE_SUFFIX}"
        write_public(file, response)
        write_public(file.with_suffix(timestamps.HEAD_SUFFIX), timestamps.text_of(head))
        output.document({"head": text, "time": at, "file": str(file)})
        said = _("Line {line} of the journal was there on {time}; {file} proves it.")
        output.line(said.format(line=head.seq, time=clock(at), file=file))

    with_journal(context, directory, config, work)


def _asked(context: typer.Context, config: Path | None) -> JournalReport:
    reports: list[JournalReport] = []

    async def ask(journal: Source, _output: Output) -> None:
        reports.append(await journal.verify())

    with_journal(context, None, config, ask)
    (report,) = reports
    return report


def _verified(
    path: Path, proof: Path | None, keys: list[Path], seen: list[Testimony], header: Path | None
) -> JournalReport:
    from cardd.cli.journal_files import (  # noqa: PLC0415  # cryptography is slow to import
        JournalFiles,
        anchors_in,
        verify_exported,
    )

    anchors = anchors_in(keys, seen, header)
    if proof is not None:
        return verify_exported(path, proof, anchors)
    return asyncio.run(JournalFiles(path).verify(anchors))


def _tell(output: Output, report: JournalReport, seen: list[Testimony]) -> None:
    output.document({"report": report, "witnesses": [_document(one) for one in seen]})
    for one in seen:
        output.line(witness(one))
    for problem in report.problems:
        where = _("{file}, line {line}").format(file=problem.file, line=problem.line)
        output.marked(_("PROBLEM"), "red", f"{fault(problem.fault)} ({problem.fault}): {where}")
    for sentence in report.notices:
        output.marked("•", "yellow", notice(sentence))
    output.line(_("Head: {head}").format(head=report.head or _("none")))
    if report.sound:
        said = ngettext("{count} entry, nothing found.", "{count} entries, nothing found.", report.entries)
        output.line(said.format(count=report.entries), style="bold green")
    else:
        said = ngettext("{count} problem found.", "{count} problems found.", report.count)
        output.line(said.format(count=report.count), style="bold red")


def _document(seen: Testimony) -> dict[str, object]:
    return {
        "file": clean(str(seen.file)),
        "kind": seen.kind,
        "heads": len(seen.heads),
        "last": str(seen.last),
        "time": seen.at,
    }
