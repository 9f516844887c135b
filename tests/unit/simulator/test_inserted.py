"""What faults do to a card while it is in a reader, and when they strike."""

from __future__ import annotations

import threading

import pytest

from cardsim.card import SimulatedCard
from cardsim.faults import Fault, FaultInjector, FaultSpecificationError
from cardsim.inserted import CardMuteError, CardVanishedError, InsertedCard, claim_length
from tests.support.cards import ATR_T0, EchoCard

COMMAND = b"\x00\xa4\x00\x00"
ANSWER = COMMAND + b"\x90\x00"


def inserted(*faults: str) -> tuple[InsertedCard, EchoCard, list[object]]:
    """Return a powered card with faults armed, the card inside, and what its ejection noted."""
    injector = FaultInjector()
    card = EchoCard()
    ejections: list[object] = []
    outside = InsertedCard(
        card,
        injector,
        ejections.append,
        random_bytes=lambda count: b"\x5a" * count,
    )
    outside.power_on()
    for text in faults:
        injector.arm(Fault.parse(text))
    return outside, card, ejections


def test_a_fault_strikes_once_at_its_command() -> None:
    card, _, _ = inserted("sw@2:6F00")
    assert [card.transmit(COMMAND) for _ in range(3)] == [ANSWER, b"\x6f\x00", ANSWER]


def test_a_fault_that_stays_strikes_from_its_command_on() -> None:
    card, _, _ = inserted("sw@2+:6F00")
    assert [card.transmit(COMMAND) for _ in range(3)] == [ANSWER, b"\x6f\x00", b"\x6f\x00"]


def test_counting_begins_anew_at_power_up() -> None:
    card, _, _ = inserted("sw@2:6F00")
    card.transmit(COMMAND)
    card.power_on()
    assert [card.transmit(COMMAND) for _ in range(2)] == [ANSWER, b"\x6f\x00"]


def test_counting_begins_when_armed() -> None:
    injector = FaultInjector()
    card = InsertedCard(EchoCard(), injector, lambda _other: None)
    card.transmit(COMMAND)
    injector.arm(Fault.parse("sw@1:6F00"))
    assert card.transmit(COMMAND) == b"\x6f\x00"


def test_cleared_faults_do_not_strike() -> None:
    injector = FaultInjector()
    card = InsertedCard(EchoCard(), injector, lambda _other: None)
    injector.arm(Fault.parse("sw@1:6F00"))
    assert injector.armed() == (Fault.parse("sw@1:6F00"),)
    injector.clear()
    assert injector.armed() == ()
    assert card.transmit(COMMAND) == ANSWER


def test_a_status_word_answers_in_the_cards_place() -> None:
    outside, card, _ = inserted("sw@1:6982")
    assert outside.transmit(COMMAND) == b"\x69\x82"
    assert card.commands == []


@pytest.mark.parametrize(("kind", "seen"), [("remove", []), ("remove-after", [COMMAND])])
def test_a_removal_comes_before_or_after_the_card_sees_the_command(kind: str, seen: list[bytes]) -> None:
    outside, card, ejections = inserted(f"{kind}@1")
    with pytest.raises(CardVanishedError):
        outside.transmit(COMMAND)
    assert ejections == [None]
    assert card.commands == seen
    assert outside.gone


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("garbage@1:3", b"\x5a\x5a\x5a"),
        ("garbage@1", b"\x5a" * 16),
        ("truncate@1", COMMAND[:1]),
        ("truncate@1:5", ANSWER[:5]),
        ("truncate@1:0", b""),
        ("oversize@1:10", COMMAND + b"\xa5" * 4 + b"\x90\x00"),
        ("tlv@1:258", b"\x00\x84\x00\x00\x01\x02\x00\x00\x90\x00"),
    ],
)
def test_spoilt_answers(fault: str, answer: bytes) -> None:
    outside, card, _ = inserted(fault)
    assert outside.transmit(COMMAND) == answer
    assert card.commands == [COMMAND]


def test_the_longest_answer_by_default_fills_a_message() -> None:
    outside, _, _ = inserted("oversize@1")
    assert len(outside.transmit(COMMAND)) == 0xFFFF


def test_an_endless_file_never_stops_giving_what_is_asked() -> None:
    outside, card, _ = inserted("endless@1")
    for command, length in (
        (b"\x00\xb0\x00\x00\xe7", 0xE7),
        (b"\x00\xb0\x7f\xff\x00", 256),
        (b"\x00\xb0\x00\x00", 256),
    ):
        answer = outside.transmit(command)
        assert (len(answer), answer[-2:]) == (length + 2, b"\x90\x00")
    assert outside.transmit(COMMAND) == ANSWER
    assert card.commands == [COMMAND]


@pytest.mark.parametrize(
    ("data", "claimed"),
    [
        (bytes.fromhex("6203810100"), bytes.fromhex("6284000001FF810100")),
        (bytes.fromhex("7F4903810100"), bytes.fromhex("7F4984000001FF810100")),
        (b"", bytes.fromhex("6284000001FF")),
    ],
)
def test_a_claimed_length_takes_the_place_of_the_true_one(data: bytes, claimed: bytes) -> None:
    assert claim_length(data, 0x1FF) == claimed


def test_a_mute_card_is_mute_for_its_time_and_never_sees_the_command() -> None:
    outside, card, _ = inserted("mute@1:1")
    with pytest.raises(CardMuteError):
        outside.transmit(COMMAND)
    assert card.commands == []
    assert outside.transmit(COMMAND) == ANSWER


@pytest.mark.parametrize("fault", ["mute@1", "mute@1:600000", "delay@1:600000"])
def test_removal_ends_every_wait_for_the_card(fault: str) -> None:
    outside, _, _ = inserted(fault)
    ended: list[type[Exception]] = []

    def transmit() -> None:
        try:
            outside.transmit(COMMAND)
        except CardVanishedError as error:
            ended.append(type(error))

    thread = threading.Thread(target=transmit)
    thread.start()
    outside.withdraw()
    thread.join()
    assert ended == [CardVanishedError]


def test_an_answer_computed_while_the_card_was_taken_out_is_lost() -> None:
    outside, card, _ = inserted()
    card.may_answer.clear()
    ended: list[type[Exception]] = []

    def transmit() -> None:
        try:
            outside.transmit(COMMAND)
        except CardVanishedError as error:
            ended.append(type(error))

    thread = threading.Thread(target=transmit)
    thread.start()
    card.computing.wait()
    outside.withdraw()
    card.may_answer.set()
    thread.join()
    assert ended == [CardVanishedError]


def test_a_delay_passes_and_the_answer_comes() -> None:
    outside, _, _ = inserted("delay@1:1")
    assert outside.transmit(COMMAND) == ANSWER


def test_a_card_mute_at_power_up_answers_none_and_then_comes_back() -> None:
    injector = FaultInjector()
    card = InsertedCard(EchoCard(), injector, lambda _other: None)
    injector.arm(Fault.parse("mute@0"))
    with pytest.raises(CardMuteError):
        card.power_on()
    assert card.power_on() == ATR_T0


def test_two_faults_at_one_command_act_in_their_order() -> None:
    outside, _, _ = inserted("truncate@1:4", "oversize@1:8")
    assert outside.transmit(COMMAND) == COMMAND[:2] + b"\xa5" * 4 + COMMAND[2:4]


def test_a_swap_puts_the_other_card_in_before_this_one_sees_the_command() -> None:
    injector, card, other = FaultInjector(), EchoCard(), EchoCard()
    asked: list[str] = []

    def give(name: str) -> SimulatedCard:
        asked.append(name)
        return other

    injector.cards = give
    ejections: list[object] = []
    outside = InsertedCard(card, injector, ejections.append)
    injector.arm(Fault.parse("swap@1:nurse"))
    with pytest.raises(CardVanishedError):
        outside.transmit(COMMAND)
    assert ejections == [other]
    assert asked[-1] == "nurse"
    assert card.commands == []


def test_a_swap_without_other_cards_is_refused_when_it_is_armed() -> None:
    with pytest.raises(FaultSpecificationError, match="no other cards"):
        FaultInjector().arm(Fault.parse("swap@1:nurse"))
