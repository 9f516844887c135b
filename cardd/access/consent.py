"""Consent: what the holder allowed to whom, how often and until when.

Pure state. Time comes from a clock that never goes back and counts while the machine sleeps (CLOCK_BOOTTIME), so that a
consent does not outlive the night in a closed laptop.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cardd.access.actions import Action
from cardd.access.jobs import new_job_number
from cardd.access.terms import ConsentMode, ConsentTerms
from cardd.errors import Busy, InvalidArgument, NoSuchJob

JOBS_PER_CONNECTION: Final = 16
"""Refused ones count until they are forgotten: an application cannot ask for ever."""
JOB_SECONDS: Final = 600.0
"""How long a number that was given out, or a refusal, is remembered."""


class JobState(enum.StrEnum):
    """Where a job stands. One that is used up, has lapsed or has lost its connection or session is no more."""

    RESERVED = "reserved"
    """The application has its number."""
    PENDING = "pending"
    """The holder is being asked."""
    GRANTED = "granted"
    REFUSED = "refused"


class JobEvent(enum.StrEnum):
    """What happens to a job."""

    ASKED = "asked"
    AGREED = "agreed"
    DENIED = "denied"


TRANSITIONS: Final[Mapping[tuple[JobState, JobEvent], JobState]] = MappingProxyType(
    {
        (JobState.RESERVED, JobEvent.ASKED): JobState.PENDING,
        (JobState.PENDING, JobEvent.AGREED): JobState.GRANTED,
        (JobState.PENDING, JobEvent.DENIED): JobState.REFUSED,
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom and for what a consent is: never for more than this.

    Args:
        connection: unique bus name of the application.
        session: number of the card's session.
        action: what it does.
        key: with which key.
    """

    connection: str
    session: int
    action: Action
    key: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What an application wants to do now.

    Args:
        scope: who and what.
        digest: of the document.
        terms: how far one consent may reach, by the rules and by what the application asks.
        batch: digests of the whole batch, where the application tells them before; only these may then be signed.

    Raises:
        InvalidArgument: the batch is not what it says it is.
    """

    scope: Scope
    digest: bytes
    terms: ConsentTerms
    batch: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        if not self.batch:
            return
        if self.terms.mode is not ConsentMode.BATCH or len(self.batch) != self.terms.uses:
            raise InvalidArgument(argument="batch", reason="it lists another number of documents than it announces")
        if self.digest not in self.batch:
            raise InvalidArgument(argument="batch", reason="the document is not among those that it lists")


@dataclass(slots=True)
class Job:
    """One question to the holder and what came of it. Only `ConsentBook` changes it.

    Args:
        number: shown to the holder on both windows.
        connection: whose it is.
        until: by the clock, when it is forgotten.
        state: where it stands.
        wish: what is asked; None until then.
        uses_left: how often it may still be used (granted).
        digests: for which documents it may still be used; None for any.
        under_way: uses that were taken and not finished.
    """

    number: str
    connection: str
    until: float
    state: JobState = JobState.RESERVED
    wish: Wish | None = None
    uses_left: int = 0
    digests: set[bytes] | None = None
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """One use that was taken; `ConsentBook.finish` says what became of it."""

    job: str
    digest: bytes


class ConsentBook:
    """All jobs.

    Args:
        clock: seconds, never going back.
        number: makes a number that is none of the given ones.
    """

    def __init__(self, clock: Callable[[], float], number: Callable[[Mapping[str, Job]], str] = new_job_number) -> None:
        self._clock = clock
        self._number = number
        self._jobs: dict[str, Job] = {}

    def reserve(self, connection: str) -> str:
        """Give an application the number of a job to come.

        Raises:
            Busy: it has too many.
        """
        self._drop_old()
        if sum(job.connection == connection for job in self._jobs.values()) >= JOBS_PER_CONNECTION:
            raise Busy
        job = Job(self._number(self._jobs), connection, self._clock() + JOB_SECONDS)
        self._jobs[job.number] = job
        return job.number

    def state(self, connection: str, number: str) -> JobState:
        """Where a job of a connection stands.

        Raises:
            NoSuchJob: it is not that connection's, or is no more.
        """
        return self._own(connection, number).state

    def begin(self, number: str, wish: Wish) -> None:
        """The holder is asked now.

        Raises:
            NoSuchJob: there is no such job of this connection, or it was asked about already.
        """
        job = self._own(wish.scope.connection, number)
        self._advance(job, JobEvent.ASKED)
        job.wish = wish

    def agree(self, number: str) -> None:
        """The holder agreed; the limits run from now.

        Raises:
            NoSuchJob: nobody is asked about it (any more): the application or the session left, or it was answered.
        """
        job = self._open(number)
        self._advance(job, JobEvent.AGREED)
        wish = _wish_of(job)
        job.uses_left = wish.terms.uses
        job.until = self._clock() + wish.terms.seconds
        if wish.terms.mode is ConsentMode.DOCUMENT:
            job.digests = {wish.digest}
        elif wish.batch:
            job.digests = set(wish.batch)

    def deny(self, number: str) -> None:
        """The holder refused: remembered, so that the rest of a batch is refused as well; raises as `agree`."""
        job = self._open(number)
        self._advance(job, JobEvent.DENIED)
        job.until = self._clock() + JOB_SECONDS

    def lapse(self, number: str) -> None:
        """The question was not answered: the job is no more, and whatever answer still comes means nothing."""
        self._jobs.pop(number, None)

    def take(self, wish: Wish, number: str | None = None) -> Use | None:
        """Use a consent for a wish.

        Args:
            wish: what shall be done now.
            number: of the job whose consent is meant; None for any that serves.

        Returns:
            The use, to be finished; None where no consent serves.
        """
        self._drop_old()
        for job in self._granted(wish, number):
            job.uses_left -= 1
            if job.digests is not None:
                job.digests.discard(wish.digest)
            job.under_way += 1
            return Use(job.number, wish.digest)
        return None

    def finish(self, use: Use, *, signed: bool) -> None:
        """Say what became of a use.

        Args:
            use: as taken, once each.
            signed: False only if the card certainly did not sign: the use is then given back, while the consent lasts.
        """
        job = self._jobs.get(use.job)
        if job is None or job.under_way == 0:
            return  # its connection or session left, or its time is over
        job.under_way -= 1
        if not signed:
            job.uses_left += 1
            if job.digests is not None:
                job.digests.add(use.digest)
        elif job.uses_left == 0 and job.under_way == 0:
            del self._jobs[job.number]

    def forget(self, connection: str) -> None:
        """A connection left the bus: its jobs are no more."""
        self._drop(lambda job: job.connection == connection)

    def end_session(self, session: int) -> None:
        """A session ended: so did every consent in it."""
        self._drop(lambda job: job.wish is not None and job.wish.scope.session == session)

    def _granted(self, wish: Wish, number: str | None) -> Iterator[Job]:
        """Jobs whose consent serves a wish; a wide consent serves none that must be asked about more narrowly."""
        for job in list(self._jobs.values()):
            if (
                job.state is JobState.GRANTED
                and job.wish is not None
                and number in (None, job.number)
                and job.wish.scope == wish.scope
                and job.wish.terms.mode.width <= wish.terms.mode.width
                and job.uses_left > 0
                and (job.digests is None or wish.digest in job.digests)
            ):
                yield job

    def _own(self, connection: str, number: str) -> Job:
        job = self._open(number)
        if job.connection != connection:
            raise NoSuchJob(job=number)
        return job

    def _open(self, number: str) -> Job:
        self._drop_old()
        job = self._jobs.get(number)
        if job is None:
            raise NoSuchJob(job=number)
        return job

    def _advance(self, job: Job, event: JobEvent) -> None:
        state = TRANSITIONS.get((job.state, event))
        if state is None:
            raise NoSuchJob(job=job.number)
        job.state = state

    def _drop_old(self) -> None:
        """A question that is open has its own time-out, at whoever asks it."""
        now = self._clock()
        self._drop(lambda job: job.state is not JobState.PENDING and job.until <= now)

    def _drop(self, which: Callable[[Job], bool]) -> None:
        for number in [job.number for job in self._jobs.values() if which(job)]:
            del self._jobs[number]


def _wish_of(job: Job) -> Wish:
    if job.wish is None:
        raise NoSuchJob(job=job.number)
    return job.wish
