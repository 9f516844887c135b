"""Names with stars."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.patterns import PatternIndex, fits


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a", "a", True),
        ("a", "aa", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*b*c", "abc", True),
        ("a*bc*c", "abc", False),
        ("app-*-org.example.App-*.scope", "app-gnome-org.example.App-42.scope", True),
        ("app-*-org.example.App-*.scope", "app-gnome-org.exampleXApp-42.scope", False),
        ("a.c", "abc", False),
    ],
)
def test_fits(pattern: str, name: str, expected: bool) -> None:
    assert fits(pattern, name) is expected


TEXTS = st.text("ab*\n", max_size=6)


@given(TEXTS, st.text("ab\n", max_size=8))
def test_as_a_regular_expression_would(pattern: str, name: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert fits(pattern, name) is (re.fullmatch(expression, name, re.DOTALL) is not None)


LONG_TEXTS = st.text("ab*", max_size=16)
"""With parts that are long enough to be filed under."""


@given(st.lists(TEXTS | LONG_TEXTS, max_size=8, unique=True), st.lists(st.text("ab", max_size=16), max_size=4))
def test_the_index_finds_what_fits(patterns: list[str], names: list[str]) -> None:
    index = PatternIndex({pattern: 1 << position for position, pattern in enumerate(patterns)})
    for name in names * 2:  # the second time from memory
        expected = sum(1 << position for position, pattern in enumerate(patterns) if fits(pattern, name))
        assert index.find(name) == expected


def test_ever_new_names_fill_nothing() -> None:
    index = PatternIndex({"a*": 1})
    for number in range(2000):
        index.find(f"a{number}")
    assert len(index._found) <= 256
