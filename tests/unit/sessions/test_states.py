"""The table of states, line by line."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.sessions.states import TRANSITIONS, EndReason, Event, IllegalTransitionError, State, advance


@given(st.lists(st.sampled_from(list(Event))))
def test_authenticated_is_reached_only_by_name_chain_pin_and_proof_in_this_order(events: list[Event]) -> None:
    state, since_present = State.PRESENT, [Event.GONE]
    for event in events:
        try:
            state = advance(state, event)
        except IllegalTransitionError:
            continue
        since_present.append(event)
    if state is State.AUTHENTICATED:
        assert since_present[-2:] == [Event.PIN_OFFERED, Event.PROVEN]
        named = max(index for index, event in enumerate(since_present) if event is Event.NAMED)
        chain = [event for event in since_present[named:] if event in (Event.CHAIN_ACCEPTED, Event.CHAIN_REFUSED)]
        assert chain[-1] is Event.CHAIN_ACCEPTED


def test_nothing_happens_to_a_card_that_has_departed() -> None:
    for event in Event:
        with pytest.raises(IllegalTransitionError, match=r"cannot happen while departed"):
            advance(State.DEPARTED, event)


def test_a_card_can_depart_from_every_state() -> None:
    for state in State:
        if state is not State.DEPARTED:
            assert advance(state, Event.GONE) is State.DEPARTED


def test_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) | {State.PRESENT} == set(State)


def test_no_pin_is_taken_for_a_card_that_is_not_trusted() -> None:
    for state in State:
        if state is not State.TRUSTED:
            with pytest.raises(IllegalTransitionError):
                advance(state, Event.PIN_OFFERED)


ROOT = Path(__file__).parents[3]


def documented(heading: str) -> list[list[str]]:
    """The table under a heading of docs/sessions.md: its rows, each with its cells; code spans without their marks."""
    page = (ROOT / "docs" / "sessions.md").read_text("utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def test_the_documentation_has_this_very_table_line_by_line() -> None:
    table = [[state.value, event.value, after.value] for (state, event), after in TRANSITIONS.items()]
    assert [row[:3] for row in documented("What can happen")] == table


def test_the_documentation_explains_every_state_and_every_reason() -> None:
    assert sorted(row[0] for row in documented("The states of a card in a reader")) == sorted(State)
    assert [row[0] for row in documented("Why a session ends")] == list(EndReason)


def test_the_contract_of_the_bus_names_every_reason() -> None:
    contract = (ROOT / "dbus" / "org.cardd1.Session.xml").read_text("utf-8")
    listed = re.search(r"Ended:\s+@reason: ([^.]+)\.", contract)
    assert listed is not None
    assert re.split(r",\s+", listed[1]) == list(EndReason)
