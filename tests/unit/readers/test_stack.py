"""The typed face of PC/SC."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from cardd.readers import stack as module
from cardd.readers.stack import (
    PNP_NOTIFICATION,
    Code,
    Disposition,
    Flag,
    PcscError,
    PcscStack,
    ReaderState,
    Share,
    StackUnavailable,
    load_stack,
)
from cardd_drivers.contract import Transport


class Fake:
    """Answers each function with what the test says, and keeps what it was asked."""

    INFINITE = 0x7FFF_FFFF

    def __init__(self, **answers: Any) -> None:
        self.answers = {"SCardEstablishContext": [0, 7], "SCardReleaseContext": 0, **answers}
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            self.asked.append((name, tuple(list(one) if isinstance(one, list) else one for one in arguments)))
            answer = self.answers[name]
            return answer(*arguments) if callable(answer) else answer

        return function


def test_no_readers_is_an_empty_list() -> None:
    fake = Fake(SCardListReaders=[0x8010002E, []])
    assert PcscStack(fake).establish().list_readers() == []


def test_a_name_that_repeats_is_listed_once() -> None:
    fake = Fake(SCardListReaders=[0, ["A", "B", "A"]])
    assert PcscStack(fake).establish().list_readers() == ["A", "B"]


@pytest.mark.parametrize("code", [0x80100013, 0x8010001D - (1 << 32)])
def test_a_code_is_told_unsigned_with_its_name(code: int) -> None:
    fake = Fake(SCardListReaders=[code, []])
    with pytest.raises(PcscError) as raised:
        PcscStack(fake).establish().list_readers()
    assert raised.value.code == code & 0xFFFF_FFFF
    assert raised.value.name in {"SCARD_F_COMM_ERROR", "SCARD_E_NO_SERVICE"}
    assert "SCardListReaders" in str(raised.value)


def test_a_code_without_a_name_survives() -> None:
    with pytest.raises(PcscError, match="0x80100077"):
        PcscStack(Fake(SCardEstablishContext=[0x80100077, 0])).establish()


@pytest.mark.parametrize("error", [SystemError("returned NULL"), UnicodeEncodeError("ascii", "é", 0, 1, "no")])
def test_what_pyscard_raises_is_a_pcsc_error(error: Exception) -> None:
    def raising(*_: Any) -> Any:
        raise error

    with pytest.raises(PcscError) as raised:
        PcscStack(Fake(SCardListReaders=raising)).establish().list_readers()
    assert raised.value.code == Code.F_UNKNOWN_ERROR


def test_an_answer_without_its_results_is_an_error() -> None:
    with pytest.raises(PcscError, match="0 results"):
        PcscStack(Fake(SCardEstablishContext=[0])).establish()


def test_a_wait_tells_what_is_known_and_takes_the_event_counter_apart() -> None:
    fake = Fake(SCardGetStatusChange=[0, [("A", 0x0003_0022, [0x3B, 0x00]), (PNP_NOTIFICATION, 0, [])]])
    known = ReaderState("A", Flag.EMPTY, 2)
    states = PcscStack(fake).establish().wait([known], pnp=True)
    assert fake.asked[-1] == ("SCardGetStatusChange", (7, 0x7FFF_FFFF, [("A", 0x0002_0010), (PNP_NOTIFICATION, 0)]))
    assert states == (ReaderState("A", Flag.PRESENT, 3, b"\x3b\x00"),)


@pytest.mark.parametrize("code", [Code.E_TIMEOUT, Code.E_CANCELLED])
def test_a_wait_that_times_out_or_is_cancelled_has_seen_nothing(code: Code) -> None:
    fake = Fake(SCardGetStatusChange=[int(code), [("A", 0, [])]])
    assert PcscStack(fake).establish().wait([ReaderState("A")]) == ()


def test_a_full_table_of_readers_is_waited_on_without_the_pseudo_reader() -> None:
    def change(context: int, timeout: int, states: list[tuple[str, int]]) -> Any:
        full = len(states) > 16
        return [int(Code.E_INVALID_PARAMETER), []] if full else [0, [(name, 0x12, []) for name, _ in states]]

    known = [ReaderState(f"R{number}", Flag.EMPTY) for number in range(16)]
    assert len(PcscStack(Fake(SCardGetStatusChange=change)).establish().wait(known, pnp=True)) == 16


def test_an_invalid_parameter_that_is_not_the_pseudo_readers_is_told() -> None:
    fake = Fake(SCardGetStatusChange=[int(Code.E_INVALID_PARAMETER), []])
    with pytest.raises(PcscError, match="INVALID_PARAMETER"):
        PcscStack(fake).establish().wait([], pnp=True)


def test_looking_at_no_reader_asks_nothing() -> None:
    fake = Fake()
    assert PcscStack(fake).establish().look([]) == ()
    assert [name for name, _ in fake.asked] == ["SCardEstablishContext"]


def test_an_overlong_atr_is_cut() -> None:
    fake = Fake(SCardGetStatusChange=[0, [("A", 0x22, [0x3B] * 40)]])
    (state,) = PcscStack(fake).establish().wait([ReaderState("A")])
    assert len(state.atr) == 33


def test_a_connection_transmits_as_its_protocol_wants() -> None:
    fake = Fake(SCardConnect=[0, 9, 2], SCardTransmit=[0, [0x90, 0x00]], SCardDisconnect=0)
    handle = PcscStack(fake).establish().connect("A", Share.EXCLUSIVE)
    assert handle.transport is Transport.T1
    assert handle.transmit(b"\x00\xb0") == b"\x90\x00"
    handle.disconnect(Disposition.RESET)
    assert fake.asked[1:] == [
        ("SCardConnect", (7, "A", 1, 3)),
        ("SCardTransmit", (9, 2, [0x00, 0xB0])),
        ("SCardDisconnect", (9, 1)),
    ]


def test_the_copy_of_a_command_is_wiped() -> None:
    kept: list[list[int]] = []

    def transmit(_card: int, _protocol: int, command: list[int]) -> Any:
        kept.append(command)
        return [0, [0x90, 0x00]]

    fake = Fake(SCardConnect=[0, 9, 1], SCardTransmit=transmit)
    PcscStack(fake).establish().connect("A", Share.SHARED).transmit(bytearray(b"1234"))
    assert kept == [[0, 0, 0, 0]]


def test_a_response_that_is_no_bytes_is_an_error() -> None:
    fake = Fake(SCardConnect=[0, 9, 1], SCardTransmit=[0, [300]])
    with pytest.raises(PcscError, match="no byte string"):
        PcscStack(fake).establish().connect("A", Share.SHARED).transmit(b"\x00")


def test_a_connection_of_another_protocol_is_given_back() -> None:
    fake = Fake(SCardConnect=[0, 9, 4], SCardDisconnect=0)
    with pytest.raises(PcscError, match="PROTO_MISMATCH"):
        PcscStack(fake).establish().connect("A", Share.SHARED)
    assert fake.asked[-1] == ("SCardDisconnect", (9, 0))


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StackUnavailable, match=r"'nonesuch'.*pcsc"):
        load_stack("nonesuch", {})


def test_options_of_pcscd_are_refused() -> None:
    with pytest.raises(StackUnavailable, match="colour"):
        load_stack("pcsc", {"colour": "red"})


def test_pyscard_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(StackUnavailable, match=r"smartcard\.scard"):
        load_stack("pcsc", {})


def test_a_backend_comes_by_entry_point_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    class Entry:
        name = "toy"

        def load(self) -> Any:
            def create(options: dict[str, str]) -> Fake:
                given.append(options)
                return Fake(SCardListReaders=[0, ["T"]])

            return create

    monkeypatch.setattr(module, "entry_points", lambda group: [Entry()] if group == "cardd.pcsc" else [])
    assert load_stack("toy", {"a": "b"}).establish().list_readers() == ["T"]
    assert given == [{"a": "b"}]


def test_a_backend_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "cardd.no_such_module:create", "cardd.pcsc")
    monkeypatch.setattr(module, "entry_points", lambda group: [broken])
    with pytest.raises(StackUnavailable, match=r"broken.*no_such_module"):
        load_stack("broken", {})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ([0, "R", 0x0002, 0, []], "W_REMOVED_CARD"),
        ([0x80100068, "", 0, 0, []], "W_RESET_CARD"),
        ([0x80100069, "", 0, 0, []], "W_REMOVED_CARD"),
        ([0], "F_UNKNOWN_ERROR"),
    ],
)
def test_a_check_tells_what_became_of_the_card(answer: list[Any], code: str) -> None:
    fake = Fake(SCardConnect=[0, 5, 1], SCardStatus=answer)
    handle = PcscStack(fake).establish().connect("R", Share.EXCLUSIVE)
    with pytest.raises(PcscError, match=code):
        handle.check()


def test_a_check_of_a_card_that_is_there_says_nothing() -> None:
    fake = Fake(SCardConnect=[0, 5, 1], SCardStatus=[0, "R", 0x0034, 1, [0x3B, 0x00]])
    PcscStack(fake).establish().connect("R", Share.EXCLUSIVE).check()
    assert fake.asked[-1] == ("SCardStatus", (5,))
