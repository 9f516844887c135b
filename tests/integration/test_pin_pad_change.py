"""New codes that are typed on the reader: changed and unblocked without a character of them in the computer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cardd.access.caller import Caller
from cardd.client import Agent, Card, CarddClient, NoticeRequest, PinRequest
from cardd.errors import (
    CarddError,
    CardRemoved,
    LastPukTry,
    LastTry,
    PinBlocked,
    PinIncorrect,
    PinPadCancelled,
    PinPadCannotChange,
    PinPadFormat,
    PinPadMismatch,
    PukIncorrect,
)
from cardd.sessions import presence as presences
from cardd.sessions.account import Account
from cardd.sessions.pin import PadPrompt, Purpose
from cardd.sessions.pin_change import change_pin_on_pad, unblock_pin_on_pad
from cardd.sessions.presence import Presence
from cardsim import personalise, profiles
from cardsim.card import SimulatedCard
from cardsim.control_client import ask
from cardsim.stage.conversation import Conversation
from cardsim.transports.pcsc.pin_pad import PinPad
from tests.integration.test_last_try import another_program_tries, tries, worn
from tests.integration.test_pin_pad import OnReader
from tests.support.core import HOLDER, PATIENCE, PIN, Core, card_of, pki_store, running_core
from tests.support.running import BIN, Running, emptied, identified, running_cardd

OLD, NEW, THE_PUK = "1234", "4321", "12345678"
SECRETS = (OLD, NEW, "9999", THE_PUK)
GENERATIONS = pytest.mark.parametrize("profile", ["physician", "physician-cps4"])
Work = Callable[[Presence, Account, Caller, PadPrompt], Awaitable[None]]


@pytest.fixture(autouse=True)
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """None after a wrong code."""
    monkeypatch.setattr(presences, "WRONG_CODE_PAUSE", 0.0)


@asynccontextmanager
async def padded(card: SimulatedCard, *, changes_pins: bool = True) -> AsyncIterator[tuple[Core, PinPad, Presence]]:
    """A card in a reader with a pad; what the daemon hands to PC/SC holds no secret."""
    async with running_core() as core:
        pad = core.reader.add_pin_pad(changes_pins=changes_pins)
        control, handed = core.pcsc.SCardControl, bytearray()

        def watched(handle: int, code: int, data: list[int]) -> object:
            handed.extend(data)
            return control(handle, code, data)

        core.pcsc.SCardControl = watched  # type: ignore[method-assign,assignment]  # what goes by it is looked at
        yield core, pad, await core.insert(card)
        assert not any(secret.encode() in handed for secret in SECRETS)


def press(pad: PinPad, *entries: str) -> None:
    for each in entries:
        pad.enter(each)


def blocked(name: str) -> SimulatedCard:
    """A card of a profile with no try of its PIN left."""
    profile = profiles.load(name)
    return personalise(replace(profile, card=replace(profile.card, pin_tries_left=0)), pki_store())


@GENERATIONS
async def test_a_pin_is_changed_on_the_pad(profile: str) -> None:
    async with padded(card_of(profile)) as (core, pad, presence):
        prompt = OnReader()
        press(pad, OLD, NEW, NEW)
        await change_pin_on_pad(presence, core.sessions.account, HOLDER, prompt)
        assert [question.purpose for question in prompt.shown_for] == [Purpose.CHANGE_CURRENT]
        assert prompt.open == 0
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence, PIN)
        await core.authenticate(presence, NEW.encode())


@GENERATIONS
async def test_a_pin_is_changed_on_the_pad_within_a_session(profile: str) -> None:
    async with padded(card_of(profile)) as (core, pad, presence):
        session = await core.authenticate(presence)
        press(pad, OLD, NEW, NEW)
        await change_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader())
        assert presence.session is session


@GENERATIONS
async def test_a_blocked_pin_is_unblocked_on_the_pad(profile: str) -> None:
    async with padded(blocked(profile)) as (core, pad, presence):
        prompt = OnReader()
        press(pad, THE_PUK, NEW, NEW)
        await unblock_pin_on_pad(presence, core.sessions.account, HOLDER, prompt)
        assert [question.purpose for question in prompt.shown_for] == [Purpose.UNBLOCK_PUK]
        await core.authenticate(presence, NEW.encode())


@GENERATIONS
@pytest.mark.parametrize(
    ("entries", "error", "left"),
    [
        ((OLD, NEW, "9999"), PinPadMismatch, 3),
        ((OLD, "123"), PinPadFormat, 3),
        (("12345",), PinPadFormat, 3),
        (("9999", NEW, NEW), PinIncorrect, 2),
    ],
)
async def test_what_fails_in_a_change_is_each_its_own_error_and_changes_nothing(
    profile: str, entries: tuple[str, ...], error: type[CarddError], left: int
) -> None:
    async with padded(card_of(profile)) as (core, pad, presence):
        press(pad, *entries)
        with pytest.raises(error):
            await change_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader())
        assert (await tries(presence))[0] == left
        await core.authenticate(presence, PIN)


@GENERATIONS
async def test_a_new_pin_that_is_cancelled_leaves_the_old_one(profile: str) -> None:
    async with padded(card_of(profile)) as (core, pad, presence):
        press(pad, THE_PUK)
        pad.cancel()
        with pytest.raises(PinPadCancelled):
            await unblock_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader())
        await core.authenticate(presence, PIN)


@pytest.mark.parametrize(("profile", "left"), [("physician", 9), ("physician-cps4", 2)])
async def test_a_wrong_unblocking_code_is_told_as_that(profile: str, left: int) -> None:
    async with padded(card_of(profile)) as (core, pad, presence):
        press(pad, "99999999")
        with pytest.raises(PukIncorrect) as raised:
            await unblock_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader())
        assert raised.value.fields["tries_left"] == left


@pytest.mark.parametrize(
    ("work", "error", "entries"),
    [
        (change_pin_on_pad, LastTry, (OLD, NEW, NEW)),
        (unblock_pin_on_pad, LastPukTry, (THE_PUK, NEW, NEW)),
    ],
)
async def test_the_last_try_takes_the_callers_word(
    work: Work, error: type[CarddError], entries: tuple[str, ...]
) -> None:
    async with padded(worn(pin=1, puk=1)) as (core, pad, presence):
        account, prompt = core.sessions.account, OnReader()
        with pytest.raises(error):
            await work(presence, account, HOLDER, prompt)
        assert prompt.shown_for == [], "nobody is sent to the reader in vain"
        press(pad, *entries)
        await work(presence, account, HOLDER, OnReader(last_try=True))


async def test_tries_that_another_program_spent_are_seen_before_the_pad_is_asked() -> None:
    async with padded(worn()) as (core, pad, presence):
        another_program_tries(core, 2)
        press(pad, "9999", NEW, NEW)
        with pytest.raises(LastTry):
            await change_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader())
        assert (await tries(presence))[0] == 1
        with pytest.raises(PinBlocked):
            await change_pin_on_pad(presence, core.sessions.account, HOLDER, OnReader(last_try=True))


async def test_a_card_that_leaves_during_the_change_ends_it_at_once() -> None:
    async with padded(card_of()) as (core, pad, presence):
        prompt = OnReader()
        changing = asyncio.create_task(change_pin_on_pad(presence, core.sessions.account, HOLDER, prompt))
        assert await asyncio.to_thread(pad.wait_until_asked, PATIENCE)
        press(pad, OLD)
        core.reader.remove()
        with pytest.raises(CardRemoved):
            await changing
        assert prompt.open == 0
        await core.gone()


@pytest.mark.parametrize("work", [change_pin_on_pad, unblock_pin_on_pad])
async def test_a_pad_that_only_verifies_is_not_asked_for_a_new_pin(work: Work) -> None:
    async with padded(card_of(), changes_pins=False) as (core, _, presence):
        sent, prompt = presence.card.traffic.commands, OnReader()
        with pytest.raises(PinPadCannotChange):
            await work(presence, core.sessions.account, HOLDER, prompt)
        assert (presence.card.traffic.commands, prompt.shown_for) == (sent, [])


# -- on the bus


class Told(Agent):
    """Is told, and asked for nothing."""

    def __init__(self) -> None:
        self.notices: list[NoticeRequest] = []

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        """See Agent."""
        raise AssertionError(f"asked for {request.purpose}")

    async def notify(self, notice: NoticeRequest) -> bool:
        """Shows it until it is cancelled."""
        self.notices.append(notice)
        await asyncio.Event().wait()
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


def keys(cardd: Running, *entries: str) -> None:
    for each in entries:
        ask(cardd.control, "pin-pad", digits=each)


async def test_change_pin_is_done_on_the_reader_and_the_agent_is_told_which_codes(
    cardd: Running, card: tuple[CarddClient, Card]
) -> None:
    _, one = card
    agent = Told()
    keys(cardd, OLD, NEW)
    changing = asyncio.create_task(one.change_pin(agent=agent))
    async with asyncio.timeout(PATIENCE):
        while not agent.notices:
            await asyncio.sleep(0.01)
    keys(cardd, NEW)
    await changing
    (notice,) = agent.notices
    assert (notice.kind, notice.purpose, notice.reader) == ("pin-pad", "change-current", "Simulated Reader 00 00")
    keys(cardd, THE_PUK, OLD, OLD)
    await one.unblock_pin()


async def test_codes_that_come_with_the_call_are_not_typed_again(card: tuple[CarddClient, Card]) -> None:
    _, one = card
    await one.change_pin(current=bytearray(PIN), new=bytearray(NEW.encode()))
    await one.change_pin(current=bytearray(NEW.encode()), new=bytearray(PIN))


async def test_the_caller_may_have_an_agent_asked_all_the_same(card: tuple[CarddClient, Card]) -> None:
    _, one = card
    with pytest.raises(CarddError) as raised:
        await one.change_pin(agent=Told(), without_pin_pad=True)
    assert raised.value.short_name == "AgentFailed", "it was asked, and it wants not to be"


async def test_cardctl_asks_before_the_pad_may_spend_the_last_try(cardd: Running, tmp_path: Path) -> None:
    source = (Path(profiles.__file__).parent / "nurse.toml").read_text()
    worn_out = tmp_path / "worn.toml"
    worn_out.write_text(source.replace("[card]\n", "[card]\npin_tries_left = 1\n"))
    async with cardd.client() as client:
        await emptied(client)
        cardd.insert(str(worn_out))
        await identified(client)
    change = Conversation([str(BIN / "cardctl"), "--bus", cardd.bus.address, "--lang", "en", "pin", "change"])
    try:
        await asyncio.to_thread(change.until, "This is the LAST try: another wrong PIN blocks the card.")
        await asyncio.to_thread(change.until, "Go on? [y/N] ")
        change.type("y\n")
        await asyncio.to_thread(change.until, "not here: the present PIN, then the new one twice")
        keys(cardd, OLD, NEW, NEW)
        assert await asyncio.to_thread(change.end) == 0
    finally:
        change.close()
        cardd.remove()


async def test_cardctl_sends_its_user_to_the_reader(cardd: Running, card: tuple[CarddClient, Card]) -> None:
    change = Conversation([str(BIN / "cardctl"), "--bus", cardd.bus.address, "--lang", "en", "pin", "change"])
    try:
        await asyncio.to_thread(change.until, "not here: the present PIN, then the new one twice")
        keys(cardd, OLD, OLD, OLD)
        await asyncio.to_thread(change.until, "The PIN was changed.")
        assert await asyncio.to_thread(change.end) == 0
    finally:
        change.close()
