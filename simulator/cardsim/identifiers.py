"""Check digits and numbers printed in and on cards."""

from __future__ import annotations

ISSUER = "8025000001"
"""Card issuer: 80 health, 250 France, 00001 (ISO/IEC 7812 numbering as EF.SN of real cards has it)."""


def luhn_check_digit(digits: str) -> int:
    """The digit that makes ``digits`` followed by it sum to a multiple of ten (ISO/IEC 7812-1, annex B).

    Raises:
        ValueError: not decimal digits.
    """
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError("not decimal digits")
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    return -sum(value // 10 + value % 10 for value in doubled) % 10


def card_serial_value(serial: str) -> bytes:
    """EF.SN: ``5A 0A`` issuer, 8-digit serial, Luhn digit over both, filler F.

    Args:
        serial: 8 decimal digits.

    Raises:
        ValueError: not 8 decimal digits.
    """
    if len(serial) != 8:
        raise ValueError("serial is not of 8 digits")
    number = ISSUER + serial
    return b"\x5a\x0a" + bytes.fromhex(f"{number}{luhn_check_digit(number)}F")
