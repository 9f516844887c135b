"""Reader names that pyscard cannot carry: which way a call takes."""

from __future__ import annotations

from typing import Any

import pytest

from cardd.readers import pcsclite
from cardd.readers.pcsclite import AnyName


class Pyscard:
    """As pyscard: ASCII names to wait on and to connect to, UTF-8 names to list."""

    def __init__(self, names: list[bytes]) -> None:
        self._names = names

    def SCardListReaders(self, context: int, groups: list[str]) -> Any:  # noqa: N802
        return 0, [name.decode() for name in self._names]

    def SCardGetStatusChange(self, context: int, timeout: int, states: list[tuple[str, int]]) -> Any:  # noqa: N802
        return 0, [(name.encode("ascii").decode(), state, []) for name, state in states]

    def SCardConnect(self, context: int, reader: str, share: int, protocols: int) -> Any:  # noqa: N802
        return 0, len(reader.encode("ascii")), 1

    def SCardStatus(self, card: int) -> Any:  # noqa: N802
        return 0, self._names[0].decode(), 4, 1, [0x3B]

    def SCardCancel(self, context: int) -> int:  # noqa: N802
        return context


@pytest.fixture
def raw_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What went to libpcsclite itself."""
    calls: list[tuple[Any, ...]] = []

    def change(context: int, timeout: int, asked: list[tuple[bytes, str, int]]) -> Any:
        calls.append((context, timeout, asked))
        return 0, [(name, state, []) for _, name, state in asked]

    def connect(*arguments: Any) -> Any:
        calls.append(arguments)
        return 0, 5, 1

    monkeypatch.setattr(pcsclite, "_list_readers", lambda context: (0, [b"Lecteur \xe9", b"A"]))
    monkeypatch.setattr(pcsclite, "_get_status_change", change)
    monkeypatch.setattr(pcsclite, "_connect", connect)
    monkeypatch.setattr(pcsclite, "_status", lambda card: (0, "", card, 1, []))
    return calls


def test_plain_names_go_through_pyscard(raw_calls: list[tuple[Any, ...]]) -> None:
    scard = AnyName(Pyscard([b"A"]))
    assert scard.SCardListReaders(1, []) == (0, ["A"])
    assert scard.SCardGetStatusChange(1, 0, [("A", 16)]) == (0, [("A", 16, [])])
    assert scard.SCardConnect(1, "A", 2, 3) == (0, 1, 1)
    assert scard.SCardStatus(9) == (0, "A", 4, 1, [0x3B])
    assert scard.SCardCancel(3) == 3
    assert raw_calls == []


def test_a_name_beyond_ascii_is_waited_on_through_the_library(raw_calls: list[tuple[Any, ...]]) -> None:
    scard = AnyName(Pyscard(["Lecteur é".encode()]))
    assert scard.SCardGetStatusChange(1, 0, [("Lecteur é", 16), ("A", 0)])[1] == [("Lecteur é", 16, []), ("A", 0, [])]
    assert scard.SCardConnect(1, "Lecteur é", 2, 3) == (0, 5, 1)
    assert raw_calls == [
        (1, 0, [("Lecteur é".encode(), "Lecteur é", 16), (b"A", "A", 0)]),
        (1, "Lecteur é".encode(), 2, 3),
    ]


def test_a_name_that_is_no_utf8_goes_to_the_library_as_it_came(raw_calls: list[tuple[Any, ...]]) -> None:
    scard = AnyName(Pyscard([b"Lecteur \xe9"]))
    code, (name, other) = scard.SCardListReaders(1, [])
    assert (code, other) == (0, "A")
    scard.SCardGetStatusChange(1, 0, [(name, 0)])
    scard.SCardConnect(1, name, 1, 3)
    assert raw_calls == [(1, 0, [(b"Lecteur \xe9", name, 0)]), (1, b"Lecteur \xe9", 1, 3)]
    assert scard.SCardStatus(9) == (0, "", 9, 1, [])
