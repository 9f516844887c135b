"""A card that wants its PIN for each signature, or for each use of any key."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import (
    LastTry,
    NotAuthorizedCanObtain,
    NotAuthorizedDismissed,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinPadCancelled,
    SessionEnded,
)
from cardd.sessions.pin import PinQuestion, PinSource, Purpose, require_tries
from cardd.sessions.pin_change import change_pin
from cardd.sessions.secret import Secret
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardsim import profiles
from cardsim.behaviour import Behaviour
from cardsim.card import SimulatedCard
from cardsim.personalise import personalise
from tests.support.asker import Asker
from tests.support.core import HOLDER, PIN, Core, Typed, pki_store, running_core

DIGEST = hashlib.sha256(b"document").digest()


def card_that(profile: str = "physician", **switches: bool) -> SimulatedCard:
    loaded = profiles.load(profile)
    behaviour = dataclasses.replace(loaded.behaviour or Behaviour(), **switches)  # type: ignore[arg-type]  # flags alone
    return personalise(dataclasses.replace(loaded, behaviour=behaviour), pki_store())


class Closing:
    """Closes every question."""

    asks_user = True
    may_be_last_try = False

    async def answer(self, question: PinQuestion) -> Secret:
        del question
        raise NotAuthorizedDismissed


class Waiting:
    """Has the question on the screen, and never answers."""

    asks_user = True
    may_be_last_try = False

    def __init__(self) -> None:
        self.shown = asyncio.Event()
        self.closed = False

    async def answer(self, question: PinQuestion) -> Secret:
        del question
        self.shown.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed = True
        raise AssertionError


async def signed(session: Session, *, interactive: bool = True) -> bytes:
    return await session.sign(HOLDER, "signature", "RS256", DIGEST, interactive=interactive)


async def opened(core: Core, card: SimulatedCard, source: PinSource | None) -> tuple[Session, Asker]:
    asker = Asker(source)
    core.sessions.listen(core.heard, asker)
    return await core.authenticated(card), asker


@pytest.mark.parametrize("profile", ["physician", "physician-easy", "physician-cps4"])
@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION])
async def test_each_signature_after_the_first_asks_and_none_is_remembered(profile: str, hold: HoldMode) -> None:
    async with running_core(hold=hold) as core:
        source = Typed(PIN)
        session, asker = await opened(core, card_that(profile, pin_for_each_signature=True), source)
        signatures = {await signed(session) for _ in range(4)}
        assert len(signatures) == 1  # PKCS#1 v1.5 is deterministic
        assert [question.purpose for question in source.questions] == [Purpose.KEY_USE] * 3
        assert {question.tries_left for question in source.questions} == {3}
        assert asker.asked == [(HOLDER.uid, None)] * 3
        assert all(bytes(secret.buffer) == bytes(4) for secret in source.given)
        assert session.uses == 4
        assert core.heard.ends() == []


async def test_a_card_that_forgets_the_pin_after_every_use() -> None:
    async with running_core() as core:
        source = Typed(PIN)
        session, _ = await opened(core, card_that(pin_lost_after_use=True), source)
        await signed(session)
        await session.sign_statement(HOLDER, DIGEST)
        assert len(await session.activities(HOLDER)) == 2
        assert len(source.questions) == 3
        assert core.heard.ends() == []


async def test_two_at_once_are_two_questions_one_after_the_other() -> None:
    async with running_core() as core:
        source = Typed(PIN)
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        await asyncio.gather(*(signed(session) for _ in range(3)))
        assert len(source.questions) == 3


@pytest.mark.parametrize("source", [None, Typed(PIN)])
async def test_where_nobody_asks_or_may_the_refusal_says_what_to_do(source: Typed | None) -> None:
    async with running_core() as core:
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        with pytest.raises(NotAuthorizedCanObtain) as caught:
            await signed(session, interactive=source is None)
        reason = str(caught.value.fields["reason"])
        assert ("cardctl agent" if source is None else "forbids asking") in reason
        assert source is None or source.questions == []
        assert core.heard.ends() == []
        assert await core.authenticate(session.presence) is session  # it goes on


async def test_a_wrong_pin_costs_one_try_and_the_session_goes_on() -> None:
    async with running_core() as core:
        source = Typed(b"0000", PIN)
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        with pytest.raises(PinIncorrect) as caught:
            await signed(session)
        assert caught.value.fields == {"tries_left": 2}
        assert await signed(session)
        assert [question.tries_left for question in source.questions] == [3, 2]
        assert session.end_reason is None


async def test_a_pin_that_cannot_be_one_costs_nothing() -> None:
    async with running_core() as core:
        source = Typed(b"12", PIN)
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        with pytest.raises(PinFormat):
            await signed(session)
        assert await signed(session)
        assert [question.tries_left for question in source.questions] == [3, 3]


async def test_a_blocked_pin_is_not_asked_for() -> None:
    async with running_core() as core:
        source = Typed(b"0000")
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        for error in (PinIncorrect, PinIncorrect, PinBlocked, PinBlocked):
            with pytest.raises(error):
                await signed(session)
        assert len(source.questions) == 3


async def test_a_closed_question() -> None:
    async with running_core() as core:
        session, _ = await opened(core, card_that(pin_for_each_signature=True), Closing())
        await signed(session)
        with pytest.raises(NotAuthorizedDismissed):
            await signed(session)
        assert session.end_reason is None


async def test_the_end_takes_the_question_away() -> None:
    async with running_core() as core:
        source = Waiting()
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        signing = asyncio.ensure_future(signed(session))
        await source.shown.wait()
        core.reader.remove()
        with pytest.raises(SessionEnded):
            await signing
        assert source.closed
        assert core.heard.ends() == [EndReason.CARD_REMOVED]


async def test_a_card_that_others_reach_too_ends_the_session_instead() -> None:
    async with running_core(hold=HoldMode.SHARED) as core:
        source = Typed(PIN)
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        with pytest.raises(SessionEnded):
            await signed(session)
        assert source.questions == []
        assert core.heard.ends() == [EndReason.CARD_RESET]


async def test_the_last_try_is_not_spent_where_nothing_tells_the_user_so() -> None:
    """The agents' own rule, as they tell it: an asker that refuses has cost nothing."""

    class Cautious(Typed):
        async def answer(self, question: PinQuestion) -> Secret:
            require_tries(question.purpose, question.tries_left, may_be_last=False)
            return await super().answer(question)

    async with running_core() as core:
        source = Cautious(b"0000")
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        for error in (PinIncorrect, PinIncorrect, LastTry, LastTry):
            with pytest.raises(error):
                await signed(session)
        assert len(source.questions) == 2
        assert session.end_reason is None


async def test_tries_that_a_change_spent_while_the_user_typed_are_seen_before_the_pin_goes_out() -> None:
    class Elsewhere(Typed):
        """While it has the question on the screen, another application of the user gets the PIN wrong twice."""

        async def answer(self, question: PinQuestion) -> Secret:
            for _ in range(2):
                with pytest.raises(PinIncorrect):
                    await change_pin(session.presence, core.sessions.account, HOLDER, Typed(b"9999", b"4321"))
            return await super().answer(question)

    async with running_core() as core:
        source = Elsewhere(b"0000")
        session, _ = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        with pytest.raises(LastTry):
            await signed(session)
        assert [question.tries_left for question in source.questions] == [3]
        assert session.presence.tries_left == 1
        assert session.end_reason is None


async def test_on_a_reader_with_a_pin_pad_it_is_typed_there_each_time() -> None:
    async with running_core() as core:
        pad = core.reader.add_pin_pad()
        source = Typed(PIN)
        session, asker = await opened(core, card_that(pin_for_each_signature=True), source)
        await signed(session)
        for _ in range(2):
            pad.enter("1234")
            assert await signed(session)
        pad.cancel()
        with pytest.raises(PinPadCancelled):
            await signed(session)
        pad.enter("0000")
        with pytest.raises(PinIncorrect):
            await signed(session)
        assert source.questions == []  # no character of a PIN came to the daemon but at the beginning
        assert asker.asked == [(HOLDER.uid, None)] * 4
        assert session.end_reason is None
