"""A card that takes its time, by a clock that does not."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from cardsim import personalise, profiles
from cardsim.control_cards import CardCupboard
from cardsim.timing import Line, TimedCard, VirtualTime, Work
from tests.support.cards import EchoCard
from tests.support.core import pki_store

BYTE = 12 * 372 / 4e6


def test_an_exchange_takes_line_and_work_and_the_answer_is_the_card_s() -> None:
    time, echo = VirtualTime(), EchoCard()
    card = TimedCard(echo, work=Work(select=0.25), wait=time.wait)
    assert (card.power_on(), card.atr, card.protocol) == (echo.atr, echo.atr, echo.protocol)
    assert time.seconds == pytest.approx(2 * BYTE)
    assert card.transmit(bytes.fromhex("00A4020C022F00")) == bytes.fromhex("00A4020C022F009000")
    assert time.seconds == pytest.approx(2 * BYTE + (5 + 1 + 2 + 9) * BYTE + 0.25)
    card.power_off()
    assert not echo.powered


def test_a_card_without_power_is_silent_at_once() -> None:
    time = VirtualTime()
    card = TimedCard(personalise(profiles.load("physician"), pki_store()), wait=time.wait)
    assert card.transmit(bytes.fromhex("00200001")) == b""
    assert time.seconds == 0


def test_a_select_of_a_whole_card_takes_the_published_time() -> None:
    time = VirtualTime()
    card = TimedCard(personalise(profiles.load("physician"), pki_store()), wait=time.wait)
    card.power_on()
    time.seconds = 0
    for command in ("00A4080C020001", "00A4080C022F00"):
        assert card.transmit(bytes.fromhex(command))[-2:] == b"\x90\x00"
    assert time.seconds == pytest.approx(2 * ((5 + 1 + 2 + 2) * BYTE + 0.012))
    assert 2 * 0.020 < time.seconds < 2 * 0.030  # published: 20 to 30 ms a SELECT


def test_another_line_can_be_given() -> None:
    time, echo = VirtualTime(), EchoCard()
    fast = Line(echo.protocol, 0.001, 32, 0.5)
    card = TimedCard(echo, line=fast, wait=time.wait)
    card.power_on()
    card.transmit(bytes.fromhex("00200001"))
    assert time.seconds == pytest.approx(0.5 + (5 + 1 + 6) * 0.001)


def test_the_cupboard_gives_slow_cards_where_asked(tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text("timing = true\n" + _toml("physician"))
    quick = CardCupboard(tmp_path, lambda _profile, _store: EchoCard())
    assert isinstance(quick.card("nurse").card, EchoCard)
    assert isinstance(quick.card(str(tmp_path / "slow.toml")).card, TimedCard)
    slow = CardCupboard(tmp_path, lambda _profile, _store: EchoCard(), timing=True)
    assert isinstance(slow.card("nurse").card, TimedCard)


def _toml(name: str) -> str:
    return resources.files(profiles).joinpath(f"{name}.toml").read_text()
