"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardd.errors import N_

CardOption = Annotated[
    str | None,
    typer.Option("--card", metavar="CARD", help=N_("Which card, as `cardctl status` numbers it.")),
]
PinFdOption = Annotated[
    int | None,
    typer.Option(
        "--pin-fd",
        metavar="N",
        min=0,
        help=N_("Read the code from this open file descriptor, instead of asking on the terminal."),
    ),
]
LastTryOption = Annotated[
    bool,
    typer.Option("--last-try", help=N_("Allow the last try to be spent: another wrong code blocks the card.")),
]
WithoutPinPadOption = Annotated[
    bool,
    typer.Option("--without-pin-pad", help=N_("Type the codes here even where the reader has a PIN pad.")),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="OUT", help=N_("Write to this file instead of the standard output.")),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help=N_("cardd's configuration (default: /etc/cardd/cardd.toml).")),
]
