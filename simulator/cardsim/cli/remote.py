"""``cardsim insert``, ``remove``, ``tap``, ``pad``, ``fault``, ``status``: what is done to a simulator that runs."""

from __future__ import annotations

import enum
import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cardsim.cli.output import ControlOption, FaultsOption, JsonOption, ReaderOption, failures, faults_of, print_json
from cardsim.control import default_path
from cardsim.control_client import ask
from cardsim.control_desk import ControlError
from cardsim.faults import Fault, FaultSpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def insert(
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Whose card; without it the one that was in last."),
    ] = None,
    reader: ReaderOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Put a card into the running simulator's reader."""
    with failures():
        answer = ask(control or default_path(), "insert", reader=reader, profile=profile)
    if json:
        print_json(answer)
    else:
        print(f"{answer['reader']}: {_whose(answer)}")


def remove(reader: ReaderOption = None, control: ControlOption = None, json: JsonOption = False) -> None:
    """Take the card out of the running simulator's reader."""
    with failures():
        answer = ask(control or default_path(), "remove", reader=reader)
    if json:
        print_json(answer)
    else:
        print(f"{answer['reader']}: empty")


def tap(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Whose card; without it the one that was in last.")
    ] = None,
    milliseconds: Annotated[
        int, typer.Option("--for", metavar="MS", min=1, max=60000, help="How long it is held to the reader.")
    ] = 1000,
    reader: ReaderOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Hold a card to the running simulator's reader for a moment, as one does with a contactless one."""
    with failures():
        answer = ask(control or default_path(), "tap", reader=reader, profile=profile, milliseconds=str(milliseconds))
    if json:
        print_json(answer)
    else:
        print(f"{answer['reader']}: {answer['profile']} was here for {milliseconds} ms")


def fault(
    specifications: Annotated[
        list[str] | None,
        typer.Argument(metavar="KIND@N[:ARG]...", help="For instance sw@3:6F00, delay@5:800, remove@7, mute@2."),
    ] = None,
    script: FaultsOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Disarm the faults that are armed, first.")] = False,
    reader: ReaderOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Arm faults: what goes wrong at the N-th command from now or from the next power-up.

    Kinds: delay (ms), remove, remove-after, swap (profile), mute (ms), garbage (bytes), truncate (bytes), oversize
    (bytes), tlv (length claimed), endless, sw (four hex digits). KIND@N+ strikes at every command from the N-th on.
    """
    texts = specifications or []
    if not texts and not clear and script is None:
        raise typer.BadParameter("give a fault, or --clear, or --faults FILE")
    try:
        faults = [Fault.parse(text) for text in texts]
    except FaultSpecificationError as error:
        raise typer.BadParameter(str(error)) from error
    faults.extend(faults_of(script))
    path = control or default_path()
    with failures():
        if clear:
            ask(path, "clear-faults", reader=reader)
        for each in faults:
            ask(path, "fault", reader=reader, fault=str(each))
        armed = _described(ask(path, "status"), reader)["faults"]
    if json:
        print_json({"faults": armed})
    else:
        print("armed: " + (", ".join(armed) or "nothing"))


class PadKey(enum.StrEnum):
    """What ends an entry on a PIN pad."""

    OK = "ok"
    CANCEL = "cancel"
    TIME_OUT = "time-out"


def pad(
    key: Annotated[PadKey, typer.Argument(help="The key; time-out lets the time for the entry pass.")] = PadKey.OK,
    reader: ReaderOption = None,
    control: ControlOption = None,
    json: JsonOption = False,
) -> None:
    """Type on the PIN pad of the running simulator's reader.

    With ok, the digits come from standard input, a line for each PIN: printf '1234\\n4321\\n4321\\n' | cardsim pad
    """
    entries = _typed() if key is PadKey.OK else [""]
    with failures():
        for digits in entries:
            answer = ask(control or default_path(), "pin-pad", reader=reader, key=key.value, digits=digits)
    if json:
        print_json(answer)
    else:
        print(f"{answer['reader']}: {key.value}, entries: {len(entries)}")


def _typed() -> list[str]:
    """The lines of standard input; on a terminal one, which it does not show."""
    if sys.stdin.isatty():
        return [getpass.getpass("digits: ")]
    return sys.stdin.read().splitlines() or [""]


def status(control: ControlOption = None, json: JsonOption = False) -> None:
    """Tell what is in the running simulator's readers."""
    with failures():
        answer = ask(control or default_path(), "status")
    if json:
        print_json(answer)
        return
    for reader in answer["readers"]:
        holder = _whose(reader) if reader["card"] else "empty"
        faults = f"; faults: {', '.join(reader['faults'])}" if reader["faults"] else ""
        print(f"{reader['name']}: {holder}{faults}")


def _whose(answer: Mapping[str, Any]) -> str:
    """Say which card it is; a look-alike has no holder."""
    if answer["holder"] is None:
        return str(answer["profile"])
    return f"{answer['profile']}, {answer['holder']}, card {answer['card_number']}"


def _described(answer: dict[str, Any], name: str | None) -> dict[str, Any]:
    readers: list[dict[str, Any]] = answer["readers"]
    found = next((reader for reader in readers if name in (None, reader["name"])), None)
    if found is None:
        raise ControlError("unknown-reader", "the reader has been unplugged meanwhile")
    return found
