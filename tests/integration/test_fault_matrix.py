"""Each operation, at each of its commands, with each fault: the right error and state, and all works afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import CardRemoved, SessionEnded
from cardd.journal import Event
from cardd.readers import watch
from cardd.sessions import presence as presences
from cardd.sessions import session as sessions
from cardd.sessions.session import Session
from cardd_drivers.ias_ecc.card import IasEccCard
from tests.support.injections import DEPARTURES, INJECTIONS, LAPSES, Injection, disarm
from tests.support.matrix import commands_of, outcome, try_cell
from tests.support.operations import Operation, Workbench, workbench
from tests.support.tally import TALLY


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
    monkeypatch.setattr(presences, "WRONG_CODE_PAUSE", 0)
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


async def _leaves_while_it_is_written_down(
    bench: Workbench, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> object:
    """The last command was answered; the card leaves while the journal is written, before the reply."""
    await bench.ready(operation)
    record = bench.core.journal.record

    async def once_it_is_gone(event: Event) -> None:
        bench.core.reader.remove()
        await bench.core.gone()
        await record(event)

    with monkeypatch.context() as patched:
        patched.setattr(bench.core.journal, "record", once_it_is_gone)
        return await outcome(bench.do(operation))


IN_SESSION = [one for one in Operation if one.in_session]


@pytest.mark.parametrize("operation", [Operation.AUTHENTICATE, *IN_SESSION])
async def test_no_result_of_a_card_that_leaves_behind_the_last_command(
    operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workbench("cps3", "physician", "nurse") as bench:
        result = await _leaves_while_it_is_written_down(bench, operation, monkeypatch)
        assert isinstance(result, SessionEnded if operation.in_session else CardRemoved), repr(result)
        TALLY.cells["behind the last command"] += 1


@pytest.mark.parametrize("operation", IN_SESSION)
async def test_a_build_that_does_not_check_results_against_the_end_would_be_red(
    operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "guard", lambda _: None)
    async with workbench("cps3", "physician", "nurse") as bench:
        result = await _leaves_while_it_is_written_down(bench, operation, monkeypatch)
        assert not isinstance(result, Exception), "the broken build gives its result, which the cell above refuses"


async def test_a_build_that_presents_a_pin_again_would_be_red(monkeypatch: pytest.MonkeyPatch) -> None:
    verify = IasEccCard.verify_pin

    def again(self: IasEccCard, pin: bytearray) -> None:
        verify(self, pin)
        verify(self, pin)

    monkeypatch.setattr(IasEccCard, "verify_pin", again)
    async with workbench("cps3", "physician", "nurse") as bench:
        (slow,) = (one for one in LAPSES if one.name == "slow")
        with pytest.raises(AssertionError, match="sent again"):
            await try_cell(bench, Operation.AUTHENTICATE, slow, 1)
