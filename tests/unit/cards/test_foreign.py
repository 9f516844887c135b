"""Which answers to reset are those of cards that are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cards.foreign import ForeignKind, foreign_kind
from cardd_drivers.contract import Match
from cardd_drivers.ias_ecc import driver
from cardsim.layouts.catalogue import LAYOUTS
from cardsim.look_alike import LOOK_ALIKES

PUBLISHED = [
    "3B75130000 43 09EA9000",
    "3B75130000 44 09EA9000",
    "3B75130000 45 09EA9000",
    "3B75130000 45 09FA9000",
    "3B75130000 46 09EA9000",
    "3B75130000 47 09EA9000",
    "3B75130000 48 09EA9000",
    "3B75130000 49 09EA9000",
    "3F652500 22 09699000",
    "3F652500 2C 09F99000",
    "3F652500 52 096A9000",
    "3F652500 A3 096A9000",
    "3F652500 A4 096A9000",
]


@pytest.mark.parametrize("atr", PUBLISHED)
def test_a_vitale_is_recognised_and_no_driver_of_ours_takes_it(atr: str) -> None:
    assert foreign_kind(bytes.fromhex(atr)) is ForeignKind.VITALE
    assert driver.matches(bytes.fromhex(atr)) is Match.NO


def test_the_simulators_look_alike_is_one() -> None:
    assert foreign_kind(LOOK_ALIKES["vitale"]) is ForeignKind.VITALE


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_professionals_card_is_taken_for_one(layout: str) -> None:
    assert foreign_kind(LAYOUTS[layout].atr) is None


@given(st.binary(max_size=40))
def test_any_other_answer_is_nobodys(atr: bytes) -> None:
    assert (foreign_kind(atr) is None) == (atr.hex().upper() not in {one.replace(" ", "") for one in PUBLISHED})


@pytest.mark.parametrize("atr", [b"", bytes.fromhex("3B7513000044 09EA9000 00"), bytes.fromhex("3B7513000044 09EA90")])
def test_a_longer_or_shorter_one_is_none(atr: bytes) -> None:
    assert foreign_kind(atr) is None
