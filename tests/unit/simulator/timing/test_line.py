"""Bytes on the line, counted by hand from ISO 7816-3, and the speed that published answers to reset give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.card import CardProtocol
from cardsim.timing import Line

CPS3 = bytes.fromhex("3BAC00402A001225006480000310009000")
CPS4 = bytes.fromhex("3B9B188001001225006480040100009044")


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("00200001", "63C3", 7),  # case 1: five bytes (P3 = 0), two of status
        ("00B000000C", "00" * 12 + "9000", 20),  # case 2: header, procedure byte, data, status
        ("00B0000039", "00" * 57 + "9000", 65),  # the published read of 57 bytes
        ("00B000000C", "6A82", 7),  # refused: no procedure byte
        ("00A4020C022F00", "9000", 10),  # case 3
        ("0020000108" + "31" * 8, "63C2", 16),
        ("00A40000023F0000", "611A", 10),  # case 4: Le is not sent, the answer is fetched
        ("00B0000000", "00" * 256 + "9000", 264),
    ],
)
def test_t0_counts_bytes(command: str, answer: str, expected: int) -> None:
    line = Line.of(CPS3, CardProtocol.T0)
    assert line.bytes_of(bytes.fromhex(command), bytes.fromhex(answer)) == expected


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        (5, 14, 5 + 4 + 14 + 4),
        (32, 2, 32 + 4 + 2 + 4),
        (33, 2, 33 + 3 * 4 + 2 + 4),  # two blocks and the acknowledgement of the first
        (5, 254, 5 + 4 + 254 + 4),
        (5, 258, 5 + 4 + 258 + 3 * 4),
        (261, 258, 261 + 9 * 4 + 8 * 4 + 258 + 3 * 4),
    ],
)
def test_t1_counts_blocks(command: int, answer: int, expected: int) -> None:
    assert Line.of(CPS4, CardProtocol.T1).bytes_of(bytes(command), bytes(answer)) == expected


def test_a_byte_of_a_cps3_takes_twelve_units_of_372_clocks() -> None:
    line = Line.of(CPS3, CardProtocol.T0)
    assert line.byte_seconds == pytest.approx(12 * 372 / 4e6)
    assert line.reset_seconds == pytest.approx(17 * 12 * 372 / 4e6)
    assert line.seconds_of(bytes.fromhex("00B0000039"), bytes(59)) == pytest.approx(
        0.0725, abs=1e-3
    )  # published: 72 ms


def test_a_cps4_is_twelve_times_faster_and_agrees_on_it() -> None:
    line = Line.of(CPS4, CardProtocol.T1)
    assert line.byte_seconds == pytest.approx(12 * 31 / 4e6)
    assert line.reset_seconds == pytest.approx((17 + 8) * 12 * 372 / 4e6)


def test_the_clock_is_the_reader_s() -> None:
    assert Line.of(CPS3, CardProtocol.T0, clock_hertz=2e6).byte_seconds == pytest.approx(12 * 372 / 2e6)


@pytest.mark.parametrize(
    ("atr", "protocol", "units"),
    [
        ("3B40FF", CardProtocol.T0, 12),  # TC1 = FF
        ("3BC0FF0181", CardProtocol.T1, 11),
        ("3B4005", CardProtocol.T0, 17),
    ],
)
def test_extra_guard_time(atr: str, protocol: CardProtocol, units: int) -> None:
    assert Line.of(bytes.fromhex(atr), protocol).byte_seconds == pytest.approx(units * 372 / 4e6)


def test_the_information_field_is_the_first_ta_behind_t1() -> None:
    # TD1 = 81: T=1, TD2 follows; TD2 = 31: TA3 and TB3 follow; TA3 = FE.
    assert Line.of(bytes.fromhex("3B808131FE45"), CardProtocol.T1).information_field == 254
    assert Line.of(CPS4, CardProtocol.T1).information_field == 32


@given(st.binary(max_size=40), st.sampled_from(CardProtocol))
def test_any_answer_to_reset_gives_a_line(atr: bytes, protocol: CardProtocol) -> None:
    line = Line.of(atr, protocol)
    assert line.byte_seconds > 0
    assert line.information_field > 0
    assert line.bytes_of(bytes(5), bytes(2)) > 0
