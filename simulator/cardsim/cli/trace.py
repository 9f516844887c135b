"""``cardsim trace``: what a card is asked and what it answers, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardsim.cli.output import ControlOption, JsonOption, ReaderOption, failures
from cardsim.control import default_path
from cardsim.control_client import follow
from cardsim.trace import Decoder, Entry, load

if TYPE_CHECKING:
    from collections.abc import Iterator


def trace(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A transcript; without it, the simulator that runs.")
    ] = None,
    show_bytes: Annotated[bool, typer.Option("--bytes", help="Show the bytes too.")] = False,
    reader: ReaderOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Show each command and its answer in words: of the running simulator as they come, or of a recorded transcript.

    PINs, PUKs and plaintexts are hidden before they get here.
    """
    decoder = Decoder()
    with failures():
        entries = _live(control or default_path(), reader) if file is None else iter(load(file))
        for entry in entries:
            meaning = decoder.describe(entry)
            if json:
                print(entry.encode(meaning), flush=True)
                continue
            print(f"{entry.seconds:10.4f}  {meaning}", flush=True)
            if show_bytes and entry.control is None:
                print(f"{'':12}> {entry.command.hex().upper()}\n{'':12}< {entry.answer.hex().upper()}", flush=True)


def _live(control: Path, reader: str | None) -> Iterator[Entry]:
    return (Entry.decode(line) for line in follow(control, reader))
