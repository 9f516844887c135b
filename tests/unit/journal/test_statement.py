"""The statement of an export, written and read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cardd.journal.errors import LineMalformed
from cardd.journal.link import Head
from cardd.journal.statement import Statement

STATEMENT = Statement(2, 9, 8, "aa" * 32, "bb" * 32, "cc" * 16, "dd" * 32, "ee" * 32)


def test_what_is_written_is_read() -> None:
    assert Statement.parse(STATEMENT.line()) == STATEMENT
    assert STATEMENT.end == Head("cc" * 16, 9, "bb" * 32)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        STATEMENT.line().replace(b'"schema":1', b'"schema":2'),
        STATEMENT.line().replace(b'"kind":"proof"', b'"kind":"seal"'),
        STATEMENT.line().replace(b'"lines":8', b'"lines":"x"'),
        json.dumps({**json.loads(STATEMENT.line()), "head": 7}).encode(),
        replace(STATEMENT, sha256="short").line(),
    ],
)
def test_what_is_none(line: bytes) -> None:
    with pytest.raises(LineMalformed):
        Statement.parse(line)
