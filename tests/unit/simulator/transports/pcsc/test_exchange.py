"""Commands and connections of the in-process stack, in moments that a real reader gives to no test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from cardsim.card import CardProtocol
from cardsim.faults import Fault
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.support.cards import EchoCard
from tests.support.pcsc_client import ANSWER, NAME, Client, in_thread


@pytest.fixture
def stack() -> InProcessPcsc:
    return InProcessPcsc()


@pytest.fixture
def reader(stack: InProcessPcsc) -> InProcessReader:
    return stack.add_reader(NAME)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_hook_takes_the_card_out_exactly_there(
    stack: InProcessPcsc, reader: InProcessReader, moment: str, number: int
) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)

    def hook(count: int, *_: bytes) -> None:
        if count == number:
            reader.remove()

    if moment == "before":
        reader.before_apdu(hook)
    else:
        reader.after_apdu(hook)
    results = [client.transmit() for _ in range(number + 1)]
    good = [[0, ANSWER]] * (number - 1)
    assert results == [*good, [stack.SCARD_E_NO_SMARTCARD, []], [stack.SCARD_W_REMOVED_CARD, []]]
    assert len(card.commands) == (number if moment == "after" else number - 1)


def test_a_card_put_back_within_a_hook_does_not_answer_for_the_one_before(
    stack: InProcessPcsc, reader: InProcessReader
) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    other = EchoCard()
    reader.after_apdu(lambda *_: reader.swap(other, counted=False))
    assert client.transmit() == [stack.SCARD_E_NO_SMARTCARD, []]
    assert other.commands == []


@pytest.mark.parametrize("what", ["removed", "unplugged", "broken", "dead"])
def test_whoever_waits_for_an_answer_does_not_wait_for_the_card(
    stack: InProcessPcsc, reader: InProcessReader, what: str
) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)
    card.may_answer.clear()
    thread, results = in_thread(client.transmit)
    card.computing.wait()
    action, result = {
        "removed": (reader.remove, stack.SCARD_E_NO_SMARTCARD),
        "unplugged": (lambda: stack.remove_reader(NAME), stack.SCARD_E_READER_UNAVAILABLE),
        "broken": (reader.break_down, stack.SCARD_E_READER_UNAVAILABLE),
        "dead": (stack.die, stack.SCARD_F_COMM_ERROR),
    }[what]
    action()
    thread.join()
    assert results == [[result, []]]
    card.may_answer.set()


def test_a_card_that_still_computes_is_powered_anew_only_then(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)
    card.may_answer.clear()
    thread, _ = in_thread(client.transmit)
    card.computing.wait()
    reader.remove()
    thread.join()
    inserting, _ = in_thread(lambda: reader.insert(card))
    assert card.power_ups == 1
    card.may_answer.set()
    inserting.join()
    assert card.power_ups == 2
    assert Client(stack).transmit() == [0, ANSWER]


def test_a_reset_waits_for_the_command_in_hand(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard()
    reader.insert(card)
    client, other = Client(stack), Client(stack)
    card.may_answer.clear()
    transmitting, answers = in_thread(client.transmit)
    card.computing.wait()
    resetting, results = in_thread(lambda: stack.SCardDisconnect(other.handle, stack.SCARD_RESET_CARD))
    waiting, later = in_thread(client.transmit)
    assert card.power_ups == 1
    card.may_answer.set()
    for thread in (transmitting, resetting, waiting):
        thread.join()
    assert (answers, results, card.power_ups) == ([[0, ANSWER]], [0], 2)
    assert later[0] in ([0, ANSWER], [stack.SCARD_W_RESET_CARD, []])


def test_faults_pull_the_card_and_silence_it(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    reader.faults.arm(Fault.parse("mute@1:1"))
    reader.faults.arm(Fault.parse("truncate@2:0"))
    reader.faults.arm(Fault.parse("remove-after@3"))
    assert client.transmit() == [stack.SCARD_E_NOT_TRANSACTED, []]
    assert client.transmit() == [stack.SCARD_E_NOT_TRANSACTED, []]
    assert client.transmit() == [stack.SCARD_E_NO_SMARTCARD, []]
    assert reader.card is None
    assert client.transmit() == [stack.SCARD_W_REMOVED_CARD, []]


def test_messages_have_the_limits_of_pcscd(stack: InProcessPcsc, reader: InProcessReader) -> None:
    reader.insert(EchoCard())
    client = Client(stack)
    assert client.transmit([0] * 65546) == [0, [*[0] * 65546, 0x90, 0x00]]
    assert client.transmit([0] * 65547) == [stack.SCARD_E_INSUFFICIENT_BUFFER, []]
    assert client.transmit([0] * 65549) == [stack.SCARD_E_INSUFFICIENT_BUFFER, []]
    assert client.transmit([0x1FF]) == [0, [0xFF, 0x90, 0x00]]


def test_a_card_that_breaks_its_word_and_raises_is_mute(
    stack: InProcessPcsc, reader: InProcessReader, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenCard(EchoCard):
        def transmit(self, command: bytes) -> bytes:
            raise ValueError(command.hex())

    reader.insert(BrokenCard())
    assert Client(stack).transmit() == [stack.SCARD_E_NOT_TRANSACTED, []]
    assert "the simulated card failed: ValueError" in caplog.text
    assert "00b00000" not in caplog.text


def test_commands_of_many_threads_reach_the_card_one_at_a_time(stack: InProcessPcsc, reader: InProcessReader) -> None:
    class StrictCard(EchoCard):
        within = 0

        def transmit(self, command: bytes) -> bytes:
            self.within += 1
            answer = super().transmit(command)
            alone = self.within == 1
            self.within -= 1
            return answer if alone else b"\x6f\x00"

    reader.insert(StrictCard())
    clients = [Client(stack) for _ in range(8)]

    def work(client: Client) -> bool:
        return all(client.transmit([0, number]) == [0, [0, number, 0x90, 0]] for number in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, clients))


def test_reconnecting_down_from_exclusive_keeps_the_lock_as_pcscd_does(
    stack: InProcessPcsc, reader: InProcessReader
) -> None:
    reader.insert(EchoCard())
    client = Client(stack, share_mode=stack.SCARD_SHARE_EXCLUSIVE)
    assert stack.SCardReconnect(client.handle, stack.SCARD_SHARE_SHARED, 3, stack.SCARD_LEAVE_CARD)[0] == 0
    other = Client(stack, connect=False)
    connecting, results = in_thread(lambda: stack.SCardConnect(other.context, NAME, 2, 3)[0])
    assert client.transmit() == [0, ANSWER]
    assert results == []
    assert stack.SCardDisconnect(client.handle, stack.SCARD_LEAVE_CARD) == 0
    connecting.join()
    assert results == [0]


def test_reconnecting_up_to_exclusive_blocks_while_another_is_connected(
    stack: InProcessPcsc, reader: InProcessReader
) -> None:
    reader.insert(EchoCard())
    client, other = Client(stack), Client(stack)
    exclusive = stack.SCARD_SHARE_EXCLUSIVE
    thread, results = in_thread(lambda: stack.SCardReconnect(client.handle, exclusive, 3, stack.SCARD_LEAVE_CARD))
    assert other.transmit() == [0, ANSWER]
    assert results == []
    stack.SCardReleaseContext(other.context)
    thread.join()
    assert results == [[0, stack.SCARD_PROTOCOL_T0]]
    assert client.state() & stack.SCARD_STATE_EXCLUSIVE


def test_ending_a_transaction_with_a_reset_resets_for_everyone(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard()
    reader.insert(card)
    client = Client(stack)
    stack.SCardBeginTransaction(client.handle)
    assert stack.SCardEndTransaction(client.handle, stack.SCARD_RESET_CARD) == 0
    assert card.power_ups == 2
    assert client.transmit() == [stack.SCARD_W_RESET_CARD, []]


def test_attributes_and_features(stack: InProcessPcsc, reader: InProcessReader) -> None:
    card = EchoCard(CardProtocol.T1)
    reader.insert(card)
    client = Client(stack)
    name = [*NAME.encode(), 0]
    assert stack.SCardGetAttrib(client.handle, stack.SCARD_ATTR_ATR_STRING) == [0, list(card.atr)]
    assert stack.SCardGetAttrib(client.handle, stack.SCARD_ATTR_DEVICE_FRIENDLY_NAME) == [0, name]
    assert stack.SCardGetAttrib(client.handle, stack.SCARD_ATTR_MAXINPUT) == [stack.SCARD_E_UNSUPPORTED_FEATURE, []]
    assert stack.SCardControl(client.handle, stack.SCARD_CTL_CODE(3400), []) == [0, []]
