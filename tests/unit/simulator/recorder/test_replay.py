"""A recording as a card."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.card import CardProtocol
from cardsim.recorder import ReplayedCard
from cardsim.trace import Entry, load

TRANSCRIPTS = Path(__file__).parents[3] / "data" / "transcripts"
ATR = bytes.fromhex("3BAC00402A001225006480000310009000")


def entries(*exchanges: tuple[str, str]) -> list[Entry]:
    return [Entry(0, command=bytes.fromhex(command), answer=bytes.fromhex(answer)) for command, answer in exchanges]


def ask(card: ReplayedCard, *commands: str) -> list[str]:
    return [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands]


def powered(*recorded: Entry) -> ReplayedCard:
    card = ReplayedCard(recorded, ATR)
    card.power_on()
    return card


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*/*.jsonl")), ids=lambda path: path.stem)
def test_asked_as_it_was_recorded_it_answers_as_it_was_recorded(path: Path) -> None:
    recorded = load(path)
    card = ReplayedCard(recorded, ATR)
    card.power_on()
    for entry in recorded:
        if entry.control is None:
            assert card.transmit(entry.command) == entry.answer
        else:
            card.power_on()
    assert card.not_recorded == 0


def test_a_read_gives_the_file_that_was_selected_in_whatever_order() -> None:
    card = powered(
        *entries(
            ("00A4020C022F00", "9000"), ("00B0000001", "AA9000"), ("00A4020C022F01", "9000"), ("00B0000001", "BB9000")
        )
    )
    assert ask(card, "00A4020C022F01", "00B0000001", "00A4020C022F00", "00B0000001") == [
        "9000",
        "BB9000",
        "9000",
        "AA9000",
    ]


def test_the_same_question_asked_again_gets_the_next_answer() -> None:
    card = powered(*entries(("00200001", "63C3"), ("00200001", "63C2"), ("00200001", "63C1")))
    assert ask(card, "00200001", "00200001", "00200001") == ["63C3", "63C2", "63C1"]
    card.power_on()
    assert ask(card, "00200001") == ["63C3"]


def test_a_hidden_pin_is_right_whatever_it_is() -> None:
    verify = Entry(0, command=bytes.fromhex("0020000104") + bytes(4), answer=b"\x90\x00", masked=True)
    assert ask(powered(verify), "002000010431323334", "002000010434333231", "00200001") == ["9000", "9000", "6F00"]


def test_what_was_not_recorded_is_counted_and_refused() -> None:
    card = powered(*entries(("00200001", "63C3")))
    assert ask(card, "00840000FF") == ["6F00"]
    assert card.not_recorded == 1


def test_without_power_it_is_silent() -> None:
    card = ReplayedCard(entries(("00200001", "63C3")), ATR)
    assert card.transmit(bytes.fromhex("00200001")) == b""
    card.power_on()
    card.power_off()
    assert card.transmit(bytes.fromhex("00200001")) == b""


def test_the_recording_tells_the_answer_to_reset_and_with_it_the_protocol() -> None:
    cps4 = bytes.fromhex("3B9B188001001225006480040100009044")
    card = ReplayedCard([Entry(0, "power-on", cps4), *entries(("00200001", "63C3"))])
    assert (card.power_on(), card.protocol) == (cps4, CardProtocol.T1)
    assert powered(*entries(("00200001", "63C3"))).protocol is CardProtocol.T0


def test_a_recording_of_nothing_or_without_answer_to_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="no exchange that was answered"):
        ReplayedCard([Entry(0, "insert"), Entry(0, command=b"\x00\x20\x00\x01")], ATR)
    with pytest.raises(ValueError, match="no answer to reset"):
        ReplayedCard(entries(("00200001", "63C3")))


@given(st.lists(st.binary(min_size=1, max_size=6), max_size=40))
def test_any_commands_get_an_answer(commands: list[bytes]) -> None:
    card = powered(*entries(("00200001", "63C3"), ("00B0000001", "AA9000")))
    assert all(len(card.transmit(command)) >= 2 for command in commands)
