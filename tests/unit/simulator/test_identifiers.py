"""Check digits of published and test numbers."""

from __future__ import annotations

import pytest

from cardsim.identifiers import card_serial_value, luhn_check_digit


@pytest.mark.parametrize(
    "number", ["10002813839", "99700218896", "99900000011", "99900000060", "990000010", "187512751"]
)
def test_numbers_with_a_right_check_digit(number: str) -> None:
    """RPPS, FINESS and SIREN numbers."""
    assert luhn_check_digit(number[:-1]) == int(number[-1])


@pytest.mark.parametrize(
    ("serial", "value"),
    [
        ("99213845", "5A0A8025000001992138450F"),
        ("99214803", "5A0A8025000001992148038F"),
        ("26000123", "5A0A8025000001260001232F"),
    ],
)
def test_serial_file(serial: str, value: str) -> None:
    """Both published serial files, and the one whose digit was found wrong."""
    assert card_serial_value(serial).hex().upper() == value


@pytest.mark.parametrize("serial", ["9921384", "992138455", "9921384x", "٣٣٣٣٣٣٣٣"])
def test_serials_that_are_none(serial: str) -> None:
    """Length and digits."""
    with pytest.raises(ValueError, match="digits"):
        card_serial_value(serial)
