"""Heads are taken from the field of cardd alone, whatever other fields hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.journal.journald import JournaldMalformed, is_journald, journald_heads
from cardd.journal.link import Head

HEAD = Head("ab" * 16, 42, "cd" * 32)
FORGED = Head("00" * 16, 7, "ee" * 32)


def exported(*records: dict[str, bytes]) -> bytes:
    """As journalctl writes it: what has a newline or is not printable goes with its length."""
    parts = []
    for record in records:
        for name, value in record.items():
            if value.decode("utf-8", "replace").isprintable():
                parts.append(name.encode() + b"=" + value + b"\n")
            else:
                parts.append(name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
        parts.append(b"\n")
    return b"".join(parts)


def of_cardd(head: Head = HEAD, **more: bytes) -> dict[str, bytes]:
    return {"__CURSOR": b"s=1", **more, "CARDD_HEAD": str(head).encode()}


def heads_or_nothing(data: bytes) -> list[Head]:
    """What is read, or nothing where it is refused by its one error."""
    try:
        return journald_heads(data)
    except JournaldMalformed:
        return []


@given(title=st.binary(max_size=40), number=st.integers(1, 3))
def test_what_a_caller_chose_is_no_head(title: bytes, number: int) -> None:
    hostile = title + f"\nCARDD_HEAD={FORGED}\n\n__CURSOR=x\nCARDD_HEAD={FORGED}\n".encode()
    data = exported(*[of_cardd(CARDD_WHAT_DOCUMENT_TITLE=hostile, MESSAGE=str(FORGED).encode())] * number)
    assert is_journald(data)
    assert journald_heads(data) == [HEAD] * number


@given(title=st.text(max_size=40))
def test_nor_in_json(title: str) -> None:
    hostile = f'{title}","CARDD_HEAD":"{FORGED}'
    records = [{"__CURSOR": "s=1", "T": hostile, "CARDD_HEAD": str(HEAD)}, {"__CURSOR": "s=2", "MESSAGE": "another's"}]
    data = "\n".join(map(json.dumps, records)).encode()
    assert is_journald(data)
    assert journald_heads(data) == [HEAD]


@given(cut=st.integers(1, 400))
def test_what_is_cut_short_is_refused_or_gives_what_it_has(cut: int) -> None:
    data = exported(*[of_cardd(CARDD_WHAT_DOCUMENT_TITLE=b"a\nb")] * 2)
    assert set(heads_or_nothing(data[:cut])) <= {HEAD}


@given(data=st.binary(max_size=200))
def test_anything_else_is_refused_or_holds_no_head(data: bytes) -> None:
    for begin in (b"__CURSOR=", b'{"__CURSOR": "'):
        assert heads_or_nothing(begin + data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"__CURSOR=s=1\nCARDD_HEAD=none\n",
        b"__CURSOR=s=1\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc\n",
        b'{"__CURSOR":"s=1","CARDD_HEAD":["a","b"]}\n',
        b'{"__CURSOR":"s=1"}\n[]\n',
    ],
)
def test_a_spoilt_record_is_named(data: bytes) -> None:
    with pytest.raises(JournaldMalformed):
        journald_heads(data)


@pytest.mark.parametrize("data", [b"", str(HEAD).encode(), b'{"kind":"proof"}\n', b"\n__CURSOR=1\n"])
def test_what_is_not_of_journald(data: bytes) -> None:
    assert not is_journald(data)
