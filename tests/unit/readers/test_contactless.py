"""Whether an answer to reset is one that a reader made of a contactless card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.readers.contactless import is_contactless


@pytest.mark.parametrize(
    ("atr", "expected"),
    [
        ("3B8F80010031B86404B0ECC1739401808290000E", True),  # CPS3 without contact
        ("3B8F8001804F0CA000000306030001000000006A", True),  # a memory card, as PC/SC part 3 names it
        ("3B80800101", True),  # no historical byte
        ("3BAC00402A001225006480000310009000", False),  # CPS3 by its contacts
        ("3B9B188001001225006480040100009044", False),  # CPS4: T=0 and T=1 behind TA1
        ("3B8F80010031B86404B0ECC17394018082900E", False),  # one historical byte short
        ("3F8F80010031B86404B0ECC1739401808290000E", False),
        ("3B8F", False),
        ("", False),
    ],
)
def test_an_answer_to_reset(atr: str, expected: bool) -> None:
    assert is_contactless(bytes.fromhex(atr)) is expected


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(atr: bytes) -> None:
    """And are contactless only as long as they say."""
    assert not is_contactless(atr) or len(atr) == 5 + (atr[1] & 0x0F)
