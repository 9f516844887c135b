"""Recognition by ATR."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers.contract import CardKind, Match
from cardd_drivers.ias_ecc import driver
from cardd_drivers.ias_ecc.atr import historical_bytes, recognise


def matched(atr: str) -> Match:
    return driver.matches(bytes.fromhex(atr))


@pytest.mark.parametrize(
    "atr",
    [
        "3BAC00402A001225006480000310009000",  # as published
        "3BAC01402A001225006480000310009000",  # TB1
        "3BAC00400A001225006480000310009000",  # TC2
        "3FAC00402A001225006480000310009000",  # TS
        "3BBC1800402A001225006480000310009000",  # with TA1
        "3BAC00402A001225006480000320009000",  # another release of its generation
        "3B9C9500001225006480000310009000",  # no TB1, no TC2
        "3BAC00C02A01001225006480000310009000" + "00",  # T=1 beside T=0, with a check byte
    ],
)
def test_a_contact_cps3_is_certain_whatever_its_interface_bytes(atr: str) -> None:
    assert matched(atr) is Match.CERTAIN


@pytest.mark.parametrize(
    "atr",
    [
        "3B9B188001001225006480040100009044",  # as published
        "3B9B188001001225006480000401009044",  # release candidate
        "3BDC18FF00001225006480000401009000",  # T=0 only
        "3B9B968001001225006480040100009044",  # another speed
    ],
)
def test_a_cps4_is_certain_and_told_from_a_cps3(atr: str) -> None:
    assert recognise(bytes.fromhex(atr)) == (Match.CERTAIN, CardKind.CPS4)
    assert matched(atr) is Match.CERTAIN


def test_a_generation_that_nobody_published_is_left_to_the_card() -> None:
    assert matched("3BAC00402A001225006480000610009000") is Match.POSSIBLE


@pytest.mark.parametrize(
    "atr",
    [
        "3B8F80010031B86404B0ECC1739401808290000E",  # CPS3 without contact
        "3B6500002063CB6600",  # another card
    ],
)
def test_cards_of_other_drivers_are_refused(atr: str) -> None:
    assert matched(atr) is Match.NO


@pytest.mark.parametrize(
    "atr",
    [
        "",
        "3B",
        "3BAC",
        "3BAC00402A0012250064800003100090",
        "3BAC00402A00122500648000031000900000",
        "00" * 17,
        "3B" * 34,
    ],
)
def test_what_is_no_atr_is_refused(atr: str) -> None:
    assert matched(atr) is Match.NO


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(data: bytes) -> None:
    historical = historical_bytes(data)
    assert historical is None or len(historical) == data[1] & 0x0F
    assert driver.matches(data) in Match
