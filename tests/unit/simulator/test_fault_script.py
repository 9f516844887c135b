"""Files of faults: what they say, and that what is wrong is told with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.fault_script import load, parse
from cardsim.faults import Fault, FaultKind, FaultSpecificationError

STORY = """\
[[fault]]
kind = "delay"
at = 2
argument = 800

[[fault]]
kind = "sw"
at = 3
argument = "6C05"
stays = true

[[fault]]
kind = "swap"
at = 9
argument = "nurse"
"""


def test_a_story_is_its_faults_in_order(tmp_path: Path) -> None:
    path = tmp_path / "story.toml"
    path.write_text(STORY)
    assert load(path) == (
        Fault(FaultKind.DELAY, 2, 800),
        Fault(FaultKind.STATUS_WORD, 3, 0x6C05, stays=True),
        Fault(FaultKind.SWAP, 9, "nurse"),
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('kind = "sw"', 'kind = "sww"', r"story:6: fault: unknown kind of fault 'sww'"),
        ("at = 3", 'at = "three"', r"story:8: fault\.at: must be an integer"),
        ("at = 3\n", "", r"story:6: fault\.at: is missing"),
        ('argument = "6C05"', "argument = 27653", r"story:6: .*four hex digits"),
        ('argument = "6C05"', "argument = 1.5", r"story:9: fault\.argument: must be a string or an integer"),
        ("stays = true", "stay = true", r"story:10: fault\.stay: unknown key"),
        ("argument = 800", 'argument = "long"', r"story:1: .*decimal number"),
        ("[[fault]]", "[[faults]]", r"unknown key|no \[\[fault"),
        ('kind = "sw"', "kind = sw", r"no TOML.*line 7"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(before: str, after: str, said: str) -> None:
    assert before in STORY
    with pytest.raises(FaultSpecificationError, match=said):
        parse(STORY.replace(before, after), "story")


def test_an_empty_file_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultSpecificationError, match=r"no \[\[fault\]\]"):
        parse("", "story")
    with pytest.raises(FaultSpecificationError, match="cannot be read"):
        load(tmp_path / "nowhere.toml")


@given(st.text())
def test_any_text_is_faults_or_refused(text: str) -> None:
    with contextlib.suppress(FaultSpecificationError):
        assert parse(text, "story")
