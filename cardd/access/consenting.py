"""Asking the holder: from what an application wants to a consent that was used, or a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cardd.access.consent import ConsentBook, JobState, Use, Wish
from cardd.access.display import clean
from cardd.access.facts import CallerFacts, same_application
from cardd.access.terms import ConsentMode
from cardd.errors import ConsentNotAnswered, ConsentRefused, NoSuchJob, NotAuthorized, NotAuthorizedCanObtain


@dataclass(frozen=True, slots=True)
class Claim:
    """What an application says of a document: shown, never believed.

    Args:
        kind: of the document, "" where it says nothing.
        title: likewise.
        position: its number in the batch, from 1.
    """

    kind: str = ""
    title: str = ""
    position: int = 1


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """What the agent shows. Every string is fit to be shown as plain text; markup is the agent's to escape.

    Args:
        job: the number that the application shows as well.
        session: number of the card's session.
        application: the program, by its control group or the helper; "" where nothing is known.
        pid: of the program.
        uid: of its user.
        key: with which it wants to sign.
        document_kind, title: as the application says.
        digest: of the document, in hexadecimal.
        position: number of the document in its batch, from 1.
        mode: what the consent would be for.
        uses: how many signatures.
        seconds: for how long.
        holder: of the card.
    """

    job: str
    session: int
    application: str
    pid: int
    uid: int
    key: str
    document_kind: str
    title: str
    digest: str
    position: int
    mode: ConsentMode
    uses: int
    seconds: float
    holder: str

    def __post_init__(self) -> None:
        for name in ("application", "document_kind", "title", "holder"):
            # A frozen dataclass has no other way to set its own fields; so no way leads past the cleaning.
            object.__setattr__(self, name, clean(getattr(self, name)))


Ask = Callable[[ConsentQuestion], Awaitable[bool]]
"""Puts a question to an agent: whether the holder agrees. Its failures (no agent, closed, no answer) pass on."""


def question_for(number: str, wish: Wish, facts: CallerFacts, claim: Claim, holder: str) -> ConsentQuestion:
    """The question for a wish.

    Args:
        number: of the job.
        wish: what shall be done.
        facts: of the application.
        claim: what it says of the document.
        holder: of the card, to be shown.
    """
    return ConsentQuestion(
        job=number,
        session=wish.scope.session,
        application=facts.application,
        pid=facts.caller.pid or 0,
        uid=facts.caller.uid,
        key=wish.scope.key,
        document_kind=claim.kind,
        title=claim.title,
        digest=wish.digest.hex(),
        position=claim.position,
        mode=wish.terms.mode,
        uses=wish.terms.uses,
        seconds=wish.terms.seconds,
        holder=holder,
    )


def require_other_application(agent: CallerFacts, application: CallerFacts, *, own_agent: bool) -> None:
    """Refuse that an application asks for its own consent.

    Args:
        agent: who would ask.
        application: for whom.
        own_agent: a rule allows it.

    Raises:
        NotAuthorized: they are one, as far as can be seen.
    """
    if not own_agent and same_application(agent, application):
        raise NotAuthorized(reason="an application cannot give itself the holder's consent, and no rule allows it")


class Consents:
    """Gets consents and uses them.

    Args:
        book: the state.
    """

    def __init__(self, book: ConsentBook) -> None:
        self._book = book
        self._asking: dict[str, asyncio.Task[None]] = {}

    def reserve(self, connection: str) -> str:
        """Give an application the number of a job to come; raises Busy."""
        return self._book.reserve(connection)

    async def obtain(
        self,
        wish: Wish,
        question: Callable[[str], ConsentQuestion],
        ask: Ask,
        *,
        job: str | None = None,
        interactive: bool = True,
    ) -> Use:
        """Use a consent for a wish; ask for one where there is none.

        Args:
            wish: what shall be done now.
            question: makes the question, given the job's number.
            ask: puts it to the agent.
            job: number that the application was given before and shows; calls of one batch share it, and one question.
            interactive: the holder may be asked.

        Returns:
            The use; `finish` it.

        Raises:
            NotAuthorizedCanObtain: the holder would have to be asked, and the call forbids it.
            ConsentRefused: the holder said no.
            ConsentNotAnswered: whoever else was being asked about this job got no answer.
            NoSuchJob: the number is not this connection's, or its consent is used up.
            Busy: too many jobs of this connection.
            CarddError: what `ask` raises.
        """
        used = self._book.take(wish, job)
        if used is not None:
            return used
        state = JobState.RESERVED if job is None else self._book.state(wish.scope.connection, job)
        if state is JobState.GRANTED and job is not None:
            raise NoSuchJob(job=job)
        if state is JobState.REFUSED and job is not None:
            raise ConsentRefused(job=job)
        if not interactive:
            raise NotAuthorizedCanObtain(reason="the holder must agree to this signature, and the call forbids asking")
        number = job if job is not None else self._book.reserve(wish.scope.connection)
        if state is JobState.PENDING:
            await self._join(number)
        else:
            await self._ask(number, wish, question(number), ask)
        used = self._book.take(wish, number)
        if used is None:
            raise NoSuchJob(job=number)
        return used

    def finish(self, use: Use, *, signed: bool) -> None:
        """Say what became of a use; `signed` is False only if the card certainly did not sign."""
        self._book.finish(use, signed=signed)

    def forget(self, connection: str) -> None:
        """A connection left the bus."""
        self._book.forget(connection)

    def end_session(self, session: int) -> None:
        """A session ended."""
        self._book.end_session(session)

    async def _ask(self, number: str, wish: Wish, question: ConsentQuestion, ask: Ask) -> None:
        """Ask in a task of its own, so that calls of the same batch can wait for the same answer."""
        self._book.begin(number, wish)
        task = self._asking[number] = asyncio.get_running_loop().create_task(self._put(number, question, ask))
        task.add_done_callback(lambda done: self._answered(number, done))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            self._book.lapse(number)
            raise

    async def _put(self, number: str, question: ConsentQuestion, ask: Ask) -> None:
        if not await ask(question):
            self._book.deny(number)
            raise ConsentRefused(job=number)
        self._book.agree(number)

    async def _join(self, number: str) -> None:
        task = self._asking.get(number)
        if task is None:
            raise ConsentNotAnswered(job=number)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ConsentNotAnswered(job=number) from None
            raise

    def _answered(self, number: str, task: asyncio.Task[None]) -> None:
        if self._asking.get(number) is task:
            del self._asking[number]
        failure = None if task.cancelled() else task.exception()
        if task.cancelled() or (failure is not None and not isinstance(failure, ConsentRefused)):
            self._book.lapse(number)
