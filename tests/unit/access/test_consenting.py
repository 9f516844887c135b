"""Asking the holder, and what applications and agents may try meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cardd.access.actions import Action
from cardd.access.consent import ConsentBook, Scope, Use, Wish
from cardd.access.consenting import (
    Claim,
    ConsentQuestion,
    Consents,
    question_for,
    require_other_application,
)
from cardd.access.terms import ConsentMode, ConsentTerms
from cardd.errors import (
    Busy,
    ConsentNotAnswered,
    ConsentRefused,
    NoSuchJob,
    NotAuthorized,
    NotAuthorizedCanObtain,
    NotAuthorizedDismissed,
)
from tests.unit.access.support import facts

SCOPE = Scope(":1.7", 1, Action.SIGN, "signature")
DOCUMENT = ConsentTerms(ConsentMode.DOCUMENT, 1, 120)
BATCH = ConsentTerms(ConsentMode.BATCH, 3, 600)


class Holder:
    """Answers when told to."""

    def __init__(self, *, agrees: bool = True, failure: Exception | None = None) -> None:
        self.agrees, self.failure = agrees, failure
        self.asked: list[ConsentQuestion] = []
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.cancelled = False

    async def __call__(self, question: ConsentQuestion) -> bool:
        self.asked.append(question)
        self.begun.set()
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.failure is not None:
            raise self.failure
        return self.agrees


def wish(terms: ConsentTerms = DOCUMENT, digest: bytes = b"\xab") -> Wish:
    return Wish(SCOPE, digest, terms)


def asking(to: Wish) -> Callable[[str], ConsentQuestion]:
    return lambda number: question_for(number, to, facts(flatpak="org.a.b"), Claim("note", "Title"), "Dr Test")


def obtain(consents: Consents, holder: Holder, to: Wish, job: str | None = None, **more: bool) -> Awaitable[Use]:
    return consents.obtain(to, asking(to), holder, job=job, **more)


@pytest.fixture
def consents() -> Consents:
    return Consents(ConsentBook(lambda: 0.0))


async def test_one_question_a_document(consents: Consents) -> None:
    holder = Holder()
    for _ in range(2):
        consents.finish(await obtain(consents, holder, wish()), signed=True)
    assert len(holder.asked) == 2
    assert holder.asked[0].job != holder.asked[1].job


async def test_one_question_a_batch_even_when_its_calls_come_at_once(consents: Consents) -> None:
    holder = Holder()
    holder.free.clear()
    job = consents.reserve(":1.7")
    calls = [asyncio.ensure_future(obtain(consents, holder, wish(BATCH, bytes([n])), job)) for n in range(4)]
    await holder.begun.wait()
    holder.free.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert len(holder.asked) == 1
    assert holder.asked[0].job == job
    assert [isinstance(one, Use) for one in results] == [True, True, True, False]
    assert isinstance(results[3], NoSuchJob)


async def test_a_refusal_is_an_error_of_its_own_and_holds_for_the_whole_job(consents: Consents) -> None:
    holder = Holder(agrees=False)
    job = consents.reserve(":1.7")
    for _ in range(2):
        with pytest.raises(ConsentRefused) as caught:
            await obtain(consents, holder, wish(BATCH), job)
        assert caught.value.fields == {"job": job}
    assert len(holder.asked) == 1


async def test_an_application_cannot_ask_for_ever(consents: Consents) -> None:
    holder = Holder(agrees=False)
    for _ in range(16):
        with pytest.raises(ConsentRefused):
            await obtain(consents, holder, wish())
    with pytest.raises(Busy):
        await obtain(consents, holder, wish())
    assert len(holder.asked) == 16


async def test_without_interaction(consents: Consents) -> None:
    holder = Holder()
    with pytest.raises(NotAuthorizedCanObtain):
        await obtain(consents, holder, wish(BATCH), interactive=False)
    assert holder.asked == []
    await obtain(consents, holder, wish(BATCH))
    await obtain(consents, holder, wish(BATCH), interactive=False)


@pytest.mark.parametrize("failure", [NotAuthorizedDismissed(), RuntimeError("the agent is broken")])
async def test_what_the_agent_fails_with_passes_on_and_ends_the_job(consents: Consents, failure: Exception) -> None:
    holder = Holder(failure=failure)
    job = consents.reserve(":1.7")
    with pytest.raises(type(failure)):
        await obtain(consents, holder, wish(), job)
    with pytest.raises(NoSuchJob):
        await obtain(consents, holder, wish(), job)
    assert len(holder.asked) == 1


async def test_a_strangers_number(consents: Consents) -> None:
    job = consents.reserve(":1.8")
    holder = Holder()
    with pytest.raises(NoSuchJob):
        await obtain(consents, holder, wish(), job)
    assert holder.asked == []


@pytest.mark.parametrize("end", ["forget", "end_session"])
async def test_an_answer_after_the_end(consents: Consents, end: str) -> None:
    holder = Holder()
    holder.free.clear()
    call = asyncio.ensure_future(obtain(consents, holder, wish()))
    await holder.begun.wait()
    if end == "forget":
        consents.forget(":1.7")
    else:
        consents.end_session(1)
    holder.free.set()
    with pytest.raises(NoSuchJob):
        await call


async def test_a_caller_who_leaves_closes_the_question_and_the_others_are_told(consents: Consents) -> None:
    holder = Holder()
    holder.free.clear()
    job = consents.reserve(":1.7")
    first = asyncio.ensure_future(obtain(consents, holder, wish(BATCH), job))
    await holder.begun.wait()
    second = asyncio.ensure_future(obtain(consents, holder, wish(BATCH), job))
    await asyncio.sleep(0)  # it waits for the same answer now
    first.cancel()
    with pytest.raises(ConsentNotAnswered):
        await second
    assert first.cancelled()
    assert holder.cancelled
    with pytest.raises(NoSuchJob):
        await obtain(consents, holder, wish(BATCH), job)


async def test_questions_that_are_cancelled_leave_no_job(consents: Consents) -> None:
    holder = Holder()
    holder.free.clear()
    for _ in range(50):
        call = asyncio.ensure_future(obtain(consents, holder, wish()))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert consents._book._jobs == {}


def test_the_question_is_fit_to_be_shown() -> None:
    to = Wish(SCOPE, bytes(range(32)), BATCH)
    claim = Claim(kind="note\x1b[2J", title="\u202eReport\n" + "x" * (1 << 20), position=2)
    question = question_for("ABC-234", to, facts(flatpak="org.a.b"), claim, "Dr \x07Test")
    assert question.document_kind == "note\ufffd"
    assert question.title.startswith("\ufffdReport xxx")
    assert len(question.title) <= 120
    assert question.holder == "Dr \ufffdTest"
    assert question.application == "org.a.b"
    assert question.digest == bytes(range(32)).hex()
    assert (question.mode, question.uses, question.seconds, question.position) == (ConsentMode.BATCH, 3, 600, 2)


def test_an_application_is_not_its_own_agent() -> None:
    application, agent = facts(flatpak="org.a.b"), facts(":1.9", pid=7, user_unit="cardctl-agent.service")
    require_other_application(agent, application, own_agent=False)
    child = facts(":1.9", pid=7, flatpak="org.a.b")
    for same in (application, child):
        with pytest.raises(NotAuthorized):
            require_other_application(same, application, own_agent=False)
        require_other_application(same, application, own_agent=True)
