"""A card in a reader, as the loop sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cardd.cards.connection import HeldByAnother, HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import VolatileMemory
from cardd.cards.present import CardChanged, CardServices, CardState, NotReady, PresentCard
from cardd.cards.worker import Priority, Workers
from cardd.readers.events import Availability
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import CardHandle, Disposition, PcscStack, Share
from cardd_drivers.contract import (
    Card,
    CardMute,
    CardRemoved,
    CardReset,
    KeyName,
    PinIncorrect,
    SecurityStatusNotSatisfied,
    UnexpectedResponse,
)
from cardsim.faults import Fault
from cardsim.transports.inprocess import InProcessPcsc
from tests.unit.cards.support import SmallCard, SmallDriver, sign, verify

PATIENCE = 20.0


class Scene:
    """A present card over an in-process PC/SC."""

    def __init__(self, hold: HoldMode = HoldMode.SESSION, card: SmallCard | None = None) -> None:
        self.pcsc = InProcessPcsc()
        self.reader = self.pcsc.add_reader("R 00 00")
        self.card = card or SmallCard()
        self.reader.insert(self.card)
        self.stack = PcscStack(self.pcsc)
        self.workers = Workers(self.stack, 8)
        self.memory = VolatileMemory()
        self.looks = 0
        self.departures: list[Insertion] = []
        self.changes: list[CardState] = []
        services = CardServices(
            self.workers, Drivers([SmallDriver()]), self.memory, hold, self.look_again, self.departed
        )
        (state,) = self.stack.establish().look([self.reader.name])
        self.insertion = Insertion(self.reader.name, state.atr, state.counter)
        self.present = PresentCard(self.insertion, services, lambda card: self.changes.append(card.state))

    def look_again(self) -> None:
        self.looks += 1

    def departed(self, insertion: Insertion) -> None:
        assert insertion.mark.is_set
        self.departures.append(insertion)
        self.present.close()

    def other(self, share: Share) -> CardHandle:
        """Another program's connection."""
        return self.stack.establish().connect(self.reader.name, share)

    def free(self, *, exclusive: bool = False, in_use: bool = False) -> bool:
        """The watch thread's word on who holds the card."""
        return self.present.availability(Availability(self.insertion, exclusive=exclusive, in_use=in_use))

    async def end(self) -> None:
        self.card.may_answer.set()
        self.insertion.mark.set(Departure.DAEMON_STOPPED)
        self.present.close()
        assert await asyncio.to_thread(self.workers.join, PATIENCE)


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(hold: HoldMode = HoldMode.SESSION, card: SmallCard | None = None) -> Scene:
        scenes.append(Scene(hold, card))
        return scenes[-1]

    yield make
    for scene in scenes:
        await scene.end()


async def computing(scene: Scene) -> None:
    """Wait until the card is in the middle of a command."""
    assert await asyncio.to_thread(scene.card.computing.wait, PATIENCE)


async def test_identification_learns_the_card_and_lets_it_go(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    present = scene.present
    assert present.state is CardState.IDENTIFIED
    assert present.driver_name == "small"
    assert present.identity is not None
    assert present.identity.serial == "SERIAL-1"
    assert present.certificates == {KeyName.AUTHENTICATION: b"certificate of SERIAL-1"}
    assert present.pin_status is not None
    assert present.pin_status.tries_left == 3
    assert present.capabilities is not None
    assert scene.changes == [CardState.IDENTIFIED]
    assert not present.is_held
    scene.other(Share.EXCLUSIVE)  # nobody is in the way


async def test_a_known_card_is_read_from_memory(make: Callable[..., Scene]) -> None:
    scene = make()
    scene.memory.put("SERIAL-1", KeyName.AUTHENTICATION, b"remembered")
    await scene.present.identify()
    assert scene.present.certificates == {KeyName.AUTHENTICATION: b"remembered"}
    assert scene.present.traffic.commands == 2


async def test_relearning_forgets_and_reads_anew(make: Callable[..., Scene]) -> None:
    scene = make()
    scene.memory.put("SERIAL-1", KeyName.AUTHENTICATION, b"remembered")
    await scene.present.identify()
    await scene.present.relearn(caller="a")
    assert scene.present.certificates == {KeyName.AUTHENTICATION: b"certificate of SERIAL-1"}
    await scene.present.hold()
    scene.memory.put("SERIAL-1", KeyName.AUTHENTICATION, b"remembered")
    await scene.present.relearn(caller="a")
    assert scene.present.certificates == {KeyName.AUTHENTICATION: b"certificate of SERIAL-1"}
    assert scene.present.is_held


async def test_a_card_that_no_driver_knows(make: Callable[..., Scene]) -> None:
    scene = make(card=SmallCard(atr=bytes.fromhex("3B00")))
    await scene.present.identify()
    assert scene.present.state is CardState.UNKNOWN
    assert scene.present.problem is None
    with pytest.raises(NotReady) as raised:
        await scene.present.run(sign, caller="a")
    assert raised.value.state is CardState.UNKNOWN


async def test_a_mute_card(make: Callable[..., Scene]) -> None:
    scene = make()
    mute = PresentCard(Insertion("R 00 00", b"", 1), scene.present._services, lambda _: None)
    await mute.identify()
    assert mute.state is CardState.FAILED
    assert isinstance(mute.problem, CardMute)
    mute.close()


@pytest.mark.parametrize(("times", "state"), [(2, CardState.IDENTIFIED), (3, CardState.FAILED)])
async def test_a_silence_that_passes_does_not_keep_a_card_from_being_identified(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch, times: int, state: CardState
) -> None:
    scene = make()
    transmit = scene.pcsc.SCardTransmit
    silences = iter([[0, []], [0x80100016, []], [0, []]][:times])
    resets = scene.card.resets
    monkeypatch.setattr(
        scene.pcsc, "SCardTransmit", lambda *given: next(silences, None) or transmit(*given), raising=False
    )
    await scene.present.identify()
    assert scene.changes == [state]
    assert isinstance(scene.present.problem, CardMute) is (state is CardState.FAILED)
    assert scene.card.resets == resets + times


async def test_a_card_that_answers_nonsense(make: Callable[..., Scene]) -> None:
    scene = make()
    scene.reader.faults.arm(Fault.parse("sw@1:6F00"))
    await scene.present.identify()
    assert scene.present.state is CardState.FAILED
    assert isinstance(scene.present.problem, UnexpectedResponse)


async def test_a_driver_with_a_defect_fails_its_card_alone(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make()
    monkeypatch.setattr(SmallDriver, "open", lambda *_: 1 // 0)
    await scene.present.identify()
    assert scene.present.state is CardState.FAILED
    assert isinstance(scene.present.problem, ZeroDivisionError)


async def test_a_held_card_serves_operations_until_it_is_released(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    assert scene.present.is_held
    await scene.present.run(verify, caller="a", priority=Priority.AUTHENTICATION)
    assert await scene.present.run(sign, caller="a") == b"signature"
    assert scene.card.verified
    await scene.present.release()
    assert not scene.card.verified
    assert not scene.present.is_held
    scene.other(Share.EXCLUSIVE)


async def test_while_held_no_other_program_gets_in(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    with pytest.raises(Exception, match="SHARING_VIOLATION"):
        scene.other(Share.SHARED)


async def test_holding_twice_and_releasing_twice_do_no_harm(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.release()
    await scene.present.identify()
    await scene.present.hold()
    commands = scene.present.traffic.commands
    await scene.present.hold()
    assert scene.present.traffic.commands == commands
    await scene.present.release()
    await scene.present.release()


async def test_a_pin_presented_without_a_hold_does_not_outlive_the_operation(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.run(verify, caller="a")
    assert not scene.card.verified
    with pytest.raises(SecurityStatusNotSatisfied):
        await scene.present.run(sign, caller="a")


async def test_an_operation_without_a_pin_leaves_the_card_to_others(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    resets = scene.card.resets
    other = scene.other(Share.SHARED)
    assert (await scene.present.run(lambda card: card.pin_status(), caller="a")).tries_left == 3
    assert scene.card.resets == resets
    other.transmit(bytes.fromhex("00B09C0008"))


async def test_a_wrong_pin_is_remembered(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    with pytest.raises(PinIncorrect):
        await scene.present.run(lambda card: card.verify_pin(bytearray(b"0000")), caller="a")
    assert scene.present.pin_status is not None
    assert scene.present.pin_status.tries_left == 2


async def test_a_card_held_by_another_is_said_at_once_and_can_be_held_later(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    other = scene.other(Share.SHARED)
    with pytest.raises(HeldByAnother) as raised:
        await scene.present.hold()
    assert scene.present.held_by_another() == raised.value.holder
    assert scene.looks == 1
    assert scene.changes == [CardState.IDENTIFIED]
    other.disconnect(Disposition.LEAVE)
    scene.free()
    assert scene.present.held_by_another() is None
    await scene.present.hold()


async def test_a_card_held_by_another_from_the_start_waits_for_its_turn(make: Callable[..., Scene]) -> None:
    scene = make()
    other = scene.other(Share.EXCLUSIVE)
    await scene.present.identify()
    assert scene.present.state is CardState.IN_USE
    assert isinstance(scene.present.problem, HeldByAnother)
    assert scene.looks == 1
    assert not scene.free(exclusive=True)
    other.disconnect(Disposition.LEAVE)
    assert scene.free()
    await scene.present.identify()
    assert scene.changes == [CardState.IN_USE, CardState.IDENTIFIED]
    assert scene.present.problem is None
    assert not scene.free(), "once identified there is nothing to try again"


@pytest.mark.parametrize("mode", list(HoldMode))
async def test_what_counts_as_free_depends_on_the_hold(make: Callable[..., Scene], mode: HoldMode) -> None:
    scene = make(mode)
    other = scene.other(Share.EXCLUSIVE)
    await scene.present.identify()
    other.disconnect(Disposition.LEAVE)
    assert scene.free(in_use=True) is (mode is not HoldMode.INSERTION)
    assert (scene.present.held_by_another() is None) is (mode is HoldMode.SHARED)


async def test_another_card_under_the_hold_is_refused(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    scene.reader.swap(SmallCard("SERIAL-2"), counted=False)
    with pytest.raises(CardChanged):
        await scene.present.hold()
    assert not scene.present.is_held
    with pytest.raises(CardChanged):
        await scene.present.run(sign, caller="a")


async def test_a_card_that_is_not_identified_cannot_be_used(make: Callable[..., Scene]) -> None:
    scene = make()
    for work in (scene.present.hold(), scene.present.run(sign, caller="a")):
        with pytest.raises(NotReady) as raised:
            await work
        assert raised.value.state is CardState.PRESENT


@pytest.mark.parametrize("command", [1, 2, 3])
@pytest.mark.parametrize("kind", ["remove", "remove-after"])
async def test_a_removal_at_each_command_of_identification(make: Callable[..., Scene], kind: str, command: int) -> None:
    scene = make()
    scene.reader.faults.arm(Fault.parse(f"{kind}@{command}"))
    await scene.present.identify()
    assert scene.present.identity is None
    assert scene.insertion.mark.reason is Departure.CARD_REMOVED, "the connection is the first witness"
    assert scene.departures == [scene.insertion]
    assert scene.changes == []


async def test_a_removal_within_an_operation(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    scene.reader.before_apdu(lambda _n, _command: scene.reader.remove())
    with pytest.raises(CardRemoved):
        await scene.present.run(sign, caller="a")
    assert not scene.present.is_held
    with pytest.raises(CardRemoved):
        await scene.present.run(sign, caller="a")
    assert scene.departures == [scene.insertion]


async def test_a_mark_that_the_loop_has_not_heard_of_yet_counts(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    commands = scene.present.traffic.commands
    scene.insertion.mark.set(Departure.READER_REMOVED)
    with pytest.raises(CardRemoved, match="reader-removed"):
        await scene.present.run(sign, caller="a")
    assert scene.present.traffic.commands == commands
    assert scene.departures == [scene.insertion]


async def test_pcsc_that_contradicts_itself_is_asked_a_few_times(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make()

    def not_there(*_: Any) -> Any:
        return [0x8010000C, 0, 0]

    monkeypatch.setattr(scene.pcsc, "SCardConnect", not_there, raising=False)
    for _ in range(2):
        await scene.present.identify()
        assert scene.present.state is CardState.PRESENT
        assert scene.free(), "the watch says that it is there: try again"
    await scene.present.identify()
    assert scene.present.state is CardState.FAILED
    assert not scene.free()


@pytest.mark.parametrize(("times", "state"), [(2, CardState.IDENTIFIED), (3, CardState.FAILED)])
async def test_an_identification_that_another_programs_reset_disturbs_is_begun_again(
    make: Callable[..., Scene], times: int, state: CardState
) -> None:
    scene = make()
    left = [True] * times

    def reset_after_the_first_command(_n: int, command: bytes, _answer: bytes) -> None:
        if command[2] == 0x9C and left and left.pop():
            with scene.pcsc._manager.lock:
                scene.reader.reset(cold=False)

    scene.reader.after_apdu(reset_after_the_first_command)
    await scene.present.identify()
    assert scene.present.state is state
    assert isinstance(scene.present.problem, CardReset) is (state is CardState.FAILED)
    assert not left


async def test_a_shared_hold_and_its_price(make: Callable[..., Scene]) -> None:
    scene = make(HoldMode.SHARED)
    await scene.present.identify()
    await scene.present.hold()
    await scene.present.run(verify, caller="a")
    assert await scene.present.run(sign, caller="a") == b"signature"
    other = scene.other(Share.SHARED)
    assert other.transmit(bytes.fromhex("002A9E9A00")) == b"signature\x90\x00", "another program borrows the PIN"
    other.disconnect(Disposition.LEAVE)
    scene.reader.reset_by_other()
    with pytest.raises(CardReset):
        await scene.present.run(sign, caller="a")
    assert not scene.present.is_held
    assert not scene.insertion.mark.is_set, "the card itself is still there"
    await scene.present.hold()
    with pytest.raises(SecurityStatusNotSatisfied):
        await scene.present.run(sign, caller="a")


async def test_a_hold_from_the_insertion_on(make: Callable[..., Scene]) -> None:
    scene = make(HoldMode.INSERTION)
    await scene.present.identify()
    assert scene.present.is_held
    with pytest.raises(Exception, match="SHARING_VIOLATION"):
        scene.other(Share.SHARED)
    commands = scene.present.traffic.commands
    await scene.present.hold()
    assert scene.present.traffic.commands == commands
    await scene.present.run(verify, caller="a")
    await scene.present.release()
    assert not scene.card.verified
    assert scene.present.is_held, "it was taken again at once"
    with pytest.raises(SecurityStatusNotSatisfied):
        await scene.present.run(sign, caller="a")


async def test_a_defect_while_the_card_is_taken_again_is_the_cards_problem(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make(HoldMode.INSERTION)
    await scene.present.identify()
    await scene.present.run(verify, caller="a")
    monkeypatch.setattr(SmallDriver, "open", lambda *_: 1 // 0)
    await scene.present.release()
    assert scene.present.state is CardState.FAILED
    assert isinstance(scene.present.problem, ZeroDivisionError)
    assert not scene.card.verified
    assert not scene.present.is_held


async def test_another_program_may_be_faster_at_the_release(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make(HoldMode.INSERTION)
    await scene.present.identify()
    disconnect = scene.pcsc.SCardDisconnect

    def quick_other(card: int, disposition: int) -> Any:
        result = disconnect(card, disposition)
        monkeypatch.undo()
        scene.other(Share.EXCLUSIVE)
        return result

    monkeypatch.setattr(scene.pcsc, "SCardDisconnect", quick_other, raising=False)
    await scene.present.release()
    assert scene.present.state is CardState.IN_USE
    assert not scene.present.is_held


async def test_closing_fails_what_runs_and_what_waits_at_once(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    scene.card.computing.clear()
    scene.card.may_answer.clear()
    tasks = [asyncio.ensure_future(scene.present.run(sign, caller=name)) for name in "ab"]
    await computing(scene)
    scene.insertion.mark.set(Departure.CARD_REMOVED)
    scene.present.close()
    for task in tasks:
        with pytest.raises(CardRemoved, match="card-removed"):
            await task
    assert not scene.present.is_held


async def test_nothing_is_begun_once_closed(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    scene.present.close()
    with pytest.raises(CardRemoved):
        await scene.present.run(sign, caller="a")
    await scene.present.release()


async def test_a_cancelled_operation_ends_before_its_next_command(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    scene.card.computing.clear()
    scene.card.may_answer.clear()

    def twice(card: Card) -> None:
        card.pin_status()
        card.verify_pin(bytearray(b"0000"))

    task = asyncio.ensure_future(scene.present.run(twice, caller="a"))
    await computing(scene)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.card.may_answer.set()
    assert (await scene.present.run(lambda card: card.pin_status(), caller="b")).tries_left == 3


async def test_a_hold_that_nobody_waits_for_any_more_is_given_back(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    scene.card.computing.clear()
    scene.card.may_answer.clear()
    task = asyncio.ensure_future(scene.present.hold())
    await computing(scene)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.card.may_answer.set()
    await scene.present.run(lambda card: card.pin_status(), caller="b")
    assert not scene.present.is_held
    scene.other(Share.EXCLUSIVE)


async def test_closing_resets_a_held_card_when_the_daemon_stops(make: Callable[..., Scene]) -> None:
    scene = make()
    await scene.present.identify()
    await scene.present.hold()
    await scene.present.run(verify, caller="a")
    await scene.end()
    assert not scene.card.verified
