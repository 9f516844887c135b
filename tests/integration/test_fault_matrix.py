"""Each operation, at each of its commands, with each fault: the right error and state, and all works afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cardd.cards.connection import HoldMode
from cardd.readers import watch
from cardd.sessions import session as sessions
from tests.support.injections import DEPARTURES, INJECTIONS, LAPSES, Injection, disarm
from tests.support.matrix import TALLY, commands_of, try_cell
from tests.support.operations import Operation, Workbench, workbench


@dataclass(frozen=True, slots=True)
class Subject:
    """A layout, and how much of the matrix it is put through.

    Args:
        layout: of `cardsim.layouts.catalogue`.
        profile, other: whose cards; the second is swapped in.
        every: identification, which reads the most, is broken at each so many commands.
    """

    layout: str
    profile: str = "physician"
    other: str = "nurse"
    every: int = 3


SUBJECTS = (
    Subject("cps3", every=1),
    Subject("cps3-easy"),
    Subject("cps4", "physician-cps4", "nurse-cps4-t0"),
    Subject("cps4-t0", "physician-cps4", "nurse-cps4-t0"),
)
"""A layout joins by its line."""
HELD_OTHERWISE = (HoldMode.INSERTION, HoldMode.SHARED)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is let pass on purpose: nothing here is late."""
    monkeypatch.setattr(sessions, "PULLED_SECONDS", 0)
    monkeypatch.setattr(sessions, "HEAD_START_SECONDS", 0)
    monkeypatch.setattr(watch, "BACK_OFF_FIRST", 0.001)


async def sweep(
    bench: Workbench, operation: Operation, injections: Sequence[Injection], what: str, every: int = 1
) -> None:
    """Every cell of an operation; the red ones are gathered, so that one run tells all."""
    red = []
    commands = await commands_of(bench, operation)
    for injection in injections:
        for at in range(1, commands + 1, every):
            try:
                TALLY.cells[what] += await try_cell(bench, operation, injection, at)
            except Exception as error:  # whatever it is, the cell is red
                TALLY.cells[what] += 1
                red.append(f"{what}, {operation} at command {at} of {commands}, {injection.name}: {error!r}")
                disarm(bench)
                await bench.afresh()
    TALLY.red += red
    assert not red, "\n".join(red)


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda one: one.layout)
async def test_every_fault_at_every_command(subject: Subject, operation: Operation) -> None:
    every = subject.every if operation is Operation.IDENTIFY else 1
    async with workbench(subject.layout, subject.profile, subject.other) as bench:
        await sweep(bench, operation, INJECTIONS, f"{subject.layout}, hold = session", every)


@pytest.mark.parametrize("operation", [one for one in Operation if one is not Operation.IDENTIFY])
@pytest.mark.parametrize("hold", HELD_OTHERWISE)
async def test_every_departure_however_the_card_is_held(hold: HoldMode, operation: Operation) -> None:
    async with workbench("cps3", "physician", "nurse", hold=hold) as bench:
        await sweep(bench, operation, (*DEPARTURES, *LAPSES), f"cps3, hold = {hold}")
