"""The way of a command to the card."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cards.channel import APDU_LEVEL, CardChannel, Traffic, encode, failure, handle_failure
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import Code, PcscError, PcscStack, Share
from cardd_drivers.apdu import SW, Command, Secrecy
from cardd_drivers.contract import (
    Cancelled,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    MalformedCardData,
    ReaderFailure,
    Transport,
)


class Scard:
    """A PC/SC module whose card answers as told."""

    INFINITE = 0

    def __init__(self, answer: Any, protocol: int = 1) -> None:
        self.answer = answer
        self.protocol = protocol
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: {"SCardEstablishContext": [0, 1], "SCardConnect": [0, 2, self.protocol]}[name]

    def SCardTransmit(self, card: int, protocol: int, command: list[int]) -> Any:  # noqa: N802
        self.sent.append(bytes(command))
        return self.answer() if callable(self.answer) else self.answer


def channel_to(
    scard: Any, insertion: Insertion | None = None, checkpoint: Any = lambda: None
) -> tuple[CardChannel, Traffic]:
    traffic = Traffic()
    handle = PcscStack(scard).establish().connect("R", Share.SHARED)
    return CardChannel(handle, insertion or Insertion("R", b"\x3b\x00"), checkpoint, traffic), traffic


OK = [0, [0x90, 0x00]]
READ = Command(0, 0xB0, 0x9C, 0, le=12)
VERIFY = Command(0, 0x20, 0, 1, bytearray(b"1234"), secrecy=Secrecy.SECRET_DATA)


@pytest.mark.parametrize(
    ("command", "t0", "t1"),
    [
        (Command(0, 0x20, 0, 1), "0020000100", "00200001"),
        (READ, "00B09C000C", "00B09C000C"),
        (Command(0, 0xB0, 0, 0, le=256), "00B0000000", "00B0000000"),
        (Command(0, 0xA4, 0, 0, b"\x3f\x00"), "00A40000023F00", "00A40000023F00"),
        (Command(0, 0xA4, 0, 0, b"\x3f\x00", le=256), "00A40000023F00", "00A40000023F0000"),
    ],
)
def test_each_case_is_coded_as_the_protocol_wants(command: Command, t0: str, t1: str) -> None:
    assert encode(command, Transport.T0).hex().upper() == t0
    assert encode(command, Transport.T1).hex().upper() == t1


@given(st.binary(max_size=255), st.none() | st.integers(1, 256), st.sampled_from(list(Transport)))
def test_a_coded_command_says_its_own_lengths(data: bytes, le: int | None, transport: Transport) -> None:
    coded = encode(Command(0, 1, 2, 3, data, le), transport)
    has_le = le is not None and not (transport is Transport.T0 and data)
    p3 = transport is Transport.T0 and not data and le is None
    assert len(coded) == 4 + (1 + len(data) if data else 0) + has_le + p3
    assert bytes(coded[:4]) == b"\x00\x01\x02\x03"


def test_an_answer_comes_back_and_is_counted() -> None:
    channel, traffic = channel_to(Scard([0, [1, 2, 0x90, 0x00]]))
    response = channel.transmit(READ)
    assert (response.data, response.sw) == (b"\x01\x02", SW.SUCCESS)
    assert traffic == Traffic(commands=1, sent=5, received=4)


def test_an_answer_of_no_bytes_is_none() -> None:
    channel, _ = channel_to(Scard([0, []]))
    with pytest.raises(CardMute, match="00b09c00"):
        channel.transmit(READ)


@pytest.mark.parametrize("raw", [[0x90], [0] * 259])
def test_an_answer_of_an_impossible_length_is_malformed(raw: list[int]) -> None:
    channel, _ = channel_to(Scard([0, raw]))
    with pytest.raises(MalformedCardData, match="00b09c00"):
        channel.transmit(READ)


@pytest.mark.parametrize("reason", list(Departure))
def test_nothing_goes_out_once_the_mark_is_set(reason: Departure) -> None:
    scard, insertion = Scard(OK), Insertion("R", b"\x3b\x00")
    channel, traffic = channel_to(scard, insertion)
    insertion.mark.set(reason)
    with pytest.raises(CardReset if reason is Departure.CARD_RESET else CardRemoved, match=reason.value):
        channel.transmit(READ)
    assert scard.sent == []
    assert traffic.commands == 0


def test_an_answer_that_came_after_the_mark_does_not_count() -> None:
    insertion = Insertion("R", b"\x3b\x00")

    def removed_meanwhile() -> Any:
        insertion.mark.set(Departure.CARD_REMOVED)
        return OK

    channel, _ = channel_to(Scard(removed_meanwhile), insertion)
    with pytest.raises(CardRemoved):
        channel.transmit(READ)


def test_nothing_goes_out_once_the_work_is_given_up() -> None:
    def given_up() -> None:
        raise Cancelled

    scard = Scard(OK)
    channel, _ = channel_to(scard, checkpoint=given_up)
    with pytest.raises(Cancelled):
        channel.transmit(READ)
    assert scard.sent == []


@pytest.mark.parametrize(
    ("code", "error", "mark"),
    [
        (Code.W_REMOVED_CARD, CardRemoved, Departure.CARD_REMOVED),
        (Code.E_NO_SMARTCARD, CardRemoved, Departure.CARD_REMOVED),
        (Code.E_READER_UNAVAILABLE, CardRemoved, Departure.READER_REMOVED),
        (Code.E_INVALID_VALUE, CardRemoved, Departure.READER_REMOVED),
        (Code.F_COMM_ERROR, CardRemoved, Departure.PCSCD_LOST),
        (Code.E_NO_SERVICE, CardRemoved, Departure.PCSCD_LOST),
        (Code.W_SECURITY_VIOLATION, CardRemoved, Departure.PCSCD_LOST),
        (Code.W_RESET_CARD, CardReset, None),
        (Code.W_UNRESPONSIVE_CARD, CardMute, None),
        (Code.W_UNPOWERED_CARD, CardMute, None),
        (Code.E_NOT_TRANSACTED, CardMute, None),
        (Code.E_TIMEOUT, CardMute, None),
        (Code.E_INVALID_HANDLE, ReaderFailure, None),
        (0x80100077, ReaderFailure, None),
    ],
)
def test_each_code_is_an_error_of_the_contract(code: int, error: type[CardError], mark: Departure | None) -> None:
    insertion = Insertion("R", b"\x3b\x00")
    channel, _ = channel_to(Scard([int(code), []]), insertion)
    with pytest.raises(CardError) as raised:
        channel.transmit(READ)
    assert type(raised.value) is error
    assert insertion.mark.reason is mark
    assert type(handle_failure(PcscError("f", code), Insertion("R", b""))) is error


def test_a_failure_without_a_connection_is_no_witness_of_a_lost_service() -> None:
    assert type(failure(PcscError("SCardConnect", Code.E_NO_SERVICE))) is ReaderFailure
    assert type(failure(PcscError("SCardConnect", Code.E_NO_SMARTCARD))) is CardRemoved


def test_a_presented_secret_is_remembered() -> None:
    channel, _ = channel_to(Scard(OK))
    channel.transmit(READ)
    assert not channel.secret_presented
    channel.transmit(VERIFY)
    assert channel.secret_presented


def test_a_trace_shows_public_exchanges_and_hides_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(APDU_LEVEL, "cardd.cards.channel")
    channel, _ = channel_to(Scard([0, [0xCA, 0xFE, 0x90, 0x00]]))
    channel.transmit(READ)
    assert "00b09c00" in caplog.text
    assert "cafe" in caplog.text
    caplog.clear()
    channel.transmit(VERIFY)
    channel.transmit(Command(0, 0x2A, 0x80, 0x86, b"\x00\x01", 256, Secrecy.SECRET_RESPONSE))
    assert "31323334" not in caplog.text
    assert "cafe" not in caplog.text
    assert "<2 bytes>" in caplog.text


def test_no_trace_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cardd.cards.channel")
    channel, _ = channel_to(Scard(OK))
    channel.transmit(READ)
    assert caplog.text == ""


def test_the_atr_and_the_protocol_are_those_of_the_insertion_and_the_connection() -> None:
    channel, _ = channel_to(Scard(OK, protocol=2), Insertion("R", b"\x3b\x01"))
    assert (channel.atr, channel.transport) == (b"\x3b\x01", Transport.T1)
