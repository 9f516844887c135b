"""Heads are found wherever they were noted."""

from __future__ import annotations

import pytest

from cardd.journal.link import Head
from cardd.journal.witness import Witnesses, heads_in
from tests.unit.journal.standalone import MODULE

HEAD = Head("ab" * 16, 42, "cd" * 32)


@pytest.mark.parametrize(
    "text",
    [
        str(HEAD),
        f"noted on Monday: {HEAD}, by hand\n",
    ],
)
def test_a_head_in_a_text(text: str) -> None:
    assert heads_in(text) == [HEAD]
    assert MODULE.HEAD.findall(text) == [(HEAD.journal, "42", HEAD.digest)]


@pytest.mark.parametrize("text", ["", "abc:1:def", str(HEAD)[1:], f"{HEAD}0"])
def test_what_is_no_head(text: str) -> None:
    assert heads_in(text) == []


def test_the_last_of_each_journal() -> None:
    other = Head("00" * 16, 7, "cd" * 32)
    witnesses = Witnesses([HEAD, Head(HEAD.journal, 50, "ee" * 32), other])
    assert witnesses.last == {HEAD.journal: 50, other.journal: 7}
    assert witnesses.digests(HEAD.journal, 42) == {HEAD.digest}
    assert witnesses.digests(HEAD.journal, 43) is None
    assert not Witnesses([])
