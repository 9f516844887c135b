"""Connections to a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardd.cards.channel import Traffic
from cardd.cards.connection import (
    ANOTHER_PROGRAM,
    Connection,
    HeldByAnother,
    HoldMode,
    likely_holders,
    open_connection,
)
from cardd.cards.memory import VolatileMemory
from cardd.readers.insertion import Departure, Insertion
from cardd.readers.stack import Context, Disposition, PcscStack, Share
from cardd_drivers.apdu import SW, Command
from cardd_drivers.contract import CardMute, CardRemoved, CardReset, ReaderFailure
from cardsim.faults import Fault
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.unit.cards.support import ATR, PIN, SmallCard, SmallCardDriven


class Scene:
    """A card in a reader and a program that looks at it."""

    def __init__(self) -> None:
        self.pcsc = InProcessPcsc()
        self.reader: InProcessReader = self.pcsc.add_reader("R 00 00")
        self.card = SmallCard()
        self.reader.insert(self.card)
        self.context = self.program()
        self.insertion = self.seen_now()

    def program(self) -> Context:
        return PcscStack(self.pcsc).establish()

    def seen_now(self) -> Insertion:
        (state,) = self.context.look([self.reader.name])
        return Insertion(self.reader.name, state.atr, state.counter)

    def open(self, share: Share, context: Context | None = None) -> Connection:
        return open_connection(context or self.context, self.insertion, share, lambda: None, Traffic())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def pin_is_verified(scene: Scene) -> bool:
    return scene.card.verified


def present_pin(connection: Connection) -> None:
    SmallCardDriven(connection.channel, VolatileMemory()).verify_pin(bytearray(PIN))


def test_a_connection_leads_to_the_card(scene: Scene) -> None:
    connection = scene.open(Share.SHARED)
    assert connection.channel.transmit(Command(0, 0xB0, 0x9C, 0, le=8)).sw == SW.SUCCESS
    assert connection.channel.atr == ATR


@pytest.mark.parametrize(("first", "second"), [(Share.EXCLUSIVE, Share.SHARED), (Share.SHARED, Share.EXCLUSIVE)])
def test_a_card_that_another_program_holds_is_said_at_once(scene: Scene, first: Share, second: Share) -> None:
    scene.program().connect(scene.reader.name, first)
    with pytest.raises(HeldByAnother) as raised:
        scene.open(second)
    assert raised.value.holder


def test_a_connection_that_is_given_back_lets_others_in(scene: Scene) -> None:
    scene.open(Share.EXCLUSIVE).close(Disposition.LEAVE)
    scene.open(Share.EXCLUSIVE, scene.program())


def test_closing_with_reset_drops_the_pin(scene: Scene) -> None:
    connection = scene.open(Share.EXCLUSIVE)
    present_pin(connection)
    assert pin_is_verified(scene)
    connection.close(Disposition.RESET)
    assert not pin_is_verified(scene)


def test_closing_after_a_removal_leaves_the_next_card_alone(scene: Scene) -> None:
    connection = scene.open(Share.EXCLUSIVE)
    scene.insertion.mark.set(Departure.CARD_REMOVED)
    next_card = SmallCard("SERIAL-2")
    scene.reader.swap(next_card, counted=True)
    resets = next_card.resets
    connection.close(Disposition.RESET)
    assert next_card.resets == resets


def test_closing_when_the_daemon_stops_still_resets(scene: Scene) -> None:
    connection = scene.open(Share.EXCLUSIVE)
    present_pin(connection)
    scene.insertion.mark.set(Departure.DAEMON_STOPPED)
    connection.close(Disposition.RESET)
    assert not pin_is_verified(scene)


def test_closing_when_the_service_is_gone_is_no_error(scene: Scene) -> None:
    connection = scene.open(Share.EXCLUSIVE)
    scene.pcsc.die()
    connection.close(Disposition.RESET)


def test_a_transaction_that_presented_a_pin_resets_before_others_come_in(scene: Scene) -> None:
    connection = scene.open(Share.SHARED)
    with connection.transaction(forget_pin=True):
        present_pin(connection)
        assert pin_is_verified(scene)
    assert not pin_is_verified(scene)


def test_a_transaction_that_presented_none_resets_nothing(scene: Scene) -> None:
    connection = scene.open(Share.SHARED)
    resets = scene.card.resets
    with connection.transaction(forget_pin=True):
        connection.channel.transmit(Command(0, 0xB0, 0x9C, 0, le=8))
    assert scene.card.resets == resets


def test_a_transaction_may_leave_the_pin(scene: Scene) -> None:
    connection = scene.open(Share.SHARED)
    with connection.transaction():
        present_pin(connection)
    assert pin_is_verified(scene)


def test_a_card_swapped_before_connecting_is_not_taken_for_the_old_one(scene: Scene) -> None:
    scene.reader.swap(SmallCard("SERIAL-2"), counted=True)
    with pytest.raises(CardRemoved, match="another card"):
        scene.open(Share.EXCLUSIVE)
    scene.program().connect(scene.reader.name, Share.EXCLUSIVE)  # nothing was left open


def test_a_swap_after_connecting_ends_the_connection_even_uncounted(scene: Scene) -> None:
    connection = scene.open(Share.EXCLUSIVE)
    scene.reader.swap(SmallCard("SERIAL-2"), counted=False)
    with pytest.raises(CardRemoved):
        connection.channel.transmit(Command(0, 0xB0, 0x9C, 0, le=8))
    assert scene.insertion.mark.reason is Departure.CARD_REMOVED


def test_no_connection_once_the_mark_is_set(scene: Scene) -> None:
    scene.insertion.mark.set(Departure.CARD_REMOVED)
    with pytest.raises(CardRemoved):
        scene.open(Share.SHARED)


def test_an_empty_reader(scene: Scene) -> None:
    scene.reader.remove()
    with pytest.raises(CardRemoved):
        scene.open(Share.SHARED)


def test_a_reader_that_is_gone(scene: Scene) -> None:
    scene.pcsc.remove_reader(scene.reader.name)
    with pytest.raises(CardRemoved):
        scene.open(Share.SHARED)


def test_a_service_that_is_gone(scene: Scene) -> None:
    scene.pcsc.die()
    with pytest.raises(ReaderFailure):
        scene.open(Share.SHARED)


def test_a_mute_card(scene: Scene) -> None:
    scene.reader.remove()
    scene.reader.faults.arm(Fault.parse("mute@0+"))
    scene.reader.insert(scene.card)
    scene.insertion = scene.seen_now()
    with pytest.raises(CardMute):
        scene.open(Share.SHARED)


@pytest.mark.parametrize("mode", list(HoldMode))
def test_only_a_shared_hold_is_shared(mode: HoldMode) -> None:
    assert (mode.share is Share.SHARED) is (mode is HoldMode.SHARED)


def process(proc: Path, number: int, name: str, *, pcsc: bool) -> None:
    directory = proc / str(number)
    directory.mkdir()
    (directory / "comm").write_text(f"{name}\n")
    (directory / "maps").write_text("7f00 r-xp /usr/lib/libpcsclite.so.1\n" if pcsc else "7f00 r-xp /usr/lib/libc.so\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    process(tmp_path, 1, "cardd", pcsc=True)
    (tmp_path / "self").symlink_to("1")
    return tmp_path


def test_programs_with_the_pcsc_library_are_the_likely_holders(proc: Path) -> None:
    process(proc, 20, "firefox", pcsc=True)
    process(proc, 21, "bash", pcsc=False)
    process(proc, 22, "fire\x1bfox", pcsc=True)
    assert likely_holders(proc) == "fire?fox, firefox"


def test_many_likely_holders_are_cut_short(proc: Path) -> None:
    for number in range(5):
        process(proc, 30 + number, f"program{number}", pcsc=True)
    assert likely_holders(proc) == "program0, program1, program2, …"


def test_a_holder_that_cannot_be_known_is_another_program(proc: Path) -> None:
    (proc / "40").mkdir()  # ended meanwhile, or none of ours to look at
    assert likely_holders(proc) == ANOTHER_PROGRAM


@pytest.mark.parametrize("share", list(Share))
def test_before_an_operation_pcsc_is_asked_whether_the_card_is_still_there(scene: Scene, share: Share) -> None:
    """No event has told of it, and nothing goes to the card that came in its place."""
    connection = scene.open(share)
    other = SmallCard()
    scene.reader.swap(other, counted=False)
    sent = len(scene.card.commands)
    with pytest.raises(CardRemoved), connection.transaction():
        pytest.fail("an operation began")
    assert scene.insertion.mark.reason is Departure.CARD_REMOVED
    assert len(scene.card.commands) == sent
    assert other.commands == []


@pytest.mark.parametrize("share", list(Share))
def test_before_an_operation_a_reset_by_another_program_is_noticed(scene: Scene, share: Share) -> None:
    connection = scene.open(share)
    scene.reader.reset_by_other()
    with pytest.raises(CardReset), connection.transaction():
        pytest.fail("an operation began")
    assert not scene.insertion.mark.is_set
    assert scene.card.commands == []


@pytest.mark.parametrize("share", list(Share))
def test_before_an_operation_a_reader_that_is_gone_is_noticed(scene: Scene, share: Share) -> None:
    connection = scene.open(share)
    scene.pcsc.remove_reader(scene.reader.name)
    with pytest.raises(CardRemoved), connection.transaction():
        pytest.fail("an operation began")
    assert scene.insertion.mark.reason is Departure.READER_REMOVED
