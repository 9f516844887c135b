"""logind itself: it waits for cardd before it sleeps; a lock and a switch of the seat end sessions where configured."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.conftest import CONFIGURATION
from tests.system.logins import Logins, Program, as_user, at_the_seat, bring_to_front
from tests.system.machine import run

LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


@pytest.fixture(scope="module", autouse=True)
def _minding_desks() -> Iterator[None]:
    """A cardd whose configuration has both switches on."""
    right = CONFIGURATION.read_text()
    minding = right.replace("end-on-lock = false", "end-on-lock = true")
    minding = minding.replace("end-on-seat-switch = false", "end-on-seat-switch = true")
    assert minding.count("= true") >= right.count("= true") + 2
    CONFIGURATION.write_text(minding)
    run("systemctl", "restart", "cardd.service")
    yield
    CONFIGURATION.write_text(right)
    run("systemctl", "restart", "cardd.service")


@pytest.fixture
def doctor(logins: Logins) -> Program:
    """The doctor at the seat, a session open."""
    program = logins.add(at_the_seat("doctor"))
    program.do("authenticate")
    return program


def set_locked_hint(program: Program, *, locked: bool) -> None:
    """Say that the session's screen is locked, or is not, as its locker does."""
    found = json.loads(run("busctl", "--json=short", "call", *LOGIND, "GetSession", "s", str(program.session)).stdout)
    session = (LOGIND[0], found["data"][0], "org.freedesktop.login1.Session")
    run(*as_user("doctor"), "busctl", "--system", "call", *session, "SetLockedHint", "b", str(locked).lower())


def test_logind_waits_for_cardd_before_it_sleeps() -> None:
    listed = json.loads(run("busctl", "--json=short", "call", *LOGIND, "ListInhibitors").stdout)["data"][0]
    assert [(what, mode) for what, who, _, mode, _, _ in listed if who == "cardd"] == [("sleep", "delay")]


def test_a_session_that_shall_be_locked_has_ended(doctor: Program) -> None:
    run("loginctl", "lock-session", str(doctor.session))
    assert doctor.do("why-ended") == "locked"
    assert doctor.outcome("authenticate") == "yes", "no locker took it up"
    doctor.do("logout")


def test_where_the_screen_is_locked_no_session_lasts(doctor: Program) -> None:
    set_locked_hint(doctor, locked=True)
    assert doctor.do("why-ended") == "locked"
    assert doctor.outcome("authenticate") == "SessionEnded"
    set_locked_hint(doctor, locked=False)
    assert doctor.outcome("authenticate") == "yes"
    doctor.do("logout")


def test_somebody_else_at_the_seat_ends_it(doctor: Program, logins: Logins) -> None:
    logins.add(at_the_seat("nurse"))
    assert doctor.do("why-ended") == "locked"
    bring_to_front(doctor)
    assert doctor.outcome("authenticate") == "yes"
    doctor.do("logout")
