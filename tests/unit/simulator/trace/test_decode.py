"""Exchanges in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.trace import Decoder, Entry, load

TRANSCRIPTS = Path(__file__).parents[3] / "data" / "transcripts"


def entry(command: str, answer: str, *, masked: bool = False) -> Entry:
    return Entry(0, command=bytes.fromhex(command), answer=bytes.fromhex(answer), masked=masked)


@pytest.mark.parametrize(
    ("command", "answer", "said"),
    [
        ("00A4040C088025000001FF0100", "9000", "SELECT by name root application -> 9000 done"),
        ("00A40904043F002F01", "611A", "SELECT 3F002F01 (EF.ATR) -> 611A 26 bytes wait"),
        ("00C0000002", "62009000", "GET RESPONSE 2 bytes -> 2 bytes, 9000 done"),
        ("00B09C000C", "00" * 12 + "9000", "READ BINARY EF.SN, offset 0, 12 bytes -> 12 bytes, 9000 done"),
        ("00B0010000", "6C20", "READ BINARY current file, offset 256, 256 bytes -> 6C20 wrong Le: 32 it is"),
        ("00200001", "63C3", "VERIFY reference 01: how many tries are left? -> 63C3 3 tries left"),
        ("002241B606840181800142", "9000", "MANAGE SECURITY ENVIRONMENT SET DST 840181800142 -> 9000 done"),
        ("102A80860100", "9000", "PERFORM SECURITY OPERATION DECIPHER, chained -> 9000 done"),
        (
            "002A9E9A0100",
            "6985",
            "PERFORM SECURITY OPERATION COMPUTE DIGITAL SIGNATURE -> 6985 conditions of use not satisfied",
        ),
        ("00F00000", "6D00", "INS F0 -> 6D00 INS not supported"),
        ("00B0000001", "", "READ BINARY current file, offset 0, 1 bytes -> no answer"),
        ("00", "6700", "1 bytes that are no command -> 6700 wrong length"),
        ("00A4000C023F00", "1234", "SELECT 3F00 (MF) -> 1234 unknown"),
    ],
)
def test_words(command: str, answer: str, said: str) -> None:
    assert Decoder().describe(entry(command, answer)) == said


def test_a_hidden_pin_is_counted_and_not_shown() -> None:
    said = Decoder().describe(entry("0020000108" + "00" * 8, "63C2", masked=True))
    assert said == "VERIFY reference 01, 8 bytes hidden -> 63C2 2 tries left"


def test_a_read_is_of_the_file_that_was_selected_until_a_reset() -> None:
    decoder = Decoder()
    decoder.describe(entry("00A4020C022F00", "9000"))
    decoder.describe(entry("00A4020C025031", "6A82"))
    read = entry("00B0000010", "9000")
    assert decoder.describe(read).startswith("READ BINARY 2F00 (EF.DIR), offset 0")
    assert decoder.describe(Entry(0, "power-on", b"\x3b\x00")) == "power-on, ATR 3B00"
    assert decoder.describe(read).startswith("READ BINARY current file")


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*/*.jsonl")), ids=lambda path: path.stem)
def test_every_recorded_exchange_has_a_name_and_a_meaning(path: Path) -> None:
    decoder = Decoder()
    said = [decoder.describe(each) for each in load(path)]
    assert said
    assert [line for line in said if "INS " in line.split("->")[0] or line.endswith("unknown")] == []


@given(st.binary(max_size=20), st.binary(max_size=6), st.booleans())
def test_any_bytes_have_a_line(command: bytes, answer: bytes, masked: bool) -> None:
    line = Decoder().describe(Entry(0, command=command, answer=answer, masked=masked))
    assert line
    assert "\n" not in line
