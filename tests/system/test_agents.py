"""Whom cardd asks: an agent in the caller's login session, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.logins import (
    Child,
    Logins,
    Program,
    at_the_seat,
    bring_to_front,
    over_the_network,
    under_the_user_manager,
)

QUESTIONS = ["pin:authenticate", "consent:signature"]


@pytest.fixture
def doctor(logins: Logins) -> Iterator[Program]:
    """The doctor at the desk, and at the end no session with the card."""
    program = logins.add(at_the_seat("doctor"))
    yield program
    bring_to_front(program)
    program.outcome("logout")


def agent_in(program: Program) -> Program:
    """An agent in the login session of another program."""
    agent = Child(program, "agent")
    agent.do("agent")
    return agent


def test_the_agent_of_the_callers_session_is_asked(logins: Logins, doctor: Program) -> None:
    here = agent_in(doctor)
    # Of the same user, registered later, in another session; and of another user, in front a moment ago.
    elsewhere = agent_in(logins.add(over_the_network("doctor")))
    of_another = agent_in(logins.add(at_the_seat("nurse")))
    bring_to_front(doctor)
    doctor.do("authenticate-by-agent")
    doctor.do("sign")
    assert here.do("asked") == QUESTIONS
    assert (elsewhere.do("asked"), of_another.do("asked")) == ([], [])


def test_without_an_agent_in_the_callers_session_nobody_is_asked(logins: Logins, doctor: Program) -> None:
    elsewhere = agent_in(logins.add(over_the_network("doctor")))
    assert doctor.outcome("authenticate-by-agent") == "NoAgent"
    doctor.do("authenticate")
    assert doctor.outcome("sign") == "NoAgent"
    assert elsewhere.do("asked") == []


def test_a_program_under_the_user_manager_is_of_the_display_session(logins: Logins, doctor: Program) -> None:
    here = agent_in(doctor)
    elsewhere = agent_in(logins.add(over_the_network("doctor")))
    application = logins.add(under_the_user_manager("doctor"))
    application.do("authenticate-by-agent")
    application.do("sign")
    assert here.do("asked") == QUESTIONS
    assert elsewhere.do("asked") == []


def test_an_agent_under_the_user_manager_asks_for_the_display_session(logins: Logins, doctor: Program) -> None:
    agent = logins.add(under_the_user_manager("doctor"))
    agent.do("agent")
    doctor.do("authenticate-by-agent")
    doctor.do("sign")
    assert agent.do("asked") == QUESTIONS
    assert logins.add(over_the_network("doctor")).outcome("authenticate-by-agent") == "NotAuthorized"
    assert agent.do("asked") == []
