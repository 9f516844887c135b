"""A card of a PC/SC reader as a simulated one; the reader is the simulator's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardsim.card import CardProtocol
from cardsim.recorder import RealCard
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from cardsim.transports.reader import ReaderError
from tests.support.cards import ATR_T1, EchoCard
from tests.support.pcsc_client import NAME, Client

COMMAND = bytes.fromhex("00B00000")


@pytest.fixture
def stack() -> Iterator[InProcessPcsc]:
    made = InProcessPcsc()
    yield made
    made.close()


@pytest.fixture
def reader(stack: InProcessPcsc) -> InProcessReader:
    return stack.add_reader(NAME)


def test_it_is_the_card_held_alone_until_it_is_closed(stack: InProcessPcsc, reader: InProcessReader) -> None:
    echo = EchoCard(CardProtocol.T1)
    reader.insert(echo)
    card = RealCard(stack, NAME)
    assert (card.atr, card.protocol) == (ATR_T1, CardProtocol.T1)
    ups = echo.power_ups
    assert card.power_on() == ATR_T1
    assert echo.power_ups == ups + 1
    assert card.transmit(COMMAND) == COMMAND + b"\x90\x00"
    other = Client(stack, connect=False)
    assert stack.SCardConnect(other.context, NAME, 2, 3)[0] == stack.SCARD_E_SHARING_VIOLATION
    ups = echo.power_ups
    card.close()
    assert echo.power_ups == ups + 1  # nobody finds a verified PIN
    assert stack.SCardConnect(other.context, NAME, 2, 3)[0] == 0


def test_a_card_that_was_taken_out_answers_nothing(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.insert(EchoCard())
    card = RealCard(stack, NAME)
    reader.remove()
    assert card.transmit(COMMAND) == b""
    card.power_off()
    assert card.transmit(COMMAND) == b""
    card.close()


def test_why_it_cannot_be_held_is_told(stack: InProcessPcsc, reader: InProcessReader) -> None:
    with pytest.raises(ReaderError, match="the card cannot be connected"):
        RealCard(stack, NAME)
    reader.insert(EchoCard())
    Client(stack)
    with pytest.raises(ReaderError, match="another program uses the card"):
        RealCard(stack, NAME)
