"""A reader's list of features is hostile input; the structure that a pad is given is exact."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.readers.pin_pad import verify_code, verify_structure
from cardd.readers.stack import CardHandle, Code, PcscError
from cardd_drivers.apdu import PinEntry


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


def code_of(answer: bytes | None) -> int | None:
    return verify_code(cast(CardHandle, Answers(answer)))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("060442330006", 0x42330006),
        ("0C0442330012 060442330006 070442330007", 0x42330006),
        ("070442330007", None),
        ("", None),
        ("0604423300", None),
        ("0602423300060000", None),
    ],
)
def test_the_code_is_found_where_there_is_one(answer: str, code: int | None) -> None:
    assert code_of(bytes.fromhex(answer)) == code


def test_a_reader_that_knows_no_features_has_no_pad() -> None:
    assert code_of(None) is None


@given(st.binary(max_size=40))
def test_no_answer_is_too_strange(answer: bytes) -> None:
    code = code_of(answer)
    assert code is None or code.to_bytes(4, "big") in answer


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
