"""After each way of a PIN through a real cardd, nothing of it is left: memory, files and bus are searched.

The card is another process's: the simulator's, behind a real pcscd. The PINs have eight digits, which occur nowhere by
chance; cardd logs at its most talkative level.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from cardd.client import Agent, Card, CarddClient, PinPurpose, PinRequest
from cardd.errors import CarddError, NotAuthorizedDismissed, PinIncorrect
from cardsim import profiles
from cardsim.card import CardProtocol, SimulatedCard
from cardsim.ias_ecc.pins import PinPolicy
from cardsim.layouts import cps3
from cardsim.layouts.layout import Layout
from cardsim.personalise import personalise
from cardsim.stage import CarddProcess, PrivateBus
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support import scan
from tests.support.core import PATIENCE, pki_store
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.support.running import BIN, authorities, emptied, identified
from tests.unit.cli.test_on_terminal import Conversation

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cardd closes its memory to all but root")

VERIFY = 0x20


def _digits() -> str:
    return "".join(secrets.choice("123456789") for _ in range(8))


PIN, NEW_PIN, WRONG_PIN, PUK = (_digits() for _ in range(4))
SECRETS = {
    what: form
    for name, digits in {"PIN": PIN, "new PIN": NEW_PIN, "wrong PIN": WRONG_PIN, "PUK": PUK}.items()
    for what, form in scan.forms_of(name, digits).items()
}


class SlowCard:
    """A card that can be made to think about VERIFY for as long as a test wishes."""

    def __init__(self, card: SimulatedCard) -> None:
        self._card = card
        self.thinks = threading.Event()
        self.answers = threading.Event()
        self.answers.set()

    @property
    def atr(self) -> bytes:
        """See SimulatedCard."""
        return self._card.atr

    @property
    def protocol(self) -> CardProtocol:
        """See SimulatedCard."""
        return self._card.protocol

    def power_on(self) -> bytes:
        """See SimulatedCard."""
        return self._card.power_on()

    def power_off(self) -> None:
        """See SimulatedCard."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """See SimulatedCard."""
        if command[1] == VERIFY and len(command) > 5:
            self.thinks.set()
            self.answers.wait(PATIENCE)
        return self._card.transmit(command)


@dataclass
class Scene:
    """A real cardd behind a real pcscd, its card in this process."""

    cardd: CarddProcess
    bus: PrivateBus
    folder: Path
    slot: VpcdReader

    def insert(self) -> SlowCard:
        """A card whose PIN has eight digits."""
        profile = profiles.load("physician")
        card = SlowCard(personalise(replace(profile, card=replace(profile.card, pin=PIN, puk=PUK)), pki_store()))
        self.slot.insert(card)
        return card

    def left_in_memory(self) -> list[scan.Place]:
        """What cardd's memory holds of the secrets."""
        return scan.in_memory(self.cardd.pid, SECRETS)

    def require_nothing_left(self) -> None:
        """Neither memory, nor files (journal, log, memory of cards), nor the bus."""
        assert self.left_in_memory() == []
        assert scan.in_files(self.folder, SECRETS) == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("cardd")
    with pytest.MonkeyPatch.context() as patching, _pcscd() as pcscd, PrivateBus() as bus:
        patching.setattr(sys.modules["cardsim.personalise"], "LAYOUTS", MappingProxyType({"cps3": with_long_pins()}))
        process = CarddProcess(
            folder,
            bus.address,
            authorities=authorities(folder),
            sections={"log": 'level = "apdu"'},
            environment=pcscd.environment,
        )
        with scan.bus_capture(bus.address, folder / "bus.capture"), process as cardd:
            yield Scene(cardd, bus, folder, VpcdReader(VpcdAddress(port=pcscd.ports[0])))


@contextmanager
def _pcscd() -> Iterator[PrivatePcscd]:
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


def with_long_pins() -> Layout:
    """A CPS3 whose PINs may fill their block of eight."""
    pin, puk = cps3.LAYOUT.reference_data
    return replace(cps3.LAYOUT, reference_data=(replace(pin, policy=PinPolicy(4, 8, 8), max_length=8), puk))


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[CarddClient]:
    async with await CarddClient.connect(scene.bus.address) as client:
        await emptied(client)
        yield client
        scene.slot.remove()
        await emptied(client)


async def inserted(scene: Scene, client: CarddClient) -> tuple[SlowCard, Card]:
    slow = scene.insert()
    return slow, await identified(client)


class Prepared(Agent):
    """Answers by purpose; a question that it has no answer to is closed."""

    def __init__(self, answers: dict[PinPurpose, str]) -> None:
        self._answers = answers

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        """See Agent."""
        answer = self._answers.get(PinPurpose(request.purpose))
        return None if answer is None else bytearray(answer.encode())


async def test_while_the_card_thinks_the_pin_is_in_locked_pages_alone_and_then_nowhere(
    scene: Scene, client: CarddClient
) -> None:
    """The search finds what is there: this is what shows that it would find a leak."""
    slow, card = await inserted(scene, client)
    slow.answers.clear()
    authenticating = asyncio.create_task(card.authenticate(pin=bytearray(PIN.encode())))
    assert await asyncio.to_thread(slow.thinks.wait, PATIENCE)
    found = scene.left_in_memory()
    slow.answers.set()
    await authenticating
    assert {place.what for place in found} == {"PIN, plain"}
    for place in found:
        assert {"lo", "dd", "dc"} <= place.flags, f"{place} could reach the swap, a core dump or a child"
    scene.require_nothing_left()


async def test_the_pin_of_a_session(scene: Scene, client: CarddClient) -> None:
    _, card = await inserted(scene, client)
    session = await card.authenticate(pin=bytearray(PIN.encode()))
    scene.require_nothing_left()
    await session.end()
    scene.require_nothing_left()


async def test_a_wrong_pin(scene: Scene, client: CarddClient) -> None:
    _, card = await inserted(scene, client)
    with pytest.raises(PinIncorrect):
        await card.authenticate(pin=bytearray(WRONG_PIN.encode()))
    scene.require_nothing_left()


async def test_the_pin_that_an_agent_gives(scene: Scene, client: CarddClient) -> None:
    _, card = await inserted(scene, client)
    await card.authenticate(agent=Prepared({PinPurpose.AUTHENTICATE: PIN}))
    scene.require_nothing_left()


async def test_a_changed_pin(scene: Scene, client: CarddClient) -> None:
    _, card = await inserted(scene, client)
    await card.change_pin(current=bytearray(PIN.encode()), new=bytearray(NEW_PIN.encode()))
    scene.require_nothing_left()


async def test_an_unblocked_pin(scene: Scene, client: CarddClient) -> None:
    _, card = await inserted(scene, client)
    await card.unblock_pin(puk=bytearray(PUK.encode()), new=bytearray(NEW_PIN.encode()))
    scene.require_nothing_left()


async def test_a_question_that_is_given_up_half_way(scene: Scene, client: CarddClient) -> None:
    """The present PIN came; the new one does not."""
    _, card = await inserted(scene, client)
    with pytest.raises(NotAuthorizedDismissed):
        await card.change_pin(agent=Prepared({PinPurpose.CHANGE_CURRENT: PIN}))
    scene.require_nothing_left()


async def test_a_card_that_is_taken_out_while_it_verifies(scene: Scene, client: CarddClient) -> None:
    slow, card = await inserted(scene, client)
    slow.answers.clear()
    authenticating = asyncio.create_task(card.authenticate(pin=bytearray(PIN.encode())))
    assert await asyncio.to_thread(slow.thinks.wait, PATIENCE)
    removing = asyncio.create_task(asyncio.to_thread(scene.slot.remove))
    with pytest.raises(CarddError):
        await authenticating
    # The caller has its answer; the thread in the PC/SC library is still to come out of it.
    async with asyncio.timeout(PATIENCE):
        while scene.left_in_memory():
            await asyncio.sleep(0.05)
    slow.answers.set()
    await removing
    scene.require_nothing_left()


async def test_the_program_that_reads_the_pin_from_a_terminal(scene: Scene, client: CarddClient) -> None:
    """`cardctl agent` runs on after its answer: it must have nothing left either."""
    _, card = await inserted(scene, client)
    conversation = Conversation("--bus", scene.bus.address, "--lang", "en", "agent", "--terminal")
    try:
        conversation.until("Questions of cardd are asked here")
        authenticating = asyncio.create_task(card.authenticate())
        await asyncio.to_thread(conversation.until, "digits): ")
        conversation.type(f"{PIN}\n")
        await authenticating
        assert scan.in_memory(conversation.process.pid, SECRETS) == []
    finally:
        conversation.close()
    scene.require_nothing_left()


async def test_the_agent_that_asks_by_pinentry(scene: Scene, client: CarddClient, tmp_path: Path) -> None:
    pinentry = tmp_path / "pinentry"
    pinentry.write_text(
        "#!/bin/sh\necho OK hello\nwhile read -r word rest; do\n"
        f"  if [ $word = GETPIN ]; then echo 'D {PIN}'; fi\n  echo OK\ndone\n"
    )
    pinentry.chmod(0o755)
    environment = {**os.environ, "DISPLAY": ":9", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    _, card = await inserted(scene, client)
    command = [str(BIN / "cardctl"), "--bus", scene.bus.address, "--lang", "en", "agent"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as agent:
        try:
            assert agent.stdout is not None
            assert "Questions of cardd" in await asyncio.to_thread(agent.stdout.readline)
            await card.authenticate()
            assert scan.in_memory(agent.pid, SECRETS) == []
        finally:
            agent.terminate()
    scene.require_nothing_left()


HOLDS = """
import sys
held = sys.stdin.buffer.readline().strip()
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_search_finds_what_a_program_keeps(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{PIN}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        assert "PIN, plain" in {place.what for place in scan.in_memory(process.pid, SECRETS)}
        assert "PUK, plain" not in {place.what for place in scan.in_memory(process.pid, SECRETS)}
    (tmp_path / "log").write_text(f"verify {PIN.encode().hex()}")
    assert scan.in_files(tmp_path, SECRETS) == [f"PIN, hexadecimal: {tmp_path / 'log'}"]


async def test_the_search_sees_the_bus(scene: Scene, client: CarddClient) -> None:
    """What another call sends as a value is in the capture."""
    _, card = await inserted(scene, client)
    label = f"not a PIN {_digits()}"
    with pytest.raises(CarddError):
        await card.read_object(label)
    async with asyncio.timeout(PATIENCE):
        while scan.in_files(scene.folder, {"label": label.encode()}) == []:
            await asyncio.sleep(0.02)
