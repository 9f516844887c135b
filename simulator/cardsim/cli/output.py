"""What the commands of ``cardsim`` share: their common options, how they print and how they fail."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardsim import fault_script
from cardsim.control import ControlSocketError, default_path
from cardsim.control_desk import ControlError
from cardsim.faults import Fault, FaultSpecificationError
from cardsim.pki.sized import CertificateSizeError
from cardsim.pki.store import PkiStoreError
from cardsim.profiles import ProfileError
from cardsim.trace import TranscriptError
from cardsim.transports.reader import ReaderError
from cardsim.transports.vpcd import VpcdAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILURE = 1
_KNOWN_FAILURES = (
    CertificateSizeError,
    ControlError,
    ControlSocketError,
    FaultSpecificationError,
    ProfileError,
    PkiStoreError,
    ReaderError,
    TranscriptError,
    OSError,
)

ControlOption = Annotated[
    Path | None,
    typer.Option("--control", metavar="PATH", help="The simulator's control socket.", show_default=str(default_path())),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Where the fictional PKI and the cards' keys are kept."),
]
ReaderOption = Annotated[
    str | None, typer.Option("--reader", metavar="NAME", help="Which reader, where there are several.")
]
FaultsOption = Annotated[
    Path | None, typer.Option("--faults", metavar="FILE", help="Faults from a TOML file with [[fault]] tables.")
]


def _address(given: str | VpcdAddress) -> VpcdAddress:
    if isinstance(given, VpcdAddress):
        return given  # Typer gives the default to the parser, too
    try:
        return VpcdAddress.parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


VpcdOption = Annotated[
    VpcdAddress,
    typer.Option("--vpcd", metavar="HOST:PORT", parser=_address, help="Where pcscd's vpcd driver listens."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def faults_of(path: Path | None) -> tuple[Fault, ...]:
    """Read the file of ``--faults``.

    Raises: ``typer.BadParameter``: names the line at fault.
    """
    try:
        return () if path is None else fault_script.load(path)
    except FaultSpecificationError as error:
        raise typer.BadParameter(str(error)) from error


def print_json(value: object) -> None:
    """Print one JSON value on one line, at once."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_pairs(pairs: dict[str, str]) -> None:
    """Print names and values in two columns, at once."""
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        print(f"{name + ':':{width + 1}} {value}", flush=True)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what a user can put right into one line on standard error and the exit code 1."""
    try:
        yield
    except _KNOWN_FAILURES as error:
        print(f"cardsim: {error}", file=sys.stderr)
        raise typer.Exit(FAILURE) from error
