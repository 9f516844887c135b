"""Many callers on one card: whose turn it is, what a full queue says, and where a caller that leaves lets go."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cardd.access.caller import Caller
from cardd.cards.present import PresentCard
from cardd.cards.worker import Priority
from cardd.errors import Busy
from cardd.sessions.session import Session
from cardd_drivers.contract import Card, PinStatus
from cardsim.transports.inprocess import InProcessReader
from tests.support.core import HOLDER, PATIENCE, PIN, STRANGER, Core, card_of, running_core

VERIFY, SET_KEY, SIGN, GET_RESPONSE = b"\x20", b"\x22", b"\x2a", b"\xc0"
"""Instructions (ISO 7816-4 and -8): VERIFY, MANAGE SECURITY ENVIRONMENT, COMPUTE DIGITAL SIGNATURE, GET RESPONSE."""


class Gate:
    """Stops a card before the first command of a kind from now on, until it opens; notes what goes to the card.

    Args:
        reader: with the card.
        instruction: of the command.
    """

    def __init__(self, reader: InProcessReader, instruction: bytes) -> None:
        self.commands: list[bytes] = []
        self._instruction = instruction
        self._stopped = threading.Event()
        self._open = threading.Event()
        reader.before_apdu(self._before)

    @property
    def instructions(self) -> list[bytes]:
        """What the commands were."""
        return [command[1:2] for command in self.commands]

    def signed(self, *names: str) -> list[str]:
        """Which of the texts were given to the card to sign, in its order."""
        by_digest = {digest(name): name for name in names}
        return [by_digest[command[5:37]] for command in self.commands if command[1:2] == SIGN]

    async def stopped(self) -> None:
        """Wait until the card has stopped."""
        assert await asyncio.to_thread(self._stopped.wait, PATIENCE)

    def open(self) -> None:
        """Let the card work on."""
        self._open.set()

    def _before(self, _number: int, command: bytes) -> None:
        self.commands.append(command)
        if command[1:2] == self._instruction:
            self._stopped.set()
            assert self._open.wait(PATIENCE)


@asynccontextmanager
async def stopped_in_a_signature(queue: int = 64) -> AsyncIterator[tuple[Core, Session, Gate, asyncio.Task[bytes]]]:
    """A session whose card is stopped in the signature of `x1`."""
    async with running_core(queue=queue) as core:
        session = await core.authenticated(card_of())
        gate = Gate(core.reader, SIGN)
        first = sign(session, "x1")
        await gate.stopped()
        try:
            yield core, session, gate, first
        finally:
            gate.open()
            await asyncio.gather(first, return_exceptions=True)


def digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def sign(session: Session, name: str) -> asyncio.Task[bytes]:
    """A signature of that text for a connection of the holder's: `a2` is the second one of `:1.a`."""
    caller = Caller(f":1.{name[0]}", HOLDER.uid)
    return asyncio.create_task(session.sign(caller, "signature", "RS256", digest(name)))


def ask(card: PresentCard, number: int) -> asyncio.Task[PinStatus]:
    """Another user's question to the card, each on a connection of its own."""
    work = card.run(lambda driven: driven.pin_status(), caller=f":1.{number}", user=STRANGER.uid)
    return asyncio.create_task(work)


async def taken_up() -> None:
    """Let the tasks that were made get as far as the queue."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_connections_take_turns_each_in_its_own_order() -> None:
    names = ["a1", "a2", "a3", "b1", "c1", "b2"]
    async with stopped_in_a_signature() as (_, session, gate, first):
        tasks = [sign(session, name) for name in names]
        await taken_up()
        gate.open()
        await asyncio.gather(first, *tasks)
        assert gate.signed("x1", *names) == ["x1", "a1", "b1", "c1", "a2", "b2", "a3"]


async def test_another_users_many_connections_keep_the_holder_waiting_for_one_of_them_only() -> None:
    async with stopped_in_a_signature() as (_, session, gate, first):
        crowd = [ask(session.card, number) for number in range(10)]
        await taken_up()
        own = sign(session, "a1")
        await taken_up()
        gate.open()
        await asyncio.gather(first, own, *crowd)
        before = gate.commands[: next(n for n, one in enumerate(gate.commands) if digest("a1") in one)]
        assert [command[1:2] for command in before].count(VERIFY) == 1


async def test_a_pin_goes_before_what_others_ask() -> None:
    async with running_core() as core:
        card = (await core.insert(card_of())).card
        gate = Gate(core.reader, VERIFY)
        questions = [ask(card, number) for number in range(5)]
        await gate.stopped()

        def present_pin(driven: Card) -> int:
            driven.verify_pin(bytearray(PIN))
            return gate.instructions.count(VERIFY)

        pin = card.run(present_pin, caller=HOLDER.name, user=HOLDER.uid, priority=Priority.AUTHENTICATION)
        presented = asyncio.create_task(pin)
        await taken_up()
        gate.open()
        assert await presented == 2, "the first question was at the card already"
        await asyncio.gather(*questions)


async def test_a_full_queue_is_said_at_once_and_nothing_was_done() -> None:
    async with stopped_in_a_signature(queue=8) as (_, session, gate, first):
        tasks = [sign(session, f"{name}1") for name in "abcdefg"]
        await taken_up()
        refused = sign(session, "h1")
        # The card stands still: this is no answer of its own.
        with pytest.raises(Busy):
            await asyncio.wait_for(refused, PATIENCE)
        assert not any(task.done() for task in tasks)
        gate.open()
        await asyncio.gather(first, *tasks)
        await sign(session, "h1")
        assert gate.signed("x1", "a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1").count("h1") == 1


async def test_a_call_that_is_given_up_ends_before_its_next_command_and_the_card_serves_on() -> None:
    async with stopped_in_a_signature() as (_, session, gate, first):
        next_one = sign(session, "a1")
        await taken_up()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open()
        await next_one
        # The answer of the first signature was never fetched.
        assert gate.instructions == [SET_KEY, SIGN, SET_KEY, SIGN, GET_RESPONSE]
        assert session.uses == 1


async def test_a_call_that_is_given_up_while_it_waits_never_comes_to_the_card() -> None:
    async with stopped_in_a_signature() as (_, session, gate, first):
        waiting = [sign(session, name) for name in ("a1", "b1")]
        await taken_up()
        waiting[0].cancel()
        await taken_up()
        gate.open()
        await asyncio.gather(first, waiting[1])
        assert gate.signed("x1", "a1", "b1") == ["x1", "b1"]
