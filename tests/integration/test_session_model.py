"""Anything in any order: the model of sessions drives the real core, and finds what is broken on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardd.readers import watch
from cardd.sessions import presence as presence_module
from cardd.sessions import session as session_module
from cardd.sessions.registry import Sessions as Registry
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardd_drivers.ias_ecc.card import IasEccCard
from tests.support.model import MACHINES, Sessions, run_model

STEPS_EACH = 1_700
"""Of one test; all of them together make more than 20,000."""
SEEDS = range(4)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No time is let pass on purpose; no core is kept for the next test."""
    monkeypatch.setattr(presence_module, "WRONG_CODE_PAUSE", 0)
    monkeypatch.setattr(session_module, "PULLED_SECONDS", 0)
    monkeypatch.setattr(session_module, "HEAD_START_SECONDS", 0)
    monkeypatch.setattr(watch, "BACK_OFF_FIRST", 0.001)
    yield
    Sessions.discard_world(quietly=True)


@pytest.mark.timeout(600)  # it counts steps; how long they take is the machine's affair
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seeded", SEEDS)
def test_sessions_end_exactly_whatever_happens_in_whatever_order(machine: type[Sessions], seeded: int) -> None:
    """Hypothesis prints the seed's steps when it fails; the test's name has the seed."""
    before, taken = Sessions.steps, 0
    while (taken := taken + 1) and Sessions.steps - before < STEPS_EACH:
        run_model(machine, seeded=1000 * seeded + taken, examples=40)
    Sessions.discard_world()


# -- a machine that finds nothing is no witness: what follows is broken on purpose, and must be found --------------


def found(wanted: str, machine: type[Sessions] = Sessions) -> bool:
    """Whether the machine says this of a build; it looks for a while.

    What hypothesis cannot repeat, since threads race, it tells as that and not as what was found: the next seed finds
    it again.
    """
    for seeded in range(20):
        try:
            run_model(machine, seeded=seeded, examples=40)
        except BaseException as finding:  # hypothesis raises groups, too
            if isinstance(finding, KeyboardInterrupt):
                raise
            if wanted in f"{finding!r} {_inner(finding)}":
                return True
    return False


def _inner(finding: BaseException) -> str:
    inner = finding.exceptions if isinstance(finding, BaseExceptionGroup) else ()
    return " ".join(f"{one!r} {_inner(one)}" for one in inner)


def test_a_build_that_does_not_check_results_against_the_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "guard", lambda _: None)
    assert found("was sent after its end")


def test_a_build_that_tells_an_end_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Registry.end

    def twice(self: Registry, session: Session, reason: EndReason) -> None:
        was_open = session.number in self._open
        end(self, session, reason)
        if was_open:
            self._told.session_ended(session, reason)

    monkeypatch.setattr(Registry, "end", twice)
    assert found("ended 2 times")


def test_a_build_that_presents_a_pin_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    verify = IasEccCard.verify_pin

    def again(self: IasEccCard, pin: bytearray) -> None:
        verify(self, pin)
        verify(self, pin)

    monkeypatch.setattr(IasEccCard, "verify_pin", again)
    assert found("PINs went out")


def test_a_build_that_keeps_a_session_of_a_card_that_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "end", lambda *_: None)
    assert found("before the end of")


def test_a_build_that_gives_no_card_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def kept(self: Registry, presence: object) -> None:
        del self, presence

    monkeypatch.setattr(Registry, "_give_back", kept)
    assert found("")
