"""Faults: their text form, and when they strike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsim.faults import Fault, FaultKind, FaultSpecificationError

COMMAND = b"\x00\xa4\x00\x00"
ANSWER = COMMAND + b"\x90\x00"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sw@3:6F00", Fault(FaultKind.STATUS_WORD, 3, 0x6F00)),
        ("sw@3+:6f00", Fault(FaultKind.STATUS_WORD, 3, 0x6F00, stays=True)),
        ("delay@5:800", Fault(FaultKind.DELAY, 5, 800)),
        ("remove@7", Fault(FaultKind.REMOVE, 7)),
        ("remove-after@1", Fault(FaultKind.REMOVE_AFTER, 1)),
        ("mute@0+", Fault(FaultKind.MUTE, 0, stays=True)),
        ("garbage@2:40", Fault(FaultKind.GARBAGE, 2, 40)),
        ("swap@4:nurse", Fault(FaultKind.SWAP, 4, "nurse")),
        ("swap@4:/home/me/my:card.toml", Fault(FaultKind.SWAP, 4, "/home/me/my:card.toml")),
    ],
)
def test_text_forms(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "KIND@N"),
        ("swap@4", "needs an argument"),
        ("swap@0:nurse", "counted from 1"),
        ("sw", "KIND@N"),
        ("sw@", "KIND@N"),
        ("sw@-1:6F00", "KIND@N"),
        ("sw@1:6F00\n", "KIND@N"),
        ("explode@1", "unknown kind of fault 'explode'"),
        ("sw@1", "needs an argument"),
        ("sw@1:6F", "four hex digits"),
        ("delay@1", "needs an argument"),
        ("delay@1:soon", "decimal number"),
        ("delay@1:999999999", "at most 600000"),
        ("oversize@1:99999999", "at most 1048576"),
        ("remove@1:5", "takes no argument"),
        ("sw@0:6F00", "counted from 1"),
    ],
)
def test_unfit_texts_are_refused_for_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(FaultSpecificationError, match=said):
        Fault.parse(text)


@settings(deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[a-z-]{1,8}@[0-9]{1,7}\+?(:.{0,8})?"))
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    try:
        fault = Fault.parse(text)
    except FaultSpecificationError:
        return
    assert Fault.parse(str(fault)) == fault
