"""The in-process stack beyond what pcscd shows too: its readers and cards, its death, its entry point."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from smartcard import scard

from cardsim import control_cards
from cardsim.faults import Fault
from cardsim.pki import PkiStore
from cardsim.profiles import ProfileError
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader, create
from cardsim.transports.pcsc.constants import ERROR_MESSAGES
from cardsim.transports.pcsc.status import PNP_NOTIFICATION
from cardsim.transports.reader import ReaderError
from tests.support.cards import EchoCard
from tests.support.pcsc_client import ANSWER, NAME, Client, WatchedClock, in_thread

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
def stack(clock: WatchedClock) -> InProcessPcsc:
    return InProcessPcsc(clock)


@pytest.fixture
def reader(stack: InProcessPcsc) -> InProcessReader:
    return stack.add_reader(NAME)


def test_constants_and_messages_are_those_of_pyscard() -> None:
    names = [name for name in dir(scard) if name.startswith(("SCARD_", "INFINITE", "INVALID_"))]
    constants = {name: getattr(scard, name) for name in names if isinstance(getattr(scard, name), int)}
    assert constants
    assert {name: getattr(InProcessPcsc, name) for name in constants} == constants
    for code in [*ERROR_MESSAGES, 5, 0x8010003E]:
        assert InProcessPcsc.SCardGetErrorMessage(code) == scard.SCardGetErrorMessage(code)
    assert InProcessPcsc.SCARD_CTL_CODE(3400) == scard.SCARD_CTL_CODE(3400)


# Readers


def test_readers_come_and_go_and_a_waiter_for_them_hears_of_it(stack: InProcessPcsc, clock: WatchedClock) -> None:
    client = Client(stack, connect=False)
    assert stack.SCardListReaders(client.context, []) == [stack.SCARD_E_NO_READERS_AVAILABLE, []]
    clock.read.clear()
    thread, results = in_thread(lambda: client.wait((PNP_NOTIFICATION, 0)))
    clock.read.wait()
    stack.add_reader(NAME)
    thread.join()
    assert results == [[0, [(PNP_NOTIFICATION, stack.SCARD_STATE_CHANGED, [])]]]
    assert stack.SCardListReaders(client.context, []) == [0, [NAME]]
    stack.remove_reader(NAME)
    assert stack.SCardListReaders(client.context, []) == [stack.SCARD_E_NO_READERS_AVAILABLE, []]


def test_a_reader_that_goes_during_a_wait_is_unknown_and_known_again_when_it_comes_back(
    stack: InProcessPcsc, reader: InProcessReader, clock: WatchedClock
) -> None:
    client = Client(stack, connect=False)
    state = client.state()
    clock.read.clear()
    thread, results = in_thread(lambda: client.wait((NAME, state)))
    clock.read.wait()
    stack.remove_reader(NAME)
    thread.join()
    [[result, [(_, gone, _)]]] = results
    assert result == 0
    assert gone == stack.SCARD_STATE_CHANGED | stack.SCARD_STATE_UNKNOWN | stack.SCARD_STATE_UNAVAILABLE
    stack.add_reader(NAME)
    result, [(_, back, _)] = client.wait((NAME, gone))
    assert (result, back) == (0, stack.SCARD_STATE_CHANGED | stack.SCARD_STATE_EMPTY)


def test_handles_of_an_unplugged_reader_lead_nowhere(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    stack.remove_reader(NAME)
    assert client.transmit() == [stack.SCARD_E_INVALID_VALUE, []]
    assert stack.SCardStatus(client.handle)[0] == stack.SCARD_E_READER_UNAVAILABLE
    assert stack.SCardDisconnect(client.handle, stack.SCARD_LEAVE_CARD) == 0
    assert client.transmit() == [stack.SCARD_E_INVALID_HANDLE, []]


def test_a_reader_that_does_not_answer_is_unavailable_until_it_recovers(
    stack: InProcessPcsc, reader: InProcessReader
) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)
    reader.break_down()
    assert client.transmit() == [stack.SCARD_E_READER_UNAVAILABLE, []]
    assert stack.SCardConnect(client.context, NAME, 2, 3)[0] == stack.SCARD_E_READER_UNAVAILABLE
    assert client.state() == stack.SCARD_STATE_CHANGED | stack.SCARD_STATE_UNAVAILABLE
    reader.recover()
    assert client.state() & stack.SCARD_STATE_PRESENT
    assert card.power_ups == 2


@pytest.mark.parametrize("name", ["", "é", "a\n", "x" * 128])
def test_unfit_reader_names_are_refused(stack: InProcessPcsc, name: str) -> None:
    with pytest.raises(ReaderError, match="1 to 127 ASCII"):
        stack.add_reader(name)


def test_a_seventeenth_reader_and_a_second_of_one_name_are_refused(stack: InProcessPcsc) -> None:
    for number in range(16):
        stack.add_reader(f"reader {number}")
    with pytest.raises(ReaderError, match="at most 16"):
        stack.add_reader("one more")
    stack.remove_reader("reader 3")
    with pytest.raises(ReaderError, match="already"):
        stack.add_reader("reader 4")
    with pytest.raises(ReaderError, match="no reader 'reader 3'"):
        stack.remove_reader("reader 3")


# Cards


def test_a_second_card_is_refused_and_removal_from_an_empty_reader_is_nothing(reader: InProcessReader) -> None:
    reader.remove()
    assert reader.counter == 0
    card = EchoCard()
    reader.insert(card)
    with pytest.raises(ReaderError, match="already"):
        reader.insert(EchoCard())
    assert reader.card is card
    reader.remove()
    assert reader.card is None
    assert not card.powered


@pytest.mark.parametrize("counted", [True, False])
def test_a_swap_ends_handles_though_a_waiter_may_miss_it(
    stack: InProcessPcsc, reader: InProcessReader, counted: bool
) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    state = client.state() & ~stack.SCARD_STATE_CHANGED
    card = EchoCard()
    reader.swap(card, counted=counted)
    assert (client.state() >> 16) - (state >> 16) == (2 if counted else 0)
    assert client.transmit() == [stack.SCARD_W_REMOVED_CARD, []]
    assert card.commands == []
    result, *_ = stack.SCardGetStatusChange(client.context, 0, [(NAME, state & ~stack.SCARD_STATE_INUSE)])
    assert result == (0 if counted else stack.SCARD_E_TIMEOUT)


def test_an_empty_reader_has_nothing_to_swap(reader: InProcessReader) -> None:
    with pytest.raises(ReaderError, match="no card"):
        reader.swap(EchoCard(), counted=True)


def test_the_event_counter_goes_round(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.counter = 0xFFFF
    reader.insert(EchoCard())
    assert Client(stack, connect=False).state() >> 16 == 0


def test_a_mute_card_is_there_but_cannot_be_connected_until_it_answers(
    stack: InProcessPcsc, reader: InProcessReader
) -> None:
    reader.faults.arm(Fault.parse("mute@0"))
    reader.faults.arm(Fault.parse("mute@0+"))
    reader.insert(EchoCard())
    client = Client(stack, connect=False)
    mute = stack.SCARD_STATE_CHANGED | stack.SCARD_STATE_PRESENT | stack.SCARD_STATE_MUTE
    assert client.state() == 1 << 16 | mute
    assert stack.SCardConnect(client.context, NAME, 2, 3) == [stack.SCARD_W_UNPOWERED_CARD, 0, 0]
    reader.faults.clear()
    assert stack.SCardConnect(client.context, NAME, 2, 3)[0] == 0
    assert client.state() & stack.SCARD_STATE_MUTE == 0


def test_a_card_that_turns_mute_at_a_reset_is_unresponsive(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    reader.faults.arm(Fault.parse("mute@0+"))
    assert stack.SCardReconnect(client.handle, 2, 3, stack.SCARD_RESET_CARD) == [stack.SCARD_W_UNRESPONSIVE_CARD, 0]
    assert stack.SCardReconnect(client.handle, 2, 3, stack.SCARD_LEAVE_CARD) == [stack.SCARD_W_UNRESPONSIVE_CARD, 0]


@pytest.mark.parametrize("same", [False, True])
def test_a_fault_swaps_the_card(stack: InProcessPcsc, reader: InProcessReader, same: bool) -> None:
    first = EchoCard()
    other = first if same else EchoCard()
    reader.insert(first)
    client = Client(stack)
    reader.faults.cards = lambda _name: other
    reader.faults.arm(Fault.parse("swap@1:nurse"))
    assert client.transmit()[0] == stack.SCARD_E_NO_SMARTCARD
    while reader.card is None:  # the same card goes in once its thread has done with it
        client.state()
    assert reader.card is other
    assert reader.counter == 3
    assert first.commands == []
    assert Client(stack).transmit() == [0, ANSWER]


def test_power_goes_five_seconds_after_the_last_use() -> None:
    now = [100.0]
    stack = InProcessPcsc(clock=lambda: now[0])
    reader, card = stack.add_reader(NAME), EchoCard()
    reader.insert(card)
    client = Client(stack)
    stack.SCardDisconnect(client.handle, stack.SCARD_LEAVE_CARD)
    now[0] += 4.9
    client = Client(stack)
    assert card.power_ups == 1
    now[0] += 60
    Client(stack)
    assert card.power_ups == 1
    stack.SCardReleaseContext(client.context)
    for handle in list(reader.handles):
        stack.SCardDisconnect(handle, stack.SCARD_LEAVE_CARD)
    now[0] += 5
    Client(stack)
    assert card.power_ups == 2


def test_a_reset_by_another_is_heard_of(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack, share_mode=stack.SCARD_SHARE_EXCLUSIVE)
    reader.reset_by_other()
    assert card.power_ups == 2
    assert client.transmit() == [stack.SCARD_W_RESET_CARD, []]


# pcscd's death


def test_death_ends_a_wait_and_every_later_call(
    stack: InProcessPcsc, reader: InProcessReader, clock: WatchedClock
) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)
    watcher = Client(stack, connect=False)
    state = watcher.state()
    clock.read.clear()
    thread, results = in_thread(lambda: watcher.wait((NAME, state))[0])
    clock.read.wait()
    stack.die()
    thread.join()
    assert results == [0x80100013]
    no_service = 0x8010001D
    assert stack.SCardGetStatusChange(watcher.context, 0, [(NAME, state)]) == [no_service, [(NAME, 0, [])]]
    assert client.transmit() == [no_service, []]
    assert stack.SCardStatus(client.handle)[0] == no_service
    assert stack.SCardBeginTransaction(client.handle) == no_service
    assert stack.SCardDisconnect(client.handle, 0) == no_service
    assert stack.SCardListReaders(client.context, []) == [no_service, []]
    assert stack.SCardEstablishContext(2) == [no_service, 0]
    assert stack.SCardIsValidContext(client.context) == 0
    assert stack.SCardCancel(client.context) == 0
    assert stack.SCardReleaseContext(client.context) == no_service
    assert stack.SCardReleaseContext(client.context) == stack.SCARD_E_INVALID_HANDLE
    assert not card.powered


def test_life_after_death_is_for_new_contexts(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard()
    reader.insert(card)
    old = Client(stack, share_mode=stack.SCARD_SHARE_EXCLUSIVE)
    stack.die()
    stack.revive()
    assert old.transmit() == [0x8010001D, []]
    new = Client(stack, share_mode=stack.SCARD_SHARE_EXCLUSIVE)
    assert new.transmit() == [0, ANSWER]
    assert card.power_ups == 2
    assert new.state() >> 16 == 0


def test_a_card_can_come_while_pcscd_is_dead(stack: InProcessPcsc, reader: InProcessReader) -> None:
    stack.die()
    card = EchoCard()
    reader.insert(card)
    assert card.power_ups == 0
    stack.revive()
    assert Client(stack).transmit() == [0, ANSWER]


# The entry point


def test_create_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="unknown option 'colour'"):
        create({"colour": "blue"})
    with pytest.raises(ValueError, match=r"'inserted'.*yes or no.*'true'"):
        create({"inserted": "true"})
    with pytest.raises(ValueError, match=r"'timing'.*yes or no.*'on'"):
        create({"timing": "on"})
    with pytest.raises(ReaderError, match="name"):
        create({"reader": ""})


def test_create_makes_a_stack_with_an_empty_reader(tmp_path: Path) -> None:
    stack = create({"reader": NAME, "home": str(tmp_path), "control": str(tmp_path / "control")})
    try:
        assert [reader.name for reader in stack.readers()] == [NAME]
        assert stack.readers()[0].card is None
        assert (tmp_path / "control").is_socket()
    finally:
        stack.close()
    assert not (tmp_path / "control").exists()
    assert stack.SCardEstablishContext(2)[0] == stack.SCARD_E_NO_SERVICE


def test_create_inserts_the_card_of_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_keys = functools.partial(PkiStore, authority_key_bits=2048)
    monkeypatch.setattr(control_cards, "PkiStore", small_keys)
    stack = create({"reader": NAME, "home": str(tmp_path), "profile": "nurse", "inserted": "yes"})
    assert isinstance(stack, InProcessPcsc)
    client = Client(stack)
    assert client.transmit([0x00, 0x20, 0x00, 0x01, 0x00])[1][0] == 0x63
    stack.close()
    assert stack.readers() == ()


def test_create_refuses_a_profile_that_is_not_there_though_no_card_is_to_go_in() -> None:
    with pytest.raises(ProfileError, match="nobody"):
        create({"profile": "nobody"})


def test_a_stack_that_is_no_pyscard_takes_any_number_of_readers_of_any_names() -> None:
    pcsc = InProcessPcsc(as_pyscard=False)
    names = [f"Lecteur é {number}\n" for number in range(40)] + ["x" * 500]
    for name in names:
        pcsc.add_reader(name)
    _, context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
    assert pcsc.SCardListReaders(context, []) == [0, names]
    code, states = pcsc.SCardGetStatusChange(context, 0, [(name, 0) for name in names])
    assert code == 0
    assert [state[0] for state in states] == names
    for unfit in ("", "a\0b"):
        with pytest.raises(ReaderError):
            pcsc.add_reader(unfit)
    pcsc.close()
