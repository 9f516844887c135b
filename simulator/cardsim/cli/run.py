"""``cardsim run``: a simulated card in pcscd, until told to stop."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from cardsim.cli.output import (
    ControlOption,
    FaultsOption,
    HomeOption,
    JsonOption,
    VpcdOption,
    failures,
    faults_of,
    print_json,
    print_pairs,
)
from cardsim.control import ControlServer, default_path
from cardsim.control_cards import DEFAULT_PROFILE, CardCupboard, PreparedLookAlike
from cardsim.control_desk import ControlDesk, FixedRack
from cardsim.faults import Fault, FaultSpecificationError
from cardsim.transports.vpcd import VpcdAddress, VpcdReader

if TYPE_CHECKING:
    from pathlib import Path

    from cardsim.control_cards import PreparedCard

_STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except FaultSpecificationError as error:
        raise typer.BadParameter(str(error)) from error


def run(
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Whose card: a profile's name or its file.")
    ] = DEFAULT_PROFILE,
    vpcd: VpcdOption = VpcdAddress(),  # noqa: B008  # frozen
    fault: Annotated[
        list[Fault] | None,
        typer.Option("--fault", metavar="KIND@N[:ARG]", parser=_fault, help="A fault from the start; may be repeated."),
    ] = None,
    faults: FaultsOption = None,
    timing: Annotated[bool, typer.Option("--timing", help="Take the time that a real card takes.")] = False,
    no_insert: Annotated[
        bool, typer.Option("--no-insert", help="Leave the card outside; 'cardsim insert' puts it in.")
    ] = False,
    home: HomeOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Run a simulated card in pcscd, in the foreground.

    Prints the holder, the card number, the PIN and the PUK (fictional, all of them), then "ready" once pcscd has the
    card, or "waiting" with --no-insert. SIGINT and SIGTERM end it: the card is taken out.
    """
    # Blocked before any thread starts, so that the signals wait for sigwait below and for nobody else.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    with failures(), contextlib.ExitStack() as running:
        cupboard = CardCupboard(home, timing=timing)
        prepared = cupboard.any_card(profile)
        reader = VpcdReader(vpcd)
        desk = ControlDesk(FixedRack(reader), cupboard, profile)
        for each in (*(fault or ()), *faults_of(faults)):
            reader.faults.arm(each)
        server = ControlServer(control or default_path(), desk)
        server.start()
        running.callback(server.close)
        running.callback(reader.remove)
        _print_card(prepared, reader, server.path, json)
        if not no_insert:
            reader.insert(prepared.card)
        print("waiting" if no_insert else "ready", flush=True)
        signal.sigwait(_STOPPING)


def _print_card(prepared: PreparedCard | PreparedLookAlike, reader: VpcdReader, control: Path, json: bool) -> None:
    described = {
        "profile": prepared.name,
        **_holder_of(prepared),
        "reader": reader.name,
        "control": str(control),
    }
    if json:
        print_json(described)
    else:
        words = {"card_number": "card number", "pin": "PIN", "puk": "PUK"}
        print_pairs({words.get(name, name): value for name, value in described.items()})


def _holder_of(prepared: PreparedCard | PreparedLookAlike) -> dict[str, str]:
    if isinstance(prepared, PreparedLookAlike):
        return {}
    profile = prepared.profile
    return {
        "holder": f"{profile.holder.display_name}, {profile.holder.title}",
        "card_number": profile.card.number,
        "pin": profile.card.pin,
        "puk": profile.card.puk,
    }
