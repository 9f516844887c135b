"""The last try of a PIN, and of an unblocking code, is spent by whoever was told and agrees; by nobody else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cardd.access.caller import Caller
from cardd.cards.connection import HoldMode
from cardd.client import Agent, Card, CarddClient, PinRequest
from cardd.errors import (
    CarddError,
    CardRemoved,
    LastPukTry,
    LastTry,
    NotAuthorizedDismissed,
    PinBlocked,
    PinIncorrect,
    PukBlocked,
    PukIncorrect,
)
from cardd.sessions import presence as presences
from cardd.sessions.descriptors import read_secret
from cardd.sessions.pin import DescriptorPin, PinQuestion, PinSource
from cardd.sessions.pin_change import change_pin, unblock_pin
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd_drivers import contract
from cardsim import personalise, profiles
from cardsim.card import SimulatedCard
from cardsim.faults import Fault
from cardsim.stage.conversation import Conversation
from tests.support.core import HOLDER, PATIENCE, PIN, PUK, Core, Typed, pki_store, running_core
from tests.support.running import BIN, Running, emptied, identified, running_cardd

WRONG, WRONG_PUK, NEW = b"0000", b"00000000", b"4321"


@pytest.fixture(autouse=True)
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """None after a wrong code, but where a test is about it."""
    monkeypatch.setattr(presences, "WRONG_CODE_PAUSE", 0.0)


def worn(*, pin: int = 3, puk: int = 10) -> SimulatedCard:
    """A card with so many tries left."""
    profile = profiles.load("physician")
    settings = replace(profile.card, pin_tries_left=pin, puk_tries_left=puk)
    return personalise(replace(profile, card=settings), pki_store())


class Given(Typed):
    """Comes with the call, as a descriptor does."""

    def __init__(self, *answers: bytes, last_try: bool = False) -> None:
        super().__init__(*answers)
        self.asks_user = False
        self.may_be_last_try = last_try


async def tries(presence: Presence) -> tuple[int | None, int | None]:
    """Tries left of PIN and PUK, as the card says now."""
    return await presence.card.run(
        lambda card: (card.pin_status().tries_left, card.puk_status().tries_left), caller="test"
    )


def another_program_tries(core: Core, times: int) -> None:
    """Wrong PINs through a connection of its own, as any program of the machine can send them."""
    pcsc = core.pcsc
    _, context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
    _, handle, _ = pcsc.SCardConnect(context, core.reader.name, pcsc.SCARD_SHARE_SHARED, pcsc.SCARD_PROTOCOL_T0)
    verify = list(bytes.fromhex("002000010830303030FFFFFFFF"))
    for _ in range(times):
        assert pcsc.SCardTransmit(handle, pcsc.SCARD_PCI_T0, verify)[1][0] == 0x63
    pcsc.SCardDisconnect(handle, pcsc.SCARD_LEAVE_CARD)
    pcsc.SCardReleaseContext(context)


class SpendsOne(Given):
    """Another program tries a wrong PIN between the question and the answer."""

    def __init__(self, core: Core, *answers: bytes) -> None:
        super().__init__(*answers)
        self._core = core

    async def answer(self, question: PinQuestion) -> Secret:
        """See PinSource."""
        if self.questions:
            return await super().answer(question)
        another_program_tries(self._core, 1)
        return await super().answer(question)


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION])
async def test_wrong_pins_given_with_the_call_never_block_the_card(hold: HoldMode, pipe_of_wrong: list[int]) -> None:
    async with running_core(hold=hold) as core:
        presence = await core.insert(worn())
        authentication = core.sessions.authentication(presence)
        outcomes = []
        for descriptor in pipe_of_wrong:
            source = DescriptorPin(descriptor, timeout=PATIENCE)
            with pytest.raises(CarddError) as raised:
                await authentication.authenticate(HOLDER, source)
            outcomes.append(type(raised.value))
        assert outcomes == [PinIncorrect, PinIncorrect, LastTry, LastTry]
        assert await tries(presence) == (1, 10)
        # Nothing of the refused ones was read: the caller still has it.
        assert bytes((await read_secret(pipe_of_wrong[3], limit=9, timeout=PATIENCE)).buffer) == WRONG


@pytest.fixture
def pipe_of_wrong() -> Iterator[list[int]]:
    """Four descriptors that each give a wrong PIN."""
    reading = []
    for _ in range(4):
        read, write = os.pipe2(os.O_CLOEXEC)
        os.write(write, WRONG)
        os.close(write)
        reading.append(read)
    yield reading
    for descriptor in reading:
        os.close(descriptor)


async def test_the_last_try_is_spent_when_the_call_says_so() -> None:
    async with running_core() as core:
        presence = await core.insert(worn(pin=1))
        authentication = core.sessions.authentication(presence)
        await authentication.authenticate(HOLDER, Given(PIN, last_try=True))
    async with running_core() as core:
        presence = await core.insert(worn(pin=1))
        authentication = core.sessions.authentication(presence)
        with pytest.raises(PinBlocked):
            await authentication.authenticate(HOLDER, Given(WRONG, last_try=True))
        source = Given(PIN, last_try=True)
        with pytest.raises(PinBlocked):
            await authentication.authenticate(HOLDER, source)
        assert source.questions == [], "nobody is asked for what no try is left of"


@pytest.mark.parametrize("change", [False, True])
async def test_a_try_that_another_program_spent_meanwhile_is_noticed(change: bool) -> None:
    """The question said two; one is left when the answer comes: nobody was told so."""
    async with running_core() as core:
        presence = await core.insert(worn(pin=2))
        source = SpendsOne(core, PIN, NEW)
        works: dict[bool, Callable[[Caller, PinSource], Awaitable[object]]] = {
            False: core.sessions.authentication(presence).authenticate,
            True: partial(change_pin, presence, core.sessions.account),
        }
        with pytest.raises(LastTry):
            await works[change](HOLDER, source)
        assert await tries(presence) == (1, 10)
        assert source.questions[0].tries_left == 2


async def test_what_was_told_before_a_lost_connection_counts_no_more() -> None:
    """A card that is kept from its insertion on is kept no longer once an error has ended the connection."""
    async with running_core(hold=HoldMode.INSERTION) as core:
        presence = await core.insert(worn())
        core.reader.faults.arm(Fault.parse("mute@1:1"))
        with pytest.raises(contract.CardMute):
            await tries(presence)
        assert not presence.card.is_held
        another_program_tries(core, 2)
        with pytest.raises(LastTry):
            await core.authenticate(presence, WRONG)
        assert presence.tries_left == 1, "the next question says so"
        assert await tries(presence) == (1, 10)


async def test_what_was_told_before_the_card_was_let_go_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wrong PIN the card is reset and taken again at once, and another program may have been faster."""
    async with running_core(hold=HoldMode.INSERTION) as core:
        presence = await core.insert(worn())
        disconnect = core.pcsc.SCardDisconnect

        def disconnected(handle: int, disposition: int) -> int:
            monkeypatch.setattr(core.pcsc, "SCardDisconnect", disconnect)
            result = disconnect(handle, disposition)
            another_program_tries(core, 1)
            return result

        monkeypatch.setattr(core.pcsc, "SCardDisconnect", disconnected)
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence, WRONG)
        assert presence.tries_left == 2, "what the card told; nobody knows of the other program yet"
        with pytest.raises(LastTry):
            await core.authenticate(presence, WRONG)
        assert await tries(presence) == (1, 10)


async def test_a_card_that_is_shared_is_asked_again_even_within_its_session() -> None:
    async with running_core(hold=HoldMode.SHARED) as core:
        await core.authenticated(worn())
        (presence,) = core.sessions.presences
        another_program_tries(core, 2)
        with pytest.raises(LastTry):
            await change_pin(presence, core.sessions.account, HOLDER, Given(WRONG, NEW))
        assert await tries(presence) == (1, 10)


@pytest.mark.parametrize(("hold", "questions"), [(HoldMode.INSERTION, 0), (HoldMode.SESSION, 1)])
async def test_the_card_is_asked_again_only_where_another_program_had_its_turn(hold: HoldMode, questions: int) -> None:
    async with running_core(hold=hold) as core:
        presence = await core.insert(worn())
        commands: list[bytes] = []
        core.reader.before_apdu(lambda _, command: commands.append(command))
        await core.authenticate(presence)
        asked = [one for one in commands if one.startswith(bytes.fromhex("00200001")) and len(one) <= 5]
        assert len(asked) == questions


async def test_two_answers_at_once_do_not_spend_the_last_two_tries() -> None:
    async with running_core(hold=HoldMode.INSERTION) as core:
        presence = await core.insert(worn(pin=2))
        authentication = core.sessions.authentication(presence)
        calls = (authentication.authenticate(HOLDER, Given(WRONG)) for _ in range(2))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in outcomes} == {PinIncorrect, LastTry}
        assert await tries(presence) == (1, 10)


async def test_the_last_try_of_a_change_and_of_the_unblocking_code() -> None:
    async with running_core() as core:
        presence = await core.insert(worn(pin=1, puk=2))
        account = core.sessions.account
        asked = Typed(WRONG_PUK, NEW)
        with pytest.raises(PukIncorrect) as raised:
            await unblock_pin(presence, account, HOLDER, asked)
        assert raised.value.fields["tries_left"] == 1
        assert [question.tries_left for question in asked.questions] == [2, None]
        asked = Typed(PUK, NEW)
        await unblock_pin(presence, account, HOLDER, asked)
        assert asked.questions[0].is_last_try, "whoever asks is told"
        assert await tries(presence) == (3, 10)
    async with running_core() as core:
        presence = await core.insert(worn(pin=1, puk=0))
        with pytest.raises(PukBlocked):
            await unblock_pin(presence, core.sessions.account, HOLDER, Typed(PUK, NEW))
        asked = Typed(PIN, NEW)
        await change_pin(presence, core.sessions.account, HOLDER, asked)
        assert asked.questions[0].is_last_try


async def test_after_a_right_pin_all_tries_are_there_again() -> None:
    async with running_core() as core:
        presence = await core.insert(worn(pin=1))
        await core.sessions.authentication(presence).authenticate(HOLDER, Given(PIN, last_try=True))
        asked = Given(PIN, NEW)
        await change_pin(presence, core.sessions.account, HOLDER, asked)
        assert asked.questions[0].tries_left is None


async def test_after_a_wrong_pin_the_next_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presences, "WRONG_CODE_PAUSE", 3600.0)
    async with running_core() as core:
        presence = await core.insert(worn())
        authentication = core.sessions.authentication(presence)
        with pytest.raises(PinIncorrect):
            await authentication.authenticate(HOLDER, Given(WRONG))
        sent = presence.card.traffic.commands
        waiting = asyncio.create_task(authentication.authenticate(HOLDER, Given(PIN)))
        await asyncio.sleep(0.05)
        assert (waiting.done(), presence.card.traffic.commands) == (False, sent)
        core.reader.remove()
        with pytest.raises(CardRemoved):
            await waiting


# -- on the bus


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd() as running:
        yield running


@pytest.fixture
async def card(cardd: Running, tmp_path: Path) -> AsyncIterator[tuple[CarddClient, Card]]:
    """A card with one try left of either code."""
    source = (Path(profiles.__file__).parent / "physician.toml").read_text()
    worn_out = tmp_path / "worn.toml"
    worn_out.write_text(source.replace("[card]\n", "[card]\npin_tries_left = 1\npuk_tries_left = 1\n"))
    async with cardd.client() as client:
        await emptied(client)
        cardd.insert(str(worn_out))
        yield client, await identified(client)
        cardd.remove()


class Naive(Agent):
    """Asks for PINs, as agents did before there was a word for the last try."""

    def __init__(self, answer: bytes | None = PIN) -> None:
        self.requests: list[PinRequest] = []
        self._answer = answer

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        """See Agent."""
        self.requests.append(request)
        return None if self._answer is None else bytearray(self._answer)


class Telling(Naive):
    """Tells the user."""

    tells_last_try = True


async def test_the_bus_refuses_without_the_option(card: tuple[CarddClient, Card]) -> None:
    _, one = card
    with pytest.raises(LastTry):
        await one.authenticate(pin=bytearray(PIN))
    with pytest.raises(LastTry):
        await one.change_pin(current=bytearray(PIN), new=bytearray(NEW))
    with pytest.raises(LastPukTry):
        await one.unblock_pin(puk=bytearray(PUK), new=bytearray(NEW))
    await one.unblock_pin(puk=bytearray(PUK), new=bytearray(NEW), last_try=True)


async def test_the_option_is_the_callers_word(card: tuple[CarddClient, Card]) -> None:
    _, one = card
    naive = Naive()
    await one.authenticate(agent=naive, last_try=True)
    assert naive.requests[0].last_try


async def test_only_an_agent_that_tells_is_asked(card: tuple[CarddClient, Card]) -> None:
    client, one = card
    telling, naive = Telling(None), Naive()
    await client.register_agent(naive)
    with pytest.raises(LastTry):
        await one.authenticate()
    await client.register_agent(telling)
    await client.register_agent(naive)  # the last registered, but for this it has not the words
    with pytest.raises(NotAuthorizedDismissed):
        await one.authenticate()
    assert naive.requests == []
    (request,) = telling.requests
    assert (request.last_try, request.tries_left) == (True, 1)


@pytest.mark.parametrize(
    ("language", "said", "question"),
    [
        ("en", "This is the LAST try: another wrong PIN blocks the card.", "Go on? [y/N] "),
        ("fr", "DERNIER essai", "Continuer ? [o/N] "),
    ],
)
async def test_cardctl_says_it_before_it_asks(
    cardd: Running, card: tuple[CarddClient, Card], language: str, said: str, question: str
) -> None:
    login = Conversation([str(BIN / "cardctl"), "--bus", cardd.bus.address, "--lang", language, "login"])
    try:
        await asyncio.to_thread(login.until, said)
        await asyncio.to_thread(login.until, question)
        login.type("y\n")
        await asyncio.to_thread(login.until, "4")
        login.type("1234\n")
        assert await asyncio.to_thread(login.end) == 0
    finally:
        login.close()
