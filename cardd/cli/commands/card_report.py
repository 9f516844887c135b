"""`cardctl doctor --card-report`: what the card that is in answers to harmless questions, in one file."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from cardd import __version__
from cardd.cli.failures import CardHeld, NoCard, NoReader, ReaderNotFound, SeveralReaders
from cardd.cli.files import write_private
from cardd.cli.i18n import _
from cardd.cli.output import Output, plain
from cardd.errors import CardInUse, shown
from cardd.report.reading import Readers, open_readers
from cardd_drivers.contract import CardReport

FORMAT = "cardd card report 1"


def write_card_report(output: Output, file: Path, reader: str | None, *, with_identity: bool) -> None:
    """Ask the card, write the file, say what is in it.

    Args:
        output: where the command tells.
        file: where the report goes; its owner's alone.
        reader: its PC/SC name, None where one reader alone has a card.
        with_identity: what identifies card and holder is told, too.

    Raises:
        NoReader, NoCard, SeveralReaders, ReaderNotFound, CardHeld, FileUnusable.
        CarddError: as `cardd.report.reading.Readers.report`.
    """
    with open_readers() as readers:
        chosen = _chosen(readers, reader)
        try:
            report = readers.report(chosen, with_identity=with_identity)
        except CardInUse as error:
            raise CardHeld(holder=error.fields["holder"]) from error
    write_private(file, text_of(report, chosen, with_identity=with_identity).encode("utf-8"))
    output.document({"file": str(file), "commands": len(report.commands), "answers": plain(report.answers)})
    output.line(_("The card's answers are in {file}; no PIN was asked for, and no try spent.").format(file=file))
    if with_identity:
        output.line(_("It tells whose card it is: give it only to whom you would show the card."), style="bold yellow")
    else:
        output.line(_("What would tell whose card it is was left out. Read it before you send it."))


def text_of(report: CardReport, reader: str, *, with_identity: bool) -> str:
    """The file: JSON that is read by people as well, questions and answers first.

    Args:
        report: by the driver.
        reader: its PC/SC name, without the serial number that some drivers put there.
        with_identity: whether something was left out.
    """
    document = {
        "format": FORMAT,
        "cardd": __version__,
        "system": platform.machine(),
        "reader": reader if with_identity else reader.partition("(")[0].partition("[")[0].strip(),
        "with-identity": with_identity,
        "hidden": None if with_identity else ".. stands for one byte that would tell whose card it is",
        "answers": {one.question: one.answer for one in report.answers},
        "commands": plain(report.commands),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _chosen(readers: Readers, wanted: str | None) -> str:
    if not readers.names:
        raise NoReader
    if wanted is not None and wanted not in readers.names:
        raise ReaderNotFound(reader=shown(wanted), choices=", ".join(readers.names))
    candidates = [name for name in readers.with_card if wanted in (None, name)]
    if not candidates:
        raise NoCard
    if len(candidates) > 1:
        raise SeveralReaders(choices=", ".join(candidates))
    return candidates[0]
