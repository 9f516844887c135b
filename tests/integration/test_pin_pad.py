"""A PIN that is typed on the reader: what becomes of it, and what its user is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from cardd.cards import present
from cardd.client import Agent, Card, CarddClient, NoticeRequest, PinRequest
from cardd.errors import (
    CarddError,
    CardRemoved,
    LastTry,
    NotAuthorizedCanObtain,
    PinBlocked,
    PinIncorrect,
    PinPadCancelled,
    PinPadFormat,
    PinPadTimedOut,
)
from cardd.sessions import presence as presences
from cardd.sessions.pin import PinQuestion
from cardsim.control_client import ask
from cardsim.stage.conversation import Conversation
from cardsim.transports.pcsc.pin_pad import PinPad
from tests.integration.test_last_try import worn
from tests.support.core import HOLDER, PATIENCE, PIN, Core, card_of, running_core
from tests.support.running import BIN, Running, emptied, identified, running_cardd


class OnReader:
    """Tells nobody."""

    def __init__(self, *, last_try: bool = False) -> None:
        self.may_be_last_try = last_try
        self.shown_for: list[PinQuestion] = []
        self.open = 0

    @asynccontextmanager
    async def shown(self, question: PinQuestion) -> AsyncIterator[None]:
        """See PadPrompt."""
        self.shown_for.append(question)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@pytest.fixture
async def core() -> AsyncIterator[tuple[Core, PinPad]]:
    async with running_core() as core:
        yield core, core.reader.add_pin_pad()


async def test_a_session_by_the_pad(core: tuple[Core, PinPad], monkeypatch: pytest.MonkeyPatch) -> None:
    running, pad = core
    controls: list[list[int]] = []
    control = running.pcsc.SCardControl

    def watch(handle: int, code: int, data: list[int]) -> object:
        controls.append(list(data))
        return control(handle, code, data)

    monkeypatch.setattr(running.pcsc, "SCardControl", watch)
    presence = await running.insert(card_of())
    prompt = OnReader()
    pad.enter("1234")
    session = await running.sessions.authentication(presence).authenticate_on_pad(HOLDER, prompt)
    assert presence.session is session
    assert (len(prompt.shown_for), prompt.open) == (1, 0)
    # PC/SC part 10, 2.5.2: 30 s; ASCII, to the left, in bytes; a block of 8; 4 to 4 digits; OK ends it; one message in
    # French; VERIFY with the block filled by padding.
    wanted = "1E1E 82 08 00 0404 02 01 0C04 00 000000 0D000000 0020000108FFFFFFFFFFFFFFFF"
    assert bytes(controls[-1]) == bytes.fromhex(wanted)
    assert not any(bytes(PIN) in bytes(data) for data in controls)


def _typed(digits: str) -> Callable[[PinPad], None]:
    return lambda pad: pad.enter(digits)


@pytest.mark.parametrize(
    ("press", "error", "tries_left"),
    [
        (_typed("0000"), PinIncorrect, 2),
        (_typed("123"), PinPadFormat, 3),
        (_typed("12345"), PinPadFormat, 3),
        (PinPad.cancel, PinPadCancelled, 3),
        (PinPad.time_out, PinPadTimedOut, 3),
    ],
)
async def test_what_the_pad_answers_is_each_its_own_error(
    core: tuple[Core, PinPad], press: Callable[[PinPad], None], error: type[CarddError], tries_left: int
) -> None:
    running, pad = core
    presence = await running.insert(card_of())
    press(pad)
    with pytest.raises(error):
        await running.sessions.authentication(presence).authenticate_on_pad(HOLDER, OnReader())
    assert presence.session is None
    left = await presence.card.run(lambda card: card.pin_status().tries_left, caller="test")
    assert left == tries_left


@pytest.mark.parametrize("leaves", ["card", "reader"])
async def test_what_leaves_during_the_entry_ends_it_at_once(core: tuple[Core, PinPad], leaves: str) -> None:
    running, pad = core
    presence = await running.insert(card_of())
    prompt = OnReader()
    entering = asyncio.create_task(running.sessions.authentication(presence).authenticate_on_pad(HOLDER, prompt))
    assert await asyncio.to_thread(pad.wait_until_asked, PATIENCE)
    assert prompt.open == 1
    if leaves == "card":
        running.reader.remove()
    else:
        running.pcsc.remove_reader(running.reader.name)
    with pytest.raises(CardRemoved):
        await entering
    assert prompt.open == 0
    await running.gone()


async def test_a_user_may_take_longer_than_a_card_may(
    core: tuple[Core, PinPad], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that computes for so long counts as stuck; one that waits for its user's PIN does not."""
    monkeypatch.setattr(present, "PATIENCE", 0.05)
    running, pad = core
    presence = await running.insert(card_of())
    entering = asyncio.create_task(running.sessions.authentication(presence).authenticate_on_pad(HOLDER, OnReader()))
    assert await asyncio.to_thread(pad.wait_until_asked, PATIENCE)
    await asyncio.sleep(0.3)
    assert not entering.done()
    monkeypatch.setattr(present, "PATIENCE", PATIENCE)
    pad.enter("1234")
    await entering


async def test_the_last_try_takes_the_callers_word(core: tuple[Core, PinPad], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presences, "WRONG_CODE_PAUSE", 0.0)
    running, pad = core
    presence = await running.insert(worn(pin=1))
    authentication = running.sessions.authentication(presence)
    with pytest.raises(LastTry):
        await authentication.authenticate_on_pad(HOLDER, OnReader())
    pad.enter("0000")
    with pytest.raises(PinBlocked):
        await authentication.authenticate_on_pad(HOLDER, OnReader(last_try=True))


# -- on the bus


class Told(Agent):
    """Is told, and asked for nothing."""

    def __init__(self) -> None:
        self.notices: list[NoticeRequest] = []
        self.told = asyncio.Event()
        self.moot = asyncio.Event()

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        """See Agent."""
        raise AssertionError(f"asked for {request.purpose}")

    async def notify(self, notice: NoticeRequest) -> bool:
        """Shows it until it is cancelled, as a window does."""
        if notice.kind != "pin-pad":
            return False
        self.notices.append(notice)
        self.told.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.moot.set()
        return True


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd(pin_pad=True) as running:
        yield running


@pytest.fixture
async def card(cardd: Running) -> AsyncIterator[tuple[CarddClient, Card]]:
    async with cardd.client() as client:
        await emptied(client)
        cardd.insert()
        yield client, await identified(client)
        cardd.remove()


def press(cardd: Running, **keys: str) -> None:
    ask(cardd.control, "pin-pad", **keys)


async def test_the_reader_says_that_it_has_a_pad(card: tuple[CarddClient, Card]) -> None:
    client, _ = card
    (reader,) = await client.readers()
    assert reader.pin_pad


async def test_the_agent_is_told_and_not_asked(cardd: Running, card: tuple[CarddClient, Card]) -> None:
    _, one = card
    agent = Told()
    authenticating = asyncio.create_task(one.authenticate(agent=agent))
    await asyncio.wait_for(agent.told.wait(), PATIENCE)
    assert agent.notices[0].reader == "Simulated Reader 00 00"
    press(cardd, digits="1234")
    await authenticating
    await asyncio.wait_for(agent.moot.wait(), PATIENCE)


async def test_without_an_agent_the_pad_is_enough(cardd: Running, card: tuple[CarddClient, Card]) -> None:
    _, one = card
    with pytest.raises(NotAuthorizedCanObtain):
        await one.authenticate(interactive=False)
    press(cardd, key="cancel")
    with pytest.raises(PinPadCancelled):
        await one.authenticate()
    press(cardd, digits="1234")
    await one.authenticate()


async def test_cardctl_sends_its_user_to_the_reader(cardd: Running, card: tuple[CarddClient, Card]) -> None:
    login = Conversation([str(BIN / "cardctl"), "--bus", cardd.bus.address, "--lang", "en", "login"])
    try:
        await asyncio.to_thread(login.until, "Type the PIN on the reader Simulated Reader 00 00, not here")
        press(cardd, digits="1234")
        await asyncio.to_thread(login.until, "Session opened")
        assert await asyncio.to_thread(login.end) == 0
    finally:
        login.close()
