"""Readers and cards as the daemon sees them: the real pcscd, the simulated CPS3, the native driver."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from cardd.cards.connection import HeldByAnother, HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import VolatileMemory
from cardd.cards.present import CardState, PresentCard
from cardd.cards.roster import Roster
from cardd.cards.worker import Priority
from cardd.readers.events import ReaderEvent
from cardd.readers.insertion import Departure
from cardd.readers.stack import Disposition, PcscError, Share, load_stack
from cardd.readers.udev import NoDevices
from cardd.readers.watch import Watch
from cardd_drivers.contract import (
    Card,
    CardKind,
    CardMute,
    CardRemoved,
    KeyName,
    PinIncorrect,
    ReaderFailure,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)
from cardsim import PkiStore, SimulatedCard, personalise, profiles
from cardsim.faults import Fault
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.unit.cards.listening import PATIENCE, Listener

PROFILE = profiles.load("physician")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """A fictional PKI for this module."""
    return PkiStore(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def simulated(store: PkiStore) -> SimulatedCard:
    """The physician's card."""
    return personalise(PROFILE, store)


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module's tests."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


class Scene:
    """The daemon's lower half over the private pcscd."""

    def __init__(self, pcscd: PrivatePcscd, simulated: SimulatedCard, hold: HoldMode) -> None:
        self.pcscd = pcscd
        self.simulated = simulated
        self.name = pcscd.reader_names[0]
        self.reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
        self.stack = load_stack("pcsc", {})
        self.listener = Listener()
        self.roster = Roster(
            self.stack,
            Drivers.discover(),
            self.listener,
            memory=VolatileMemory(),
            hold=hold,
            queue=8,
            devices=NoDevices(),
        )
        loop = asyncio.get_running_loop()

        def notify(event: ReaderEvent) -> None:
            loop.call_soon_threadsafe(self.roster.handle, event)

        self.watch = Watch(self.stack, notify)
        self.roster.watched_by(self.watch.look_again)
        self.watch.start()

    @property
    def card(self) -> PresentCard:
        """The one card that is in."""
        (card,) = self.roster.cards
        return card

    async def insert(self) -> None:
        """Put the card in; pcscd may take its time."""
        await asyncio.to_thread(self.reader.insert, self.simulated)

    async def identified(self, count: int = 1) -> PresentCard:
        """Wait until the card is known."""
        await self.listener.until(("card_changed", "identified"), count=count)
        return self.card

    async def end(self) -> None:
        self.reader.faults.clear()
        await asyncio.to_thread(self.reader.remove)
        await self.listener.until_true(lambda: not self.roster.cards)
        assert await asyncio.to_thread(self.watch.stop, PATIENCE)
        assert await self.roster.stop(PATIENCE)


MakeScene = Callable[..., Scene]


@pytest.fixture
async def make(pcscd: PrivatePcscd, simulated: SimulatedCard) -> AsyncIterator[MakeScene]:
    scenes: list[Scene] = []

    def make(hold: HoldMode = HoldMode.SESSION) -> Scene:
        scenes.append(Scene(pcscd, simulated, hold))
        return scenes[-1]

    yield make
    for scene in scenes:
        await scene.end()


def verify(card: Card) -> None:
    card.verify_pin(bytearray(PROFILE.card.pin.encode()))


def sign(card: Card) -> bytes:
    return card.sign(KeyName.SIGNATURE, SignatureAlgorithm.RS256, bytes(32))


async def test_a_card_is_inserted_identified_used_and_removed(make: MakeScene) -> None:
    scene = make()
    await scene.insert()
    card = await scene.identified()
    assert card.driver_name == "ias-ecc"
    assert card.identity is not None
    assert card.identity.kind is CardKind.CPS3
    x509.load_der_x509_certificate(card.certificates[KeyName.AUTHENTICATION])
    assert card.pin_status is not None
    assert card.pin_status.tries_left == 3

    await card.hold()
    await card.run(verify, caller="a", priority=Priority.AUTHENTICATION)
    assert len(await card.run(sign, caller="a")) == 256
    await card.release()
    with pytest.raises(SecurityStatusNotSatisfied):
        await card.run(sign, caller="a")

    await asyncio.to_thread(scene.reader.remove)
    await scene.listener.until(("card_departed", "card-removed"))
    with pytest.raises(CardRemoved):
        await card.run(sign, caller="a")


async def test_while_a_session_holds_the_card_no_program_can_use_it(make: MakeScene) -> None:
    scene = make()
    await scene.insert()
    card = await scene.identified()
    await card.hold()
    with pytest.raises(PcscError, match="SHARING_VIOLATION"):
        scene.stack.establish().connect(scene.name, Share.SHARED)
    await card.release()
    scene.stack.establish().connect(scene.name, Share.SHARED).disconnect(Disposition.LEAVE)


async def test_a_program_that_holds_the_card_is_told_at_once_and_not_for_ever(make: MakeScene) -> None:
    scene = make()
    await scene.insert()
    card = await scene.identified()
    other = scene.stack.establish().connect(scene.name, Share.SHARED)
    with pytest.raises(HeldByAnother):
        await card.hold()
    assert card.held_by_another() is not None
    other.disconnect(Disposition.LEAVE)
    async with asyncio.timeout(PATIENCE):
        while card.held_by_another() is not None:
            await asyncio.sleep(0)  # pcscd tells within 0.4 s; the roster's events come on this loop
    await card.hold()


async def test_a_card_that_is_held_from_the_start_is_identified_when_it_is_free(make: MakeScene) -> None:
    scene = make(HoldMode.INSERTION)
    other = scene.stack.establish()
    held = None
    await scene.insert()
    async with asyncio.timeout(PATIENCE):
        while held is None:
            try:
                held = other.connect(scene.name, Share.SHARED)
            except PcscError:
                await asyncio.sleep(0)
                if any(card.state is CardState.IDENTIFIED for card in scene.roster.cards):
                    break
    if held is not None:
        await scene.listener.until(("card_changed", "in-use"))
        held.disconnect(Disposition.LEAVE)
    card = await scene.identified()
    assert card.is_held


async def test_a_wrong_pin_costs_one_try_and_the_right_one_restores_it(make: MakeScene) -> None:
    scene = make()
    await scene.insert()
    card = await scene.identified()
    await card.hold()
    with pytest.raises(PinIncorrect) as raised:
        await card.run(lambda driven: driven.verify_pin(bytearray(b"0000")), caller="a")
    assert raised.value.tries_left == 2
    await card.run(verify, caller="a")
    await card.release()
    assert (await card.run(lambda driven: driven.pin_status(), caller="a")).tries_left == 3


@pytest.mark.parametrize("kind", ["remove@1", "remove-after@1", "remove-after@3"])
async def test_a_removal_in_the_middle_of_a_signature(make: MakeScene, kind: str) -> None:
    scene = make()
    await scene.insert()
    card = await scene.identified()
    await card.hold()
    await card.run(verify, caller="a")
    scene.reader.faults.arm(Fault.parse(kind))
    # Which one depends on what pcscd noticed first.
    with pytest.raises((CardRemoved, CardMute, ReaderFailure)):
        await card.run(sign, caller="a")
    await scene.listener.until(("card_departed", "card-removed"))
    assert card.insertion.mark.reason is Departure.CARD_REMOVED


async def test_the_old_cards_work_never_reaches_the_next_card(make: MakeScene) -> None:
    scene = make()
    await scene.insert()
    old = await scene.identified()
    await old.hold()
    await old.run(verify, caller="a")
    await asyncio.to_thread(scene.reader.remove)
    await scene.insert()
    # Whether pcscd has seen the swap by now or not: this connection is over.
    with pytest.raises((CardRemoved, CardMute, ReaderFailure)):
        await old.run(sign, caller="a")
    new = await scene.identified(count=2)
    assert new is not old
    with pytest.raises(SecurityStatusNotSatisfied):
        await new.run(sign, caller="a")


@pytest.mark.parametrize("how", ["crash", "restart"])
async def test_pcscd_goes_and_comes_back_with_its_readers_and_cards(make: MakeScene, how: str) -> None:
    scene = make()
    await scene.insert()
    old = await scene.identified()
    await old.hold()
    await old.run(verify, caller="a")
    await asyncio.to_thread(scene.pcscd.crash if how == "crash" else scene.pcscd.stop)
    await scene.listener.until(("card_departed", "pcscd-lost"), ("reader_removed", scene.name))
    with pytest.raises(CardRemoved):
        await old.run(sign, caller="a")
    await asyncio.to_thread(scene.pcscd.start)
    new = await scene.identified(count=2)
    with pytest.raises(SecurityStatusNotSatisfied):
        await new.run(sign, caller="a")


def test_a_name_that_is_not_ascii_is_watched_on_the_real_library(pcscd: PrivatePcscd) -> None:
    """The library is asked for a reader that does not exist; pyscard alone would not even ask it."""
    context = load_stack("pcsc", {}).establish()
    for name in ("Lecteur é", os.fsdecode(b"Lecteur \xe9")):
        with pytest.raises(PcscError, match="UNKNOWN_READER"):
            context.look([name])
        with pytest.raises(PcscError, match="UNKNOWN_READER"):
            context.connect(name, Share.SHARED)
    (state,) = context.look([pcscd.reader_names[0]])
    assert state.reader == pcscd.reader_names[0]
    context.release()


def test_a_stack_without_a_service_says_so(tmp_path: Path) -> None:
    """In a process of its own: libpcsclite reads the variable once."""
    script = "from cardd.readers.stack import load_stack; load_stack('pcsc', {}).establish()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PCSCLITE_CSOCK_NAME": str(tmp_path / "nobody")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SCARD_E_NO_SERVICE" in done.stderr


USB_READER = """\
P: /devices/pci0000:00/0000:00:14.0/usb1/1-2
N: bus/usb/001/004
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: DEVNAME=/dev/bus/usb/001/004
E: ID_USB_INTERFACES=:0b0000:
E: ID_VENDOR_ID=04e6
E: ID_MODEL_ID=5790
E: ID_SEAT=seat-kiosk
A: manufacturer=Fictional
A: product=Reader One
A: serial=SER123

"""
ASK_UDEV = """\
from cardd.readers.udev import facts_of, open_devices
print(facts_of("Fictional Reader One [CCID Interface] (SER123) 00 00", open_devices().usb_readers()))
"""


@pytest.mark.skipif(shutil.which("umockdev-run") is None, reason="umockdev is not installed")
def test_a_usb_readers_facts_come_from_the_real_libudev(tmp_path: Path) -> None:
    description = tmp_path / "reader.umockdev"
    description.write_text(USB_READER)
    done = subprocess.run(
        ["umockdev-run", "-d", str(description), "--", sys.executable, "-c", ASK_UDEV],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ReaderFacts(usb_ids='04E6:5790', seat='seat-kiosk')\n", done.stderr


WATCH_UDEV = """\
import asyncio, ctypes
from cardd.readers.udev import device_of, open_devices

mock = ctypes.CDLL("libumockdev.so.0")
mock.umockdev_testbed_new.restype = ctypes.c_void_p
testbed = ctypes.c_void_p(mock.umockdev_testbed_new())
assert mock.umockdev_testbed_add_from_string(testbed, open({description!r}, "rb").read(), None)

async def main():
    devices, told = open_devices(), asyncio.Queue()
    end = devices.on_change(told.put_nowait)
    reader = device_of("Fictional Reader One [CCID Interface] (SER123) 00 00", devices.usb_readers())
    mock.umockdev_testbed_uevent(testbed, b"/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2", b"remove")
    event = await asyncio.wait_for(told.get(), 20)
    print(event.gone, event.path == reader.path, reader.path)
    end()

asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("umockdev-wrapper") is None, reason="umockdev is not installed")
def test_the_real_libudev_tells_which_reader_was_unplugged(tmp_path: Path) -> None:
    description = tmp_path / "reader.umockdev"
    description.write_text(USB_READER)
    script = WATCH_UDEV.format(description=str(description))
    done = subprocess.run(
        ["umockdev-wrapper", sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "True True /devices/pci0000:00/0000:00:14.0/usb1/1-2\n", done.stderr
