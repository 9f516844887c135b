"""Lines: canonical, safe to show, read back as what they were."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.journal.clock import Stamp, time_of, time_text
from cardd.journal.entry import LINE_MAX, body_of, parse_entry
from cardd.journal.errors import LineMalformed
from cardd.journal.event import CallerRef, Detail, Event, HolderRef, Kind
from cardd.journal.link import digest_of, read_link
from tests.unit.journal.standalone import MODULE
from tests.unit.journal.support import BOOT, CALLER, HOLDER

PREV = "a" * 64
STAMP = Stamp(1_800_000_000_000_001, 77, BOOT)
texts = st.text(max_size=40)
events = st.builds(
    Event,
    st.sampled_from(Kind),
    st.sampled_from(["ok", "NotAuthorized", "PinIncorrect"]),
    st.none() | st.builds(HolderRef, texts, texts),
    st.none() | st.builds(CallerRef, st.integers(0, 2**32), st.none() | st.integers(1, 2**22), texts, texts),
    st.fixed_dictionaries(
        {},
        optional={
            Detail.DOCUMENT_TITLE: texts,
            Detail.KEY: texts,
            Detail.TRIES_LEFT: st.integers(0, 15),
            Detail.TEST_CARD: st.booleans(),
            Detail.DIGEST: st.just("0f" * 32),
        },
    ),
)


@given(event=events, seq=st.integers(1, 10**14))
def test_a_line_is_read_back_as_what_it_was(event: Event, seq: int) -> None:
    line = body_of(event, STAMP).line(seq, PREV)
    link = read_link(line)
    assert (link.seq, link.prev, link.kind, link.digest) == (seq, PREV, event.kind, digest_of(line))
    entry = parse_entry(line)
    assert (entry.seq, entry.prev, entry.boot, entry.monotonic) == (seq, PREV, BOOT, 77)
    assert entry.time == datetime(2027, 1, 15, 8, 0, 0, 1, tzinfo=UTC)
    assert (entry.kind, entry.result, entry.holder, entry.caller) == (
        event.kind,
        event.result,
        event.holder,
        event.caller,
    )
    assert dict(entry.what) == {n.value: v for n, v in event.what.items()}


@given(event=events)
def test_a_line_is_canonical_and_nothing_that_a_terminal_would_obey(event: Event) -> None:
    line = body_of(event, STAMP).line(5, PREV)
    assert line.endswith(b"\n")
    text = line[:-1].decode("utf-8")
    assert text.isprintable()
    value = json.loads(text)
    assert list(value) == sorted(value)
    assert ", " not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert MODULE.parse(line) == value


HOSTILE = "\x1b]0;title\x07\x7f\x9b2J\u202egnp.exe\u2066\ud800\U000e0041\n\t"


def test_hostile_text_is_escaped() -> None:
    line = body_of(Event(Kind.CONSENT_ASKED, what={Detail.DOCUMENT_TITLE: HOSTILE + "é"}), STAMP).line(1, PREV)
    for raw in ("\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\U000e0041"):
        assert raw.encode() not in line
    assert b"\\u001b" in line
    assert b"\\u202e" in line
    assert b"\\udb40\\udc41" in line
    assert "é".encode() in line
    assert parse_entry(line).what["document-title"] == HOSTILE + "é"
    assert MODULE.parse(line) is not None


FREE = {
    *("action", "algorithm", "audience", "cause", "decision", "document-kind", "document-title", "driver"),
    *("errors", "expires", "file", "first", "job", "key", "last", "level"),
}


def test_the_longest_event_fits_a_line() -> None:
    worst = "\U000e0041" * 256
    texts_of_what = [one for one in Detail if one.value in FREE]
    event = Event(
        Kind.SIGNED,
        holder=HolderRef(worst[:64], worst[:64]),
        caller=CallerRef(2**62, 2**62, worst, worst),
        what=dict.fromkeys(texts_of_what, worst),
    )
    line = body_of(event, STAMP).line(10**14, PREV)
    assert len(line) <= LINE_MAX
    assert read_link(line).seq == 10**14


GOOD = body_of(Event(Kind.SIGNED, holder=HOLDER, caller=CALLER, what={Detail.KEY: "signature"}), STAMP).line(9, PREV)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"null\n",
        b"\xff\n",
        b"[" * 50000 + b"\n",
        GOOD.replace(b'"schema":1', b'"schema":2'),
        GOOD.replace(b'"seq":9', b'"seq":"9"'),
        GOOD.replace(b'"seq":9', b'"seq":-9'),
        GOOD.replace(b'"seq":9', b'"seq":true'),
        GOOD.replace(b'"kind":"signed"', b'"kind":3'),
        GOOD.replace(b'"seq":9', b'"seq":9,"seq":10'),
        GOOD.replace(b'"key":"signature"', b'"key":["signature"]'),
        GOOD.replace(b"000001Z", b"000001 "),
        GOOD.replace(b'"uid":1000', b'"uid":"root"'),
        b'"' + b"x" * LINE_MAX + b'"\n',
    ],
)
def test_what_is_no_entry_is_refused(bad: bytes) -> None:
    with pytest.raises(LineMalformed):
        parse_entry(bad)


@pytest.mark.parametrize(
    "bad",
    [
        GOOD[:-1],
        GOOD.replace(b",", b", ", 1),
        GOOD.replace(b'"kind":"signed"', b'"kind":"seal"'),
        GOOD.replace(b'"kind":"signed"', b'"kind":"segment"'),
        GOOD.replace(b'"key":"signature"', b'"key":"sig\x1bnature"'),
        GOOD.replace(b'"key":"signature"', b'"key":"\xff\xfe"'),
        GOOD[:-1] + b"\x0b" + GOOD,
    ],
)
def test_both_readers_refuse_what_is_not_of_the_form(bad: bytes) -> None:
    with pytest.raises(LineMalformed):
        read_link(bad)
    assert MODULE.parse(bad) is None


def test_a_kind_of_a_later_version_is_kept_as_a_word() -> None:
    assert parse_entry(GOOD.replace(b'"signed"', b'"teleported"')).kind == "teleported"


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_are_read_back(microseconds: int) -> None:
    moment = time_of(time_text(microseconds))
    assert moment - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(microseconds=microseconds)


@pytest.mark.parametrize("bad", ["", "2026-01-31T08:05:09Z", "2026-01-31T08:05:09.000001+", "x" * 26 + "Z"])
def test_other_times_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        time_of(bad)
