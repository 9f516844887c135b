"""A reader's list of features is hostile input; the structure that a pad is given is exact."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.readers.pin_pad import PadCodes, modify_structure, pad_codes, verify_structure
from cardd.readers.stack import CardHandle, Code, PcscError
from cardd_drivers.apdu import NewPinEntry, PinEntry


class Answers:
    """A handle whose reader answers so; None: it does not know the request."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    def control(self, code: int, data: bytes) -> bytes:
        """See CardHandle."""
        assert (code, data) == (0x42000D48, b"")
        if self._answer is None:
            raise PcscError("SCardControl", Code.E_UNSUPPORTED_FEATURE)
        return self._answer


def codes_of(answer: bytes | None) -> PadCodes:
    return pad_codes(cast(CardHandle, Answers(answer)))


@pytest.mark.parametrize(
    ("answer", "verify", "modify"),
    [
        ("060442330006", 0x42330006, None),
        ("0C0442330012 060442330006 070442330007", 0x42330006, 0x42330007),
        ("070442330007", None, 0x42330007),
        ("", None, None),
        ("0604423300", None, None),
        ("0602423300060000", None, None),
    ],
)
def test_the_codes_are_found_where_there_are_any(answer: str, verify: int | None, modify: int | None) -> None:
    assert codes_of(bytes.fromhex(answer)) == PadCodes(verify, modify)


def test_a_reader_that_knows_no_features_has_no_pad() -> None:
    assert codes_of(None) == PadCodes()


@given(st.binary(max_size=40))
def test_no_answer_is_too_strange(answer: bytes) -> None:
    codes = codes_of(answer)
    assert all(code is None or code.to_bytes(4, "big") in answer for code in (codes.verify, codes.modify))


def test_the_structure_says_where_the_digits_go() -> None:
    entry = PinEntry(4, 12, position=3, block=12)
    structure = verify_structure(bytes.fromhex("00200001020000"), entry)
    # bmFormatString 1 0011 0 10: bytes, position 3, left, ASCII; block of 12; 12 at most, 4 at least (little endian).
    assert structure[2:4] == bytes.fromhex("9A0C")
    assert structure[5:7] == bytes.fromhex("0C04")
    assert structure[15:19] == bytes.fromhex("07000000")


@pytest.mark.parametrize(
    ("minimum", "maximum", "position", "block"),
    [(5, 4, 0, 8), (4, 9, 0, 8), (4, 8, 16, 8), (0, 0, 0, 0), (4, 16, 0, 16)],
)
def test_what_no_pad_takes_is_refused(minimum: int, maximum: int, position: int, block: int) -> None:
    with pytest.raises(ValueError, match="no PIN pad"):
        PinEntry(minimum, maximum, position, block)


def test_the_structure_for_a_change_says_where_both_pins_go() -> None:
    command = bytes.fromhex("0024000110") + b"\xff" * 16
    structure = modify_structure(command, NewPinEntry(4, 4, block=8, old=0, new=8))
    # PC/SC part 10, 2.5.3: 90 s; ASCII, to the left, in bytes; blocks of 8, no length; old at 0, new at 8; 4 digits;
    # old asked for, new confirmed; OK ends each; three messages, French: PIN, new, new again; 21 bytes of command.
    head = "5A5A 82 08 00 00 08 0404 03 02 03 0C04 00 01 02 000000 15000000"
    assert structure == bytes.fromhex(head) + command


def test_the_structure_for_a_new_pin_alone_asks_for_no_old_one() -> None:
    command = bytes.fromhex("002C020108") + b"\xff" * 8
    structure = modify_structure(command, NewPinEntry(4, 8, block=8, old=None, new=0))
    assert structure == bytes.fromhex("5A5A 82 08 00 00 00 0804 01 02 02 0C04 01 02 00 000000 0D000000") + command


@pytest.mark.parametrize(
    ("minimum", "maximum", "block", "old", "new"),
    [(5, 4, 8, 0, 8), (4, 9, 8, 0, 8), (4, 8, 8, -1, 8), (4, 8, 8, 0, 256), (0, 0, 0, None, 0), (4, 16, 16, 0, 16)],
)
def test_what_no_pad_changes_is_refused(minimum: int, maximum: int, block: int, old: int | None, new: int) -> None:
    with pytest.raises(ValueError, match="no PIN pad"):
        NewPinEntry(minimum, maximum, block, old, new)
