"""``cardsim profiles``, ``switches`` and ``pki export``: what the simulator has to offer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from cardsim import profiles
from cardsim.cli.output import HomeOption, JsonOption, failures, print_json
from cardsim.pki import PkiStore, export
from cardsim.profiles.switches import switches


def list_profiles(json: JsonOption = False) -> None:
    """List the profiles: whose cards there are."""
    with failures():
        loaded = [profiles.load(name) for name in profiles.names()]
    if json:
        print_json(
            [
                {
                    "name": each.name,
                    "holder": each.holder.display_name,
                    "title": each.holder.title,
                    "card_type": each.holder.card_type.name,
                    "card_number": each.card.number,
                    "description": each.description,
                }
                for each in loaded
            ]
        )
        return
    table = Table(Column("name", no_wrap=True), "holder", "card type", "description")
    for each in loaded:
        holder = f"{each.holder.display_name}, {each.holder.title}"
        table.add_row(each.name, holder, each.holder.card_type.name, each.description)
    Console().print(table)


def list_switches(json: JsonOption = False) -> None:
    """List the keys of a profile's [behaviour]: what real cards may do otherwise, the usual value first."""
    known = switches()
    if json:
        print_json([asdict(each) for each in known])
        return
    table = Table(Column("key", no_wrap=True), "values", "what it decides")
    for each in known:
        table.add_row(each.name, ", ".join(each.values), each.meaning)
    Console().print(table)


def export_pki(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the fictional PKI's roots and intermediates as DER files, for a daemon that is to trust them."""
    with failures():
        written = [str(path) for path in export(PkiStore(home), directory)]
    if json:
        print_json({"files": written})
    else:
        print("\n".join(written))
