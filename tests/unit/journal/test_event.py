"""Events take only what their names allow: no bytes, no long texts, no unknown names."""

from __future__ import annotations

from typing import Any

import pytest

from cardd.journal.event import TEXT_MAX, CallerRef, Detail, Event, HolderRef, Kind, clipped


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (Detail.DIGEST, "ab" * 31),
        (Detail.DIGEST, "AB" * 32),
        (Detail.DIGEST, bytes(32)),
        (Detail.FINGERPRINT, 123),
        (Detail.TRIES_LEFT, "3"),
        (Detail.TRIES_LEFT, True),
        (Detail.COUNT, -1),
        (Detail.COUNT, 1 << 63),
        (Detail.TEST_CARD, 1),
        (Detail.DOCUMENT_TITLE, "x" * (TEXT_MAX + 1)),
        (Detail.DOCUMENT_TITLE, b"1234"),
        (Detail.KEY, 1234),
        ("pin", "1234"),
        ("key", "signature"),
    ],
)
def test_a_particular_of_a_wrong_form_is_refused_without_being_shown(name: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|only names") as caught:
        Event(Kind.SIGNED, what={name: value})
    assert str(value) not in str(caught.value)


TEXTS = [
    one
    for one in Detail
    if one.value not in {"bytes", "count", "lines", "number", "tries-left", "test-card", "digest", "fingerprint"}
]


def test_particulars_have_a_limit_together() -> None:
    Event(Kind.SIGNED, what=dict.fromkeys(TEXTS[:16], "x" * TEXT_MAX))
    with pytest.raises(ValueError, match="at most 4096"):
        Event(Kind.SIGNED, what=dict.fromkeys(TEXTS[:17], "x" * TEXT_MAX))


@pytest.mark.parametrize("result", ["", "two words", 'ok"', "x" * 65, "é"])
def test_a_result_is_a_plain_name(result: str) -> None:
    with pytest.raises(ValueError, match="result"):
        Event(Kind.SIGNED, result)


def test_references_are_checked() -> None:
    with pytest.raises(ValueError, match="uid"):
        CallerRef(-1)
    with pytest.raises(ValueError, match="unit"):
        CallerRef(0, unit="x" * 257)
    with pytest.raises(ValueError, match="national_id"):
        HolderRef("9" * 65, "")


def test_an_event_cannot_be_changed_through_what_it_was_made_of() -> None:
    what = {Detail.KEY: "signature"}
    event = Event(Kind.SIGNED, what=what)
    what[Detail.KEY] = "authentication"
    assert event.what[Detail.KEY] == "signature"


def test_clipped_marks_the_cut() -> None:
    assert clipped("short") == "short"
    assert clipped("x" * 300) == "x" * 255 + "…"
