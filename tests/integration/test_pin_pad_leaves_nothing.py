"""What is typed on a reader's PIN pad is never in cardd: not while it is typed, while the card thinks, or afterwards.

Reader, pad and card are this process's; cardd reaches them by PC/SC's functions alone, served on a socket.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from cardd.client import Card, CarddClient
from cardd.errors import PinIncorrect
from cardsim import profiles
from cardsim.personalise import personalise
from cardsim.stage import CarddProcess, PrivateBus
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from cardsim.transports.pcsc.pin_pad import PinPad
from cardsim.transports.pcsc.remote import PcscServer
from tests.integration.test_pin_leaves_nothing import NEW_PIN, PIN, PUK, WRONG_PIN, SlowCard, with_long_pins
from tests.support import scan
from tests.support.core import PATIENCE, pki_store
from tests.support.running import authorities, emptied, identified

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cardd closes its memory to all but root")

TYPED = {
    what: form
    for name, digits in {"PIN": PIN, "new PIN": NEW_PIN, "PUK": PUK}.items()
    for what, form in scan.forms_of(name, digits).items()
}
BY_DESCRIPTOR = scan.forms_of("PIN by descriptor", WRONG_PIN)


@dataclass
class Scene:
    """A real cardd, and what it cannot see into."""

    cardd: CarddProcess
    bus: PrivateBus
    folder: Path
    reader: InProcessReader
    pad: PinPad

    def insert(self) -> SlowCard:
        """A card whose PIN has eight digits."""
        profile = profiles.load("physician")
        card = SlowCard(personalise(replace(profile, card=replace(profile.card, pin=PIN, puk=PUK)), pki_store()))
        self.reader.insert(card)
        return card

    def require_nothing(self) -> None:
        """Neither memory, nor files, nor the bus."""
        assert scan.in_memory(self.cardd.pid, TYPED) == []
        assert scan.in_files(self.folder, TYPED) == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, elsewhere = tmp_path_factory.mktemp("cardd"), tmp_path_factory.mktemp("stack")
    stack = InProcessPcsc()
    reader = stack.add_reader("Padded Reader 00 00")
    pad = reader.add_pin_pad()
    server = PcscServer(elsewhere / "pcsc", stack)
    readers = f'backend = "cardsim"\nflapping = 0\noptions = {{ pcsc-socket = "{elsewhere / "pcsc"}" }}'
    with pytest.MonkeyPatch.context() as patching, PrivateBus() as bus:
        patching.setattr(sys.modules["cardsim.personalise"], "LAYOUTS", MappingProxyType({"cps3": with_long_pins()}))
        sections = {"readers": readers, "log": 'level = "apdu"'}
        process = CarddProcess(folder, bus.address, authorities=authorities(folder), sections=sections)
        try:
            with scan.bus_capture(bus.address, folder / "bus.capture"), process as cardd:
                yield Scene(cardd, bus, folder, reader, pad)
        finally:
            server.close()
            stack.close()


@pytest.fixture
async def card(scene: Scene) -> AsyncIterator[tuple[SlowCard, Card]]:
    async with await CarddClient.connect(scene.bus.address) as client:
        await emptied(client)
        slow = scene.insert()
        yield slow, await identified(client)
        scene.reader.remove()
        await emptied(client)


async def typed(scene: Scene, slow: SlowCard, work: Coroutine[Any, Any, Any], *entries: str) -> None:
    """Type while cardd waits; look before the last key, while the card thinks, and at the end."""
    slow.answers.clear()
    slow.thinks.clear()
    asking = asyncio.create_task(work)
    assert await asyncio.to_thread(scene.pad.wait_until_asked, PATIENCE)
    scene.pad.enter(entries[0])
    if len(entries) == 1:
        assert await asyncio.to_thread(slow.thinks.wait, PATIENCE)
    scene.require_nothing()
    slow.answers.set()
    for each in entries[1:]:
        scene.pad.enter(each)
    await asking
    scene.require_nothing()


async def test_the_pin_of_a_session(scene: Scene, card: tuple[SlowCard, Card]) -> None:
    slow, one = card
    await typed(scene, slow, one.authenticate(), PIN)


async def test_a_changed_pin(scene: Scene, card: tuple[SlowCard, Card]) -> None:
    slow, one = card
    await typed(scene, slow, one.change_pin(), PIN, NEW_PIN, NEW_PIN)
    await typed(scene, slow, one.authenticate(), NEW_PIN)


async def test_an_unblocked_pin(scene: Scene, card: tuple[SlowCard, Card]) -> None:
    slow, one = card
    await typed(scene, slow, one.unblock_pin(), PUK, NEW_PIN, NEW_PIN)
    await typed(scene, slow, one.authenticate(), NEW_PIN)


async def test_a_code_that_does_come_to_cardd_is_found_there(scene: Scene, card: tuple[SlowCard, Card]) -> None:
    """Else the others would show nothing. This code is none of theirs."""
    slow, one = card
    slow.answers.clear()
    authenticating = asyncio.create_task(one.authenticate(pin=bytearray(WRONG_PIN.encode())))
    assert await asyncio.to_thread(slow.thinks.wait, PATIENCE)
    found = scan.in_memory(scene.cardd.pid, BY_DESCRIPTOR)
    slow.answers.set()
    with pytest.raises(PinIncorrect):
        await authenticating
    assert found != []
