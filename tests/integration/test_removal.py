"""The promise: never a result after the card has left, at whichever command of whichever operation it leaves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardd.cards.connection import HoldMode
from cardd.errors import CardRemoved, SessionEnded
from cardd.readers.insertion import Departure
from cardd.sessions.presence import Presence
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardsim.transports.inprocess import InProcessReader
from tests.support.core import HOLDER, card_of, running_core

DIGEST = hashlib.sha256(b"document").digest()
MOST_COMMANDS = 40
"""More than any operation sends: the sweep ends when an operation came through without meeting its removal."""

Remove = Callable[[InProcessReader, int], None]


def before_the_card_sees_it(reader: InProcessReader, at: int) -> None:
    """Take the card out when the `at`-th command from now is sent."""
    seen = 0

    def hook(number: int, command: bytes) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            reader.remove()

    reader.before_apdu(hook)


def after_the_card_answered(reader: InProcessReader, at: int) -> None:
    """Take the card out when the `at`-th command from now has been computed, before its answer is delivered."""
    seen = 0

    def hook(number: int, command: bytes, answer: bytes) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            reader.remove()

    reader.after_apdu(hook)


def no_more_removals(reader: InProcessReader) -> None:
    """Take the hooks away."""
    reader.before_apdu(None)
    reader.after_apdu(None)


async def outcome(work: Awaitable[object]) -> object:
    """The result or the error."""
    try:
        return await work
    except Exception as error:
        return error


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION])
@pytest.mark.parametrize("remove", [before_the_card_sees_it, after_the_card_answered])
async def test_authentication_gives_no_session_of_a_card_that_left(hold: HoldMode, remove: Remove) -> None:
    async with running_core(hold=hold) as core:
        for at in range(1, MOST_COMMANDS):
            presence = await core.insert(card_of())
            remove(core.reader, at)
            result = await outcome(core.authenticate(presence))
            no_more_removals(core.reader)
            if isinstance(result, Session) and core.reader.card is not None:
                assert at > 5, "the sweep met VERIFY, the challenge and its answer"
                return
            assert isinstance(result, CardRemoved), f"removal at command {at}: {result!r}"
            await core.gone()
            assert core.heard.ends() == []
        pytest.fail("authentication never came through")


async def test_a_session_whose_card_left_at_the_very_last_moment_ends_and_serves_nothing() -> None:
    """The last answer has been delivered, and the card leaves before the loop has opened the session."""
    async with running_core() as core:
        presence = await core.insert(card_of())
        session = await core.authenticate(presence)
        presence.card.insertion.mark.set(Departure.CARD_REMOVED)
        assert isinstance(session.guard(), SessionEnded)
        assert isinstance(await outcome(session.sign(HOLDER, "signature", "RS256", DIGEST)), SessionEnded)


async def sign(session: Session, presence: Presence) -> object:
    """One signature."""
    return await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def decrypt(session: Session, presence: Presence) -> object:
    """One decryption."""
    key = presence.certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return await session.decrypt(HOLDER, "encryption", "RSA1_5", key.encrypt(b"secret", padding.PKCS1v15()))


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION, HoldMode.SHARED])
@pytest.mark.parametrize("remove", [before_the_card_sees_it, after_the_card_answered])
@pytest.mark.parametrize("operation", [sign, decrypt])
async def test_an_operation_gives_no_result_of_a_card_that_left(
    operation: Callable[[Session, Presence], Awaitable[object]], remove: Remove, hold: HoldMode
) -> None:
    async with running_core(hold=hold) as core:
        for at in range(1, MOST_COMMANDS):
            session = await core.authenticated(card_of())
            (presence,) = core.sessions.presences
            ends_before = len(core.heard.ends())
            remove(core.reader, at)
            result = await outcome(operation(session, presence))
            no_more_removals(core.reader)
            if core.reader.card is not None:
                assert not isinstance(result, Exception)
                assert at > 3, "the sweep met every command of the operation"
                return
            assert isinstance(result, SessionEnded), f"removal at command {at}: {result!r}"
            await core.gone()
            assert core.heard.ends()[ends_before:] == [EndReason.CARD_REMOVED], "exactly one end"
        pytest.fail("the operation never came through")


async def test_a_stuck_card_does_not_delay_the_end() -> None:
    """The card computes for ever; its removal ends the session and the call at once."""
    async with running_core() as core:
        session = await core.authenticated(card_of())
        stuck, free = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold_on(number: int, command: bytes) -> None:
            loop.call_soon_threadsafe(stuck.set)
            asyncio.run_coroutine_threadsafe(free.wait(), loop).result(30)

        core.reader.before_apdu(hold_on)
        signing = asyncio.ensure_future(session.sign(HOLDER, "signature", "RS256", DIGEST))
        await stuck.wait()
        core.reader.remove()
        assert isinstance(await outcome(signing), SessionEnded)
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
        core.reader.before_apdu(None)
        free.set()


@pytest.mark.parametrize("counted", [True, False])
async def test_the_old_session_never_serves_the_new_card(counted: bool) -> None:
    """Another card is in before anybody looked; with `counted` false PC/SC's event counter does not tell."""
    async with running_core() as core:
        session = await core.authenticated(card_of("physician"))
        core.reader.swap(card_of("nurse"), counted=counted)
        result = await outcome(session.sign(HOLDER, "signature", "RS256", DIGEST))
        assert isinstance(result, SessionEnded), repr(result)
        await core.until(lambda: bool(core.heard.ends()))
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
        await core.until(lambda: any(one.professional is not None for one in core.sessions.presences))
        (presence,) = core.sessions.presences
        assert presence.session is None
        assert presence.professional is not None
        assert presence.professional.profession_label == "Infirmier"


async def test_the_mark_alone_stops_a_result_that_was_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is there, the loop has not heard of the removal yet: the watch thread's mark decides."""
    async with running_core() as core:
        session = await core.authenticated(card_of())
        run = session.card.run

        async def removed_in_between(*arguments: object, **named: object) -> object:
            result: object = await run(*arguments, **named)  # type: ignore[arg-type]  # handed through as it came
            session.card.insertion.mark.set(Departure.CARD_REMOVED)
            return result

        monkeypatch.setattr(session.card, "run", removed_in_between)
        assert isinstance(await outcome(session.sign(HOLDER, "signature", "RS256", DIGEST)), SessionEnded)


async def test_removal_and_insertion_again_wants_the_pin_again() -> None:
    card = card_of()
    async with running_core() as core:
        for _ in range(20):
            session = await core.authenticated(card)
            core.reader.remove()
            await core.gone()
            assert isinstance(await outcome(session.sign(HOLDER, "signature", "RS256", DIGEST)), SessionEnded)
            presence = await core.insert(card)
            assert presence.session is None
            core.reader.remove()
            await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED] * 20
