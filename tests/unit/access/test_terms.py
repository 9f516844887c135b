"""Limits of a consent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.terms import SECONDS_MAX, USES_MAX, ConsentMode, ConsentTerms

BATCH = ConsentTerms(ConsentMode.BATCH, 50, 600)


@pytest.mark.parametrize(
    ("mode", "uses", "seconds"),
    [
        (ConsentMode.BATCH, 0, 1),
        (ConsentMode.BATCH, USES_MAX + 1, 1),
        (ConsentMode.SESSION, 1, 0),
        (ConsentMode.SESSION, 1, -1),
        (ConsentMode.SESSION, 1, SECONDS_MAX + 1),
        (ConsentMode.SESSION, 1, math.inf),
        (ConsentMode.SESSION, 1, math.nan),
        (ConsentMode.DOCUMENT, 2, 60),
    ],
)
def test_no_mode_without_a_limit(mode: ConsentMode, uses: int, seconds: float) -> None:
    with pytest.raises(ValueError, match=r"must be|one use"):
        ConsentTerms(mode, uses, seconds)


@given(st.sampled_from(list(ConsentMode)), st.integers(-5, 300))
def test_what_is_asked_is_never_widened(mode: ConsentMode, uses: int) -> None:
    try:
        narrowed = BATCH.narrowed(mode, uses)
    except ValueError:
        assert mode is ConsentMode.SESSION or (mode is ConsentMode.BATCH and not 1 <= uses <= 50)
        return
    assert narrowed.mode.width <= BATCH.mode.width
    assert narrowed.uses == (1 if mode is ConsentMode.DOCUMENT else uses)
    assert narrowed.seconds == 600


def test_the_modes_widen() -> None:
    assert ConsentMode.DOCUMENT.width < ConsentMode.BATCH.width < ConsentMode.SESSION.width
