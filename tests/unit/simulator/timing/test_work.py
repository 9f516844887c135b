"""What costs a card time beyond the line."""

from __future__ import annotations

import pytest

from cardsim.timing import Work

WORK = Work(select=1, select_application=2, rsa=4, eeprom_write=8)


@pytest.mark.parametrize(
    ("command", "answer", "seconds"),
    [
        ("00A4020C022F00", "9000", 1),
        ("00A4020C022F00", "6A82", 0),
        ("00A40904043F002F01", "611A", 1),
        ("00A4040C088025000001FF0100", "9000", 2),
        ("0020000108" + "FF" * 8, "9000", 8),
        ("0020000108" + "FF" * 8, "63C2", 8),
        ("0020000108" + "FF" * 8, "6983", 0),
        ("00200001", "63C3", 0),  # asks for the tries left
        ("0024000110" + "FF" * 16, "9000", 8),
        ("002C000110" + "FF" * 16, "9000", 8),
        ("00D600000101", "9000", 8),
        ("00880000" + "20" + "00" * 32, "6100", 4),
        ("002A9E9A2000", "9000", 4),
        ("002A9E9A20" + "00" * 32, "6985", 0),
        ("102A808601" + "00", "9000", 0),  # not the last of the chain
        ("002A808601" + "00", "6100", 4),
        ("002A90A0220000", "9000", 0),  # HASH
        ("00B0000010", "00" * 16 + "9000", 0),
        ("00", "6700", 0),
        ("00A4020C022F00", "", 0),
    ],
)
def test_seconds(command: str, answer: str, seconds: float) -> None:
    assert WORK.seconds_of(bytes.fromhex(command), bytes.fromhex(answer)) == seconds
