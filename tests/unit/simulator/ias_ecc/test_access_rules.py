"""Access rules in compact format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.ias_ecc.access_rules import (
    Condition,
    FileAccess,
    Interface,
    KeyAccess,
    PinAccess,
    condition_for,
    parse_rule,
)

EF_DIR = bytes.fromhex("8C077B45FFFFFF45009C077BFFFFFFFFFF00")


def test_conditions_stand_from_the_highest_bit_down() -> None:
    """The rule of EF.DIR: delete and update by secure messaging under SE 5, read always."""
    rule = parse_rule(bytes.fromhex("7B45FFFFFF4500"))
    assert rule[FileAccess.DELETE] == rule[FileAccess.UPDATE] == Condition(0x45)
    assert rule[FileAccess.READ].always
    assert rule[FileAccess.TERMINATE].never
    assert rule[FileAccess.UPDATE].methods == (True, False, False)
    assert rule[FileAccess.UPDATE].environment == 5


def test_bit_eight_of_the_mode_byte_counts_no_condition() -> None:
    """The published rule of the PIN: F3 with five conditions."""
    rule = parse_rule(bytes.fromhex("F3000013FF00"))
    assert [
        rule[bit].byte for bit in (PinAccess.CHANGE, PinAccess.VERIFY, PinAccess.RESET, PinAccess.PUT, PinAccess.GET)
    ] == [
        0x00,
        0x00,
        0x13,
        0xFF,
        0x00,
    ]


def test_each_interface_has_its_rule() -> None:
    """EF.DIR is updated by contact only; what no rule mentions is never allowed."""
    assert condition_for(EF_DIR, Interface.CONTACT, FileAccess.UPDATE).byte == 0x45
    assert condition_for(EF_DIR, Interface.CONTACTLESS, FileAccess.UPDATE).never
    assert condition_for(bytes.fromhex("8C024011"), Interface.CONTACT, KeyAccess.DECIPHER).never
    assert condition_for(b"", Interface.CONTACT, FileAccess.READ).never


@given(st.binary(max_size=9))
def test_any_bytes_parse_or_are_refused(value: bytes) -> None:
    """As many conditions as bits, or an error."""
    try:
        rule = parse_rule(value)
    except ValueError:
        assert not value or bin(value[0] & 0x7F).count("1") != len(value) - 1
    else:
        assert len(rule) == len(value) - 1


@pytest.mark.parametrize(("byte", "needed"), [(0x91, True), (0x11, False)])
def test_bit_eight_of_a_condition_wants_all_of_them(byte: int, needed: bool) -> None:
    """The and-or bit."""
    assert Condition(byte).all_needed is needed
