"""The table of states, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.sessions.states import TRANSITIONS, Event, IllegalTransitionError, State, advance


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
