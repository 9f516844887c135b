"""polkit: what is asked, how long an answer holds, what a refusal means to the caller.

Asked about the bus connection, not about a pid. An answer is kept for its connection, action and details until polkit
says that something changed (its rules, a login session, a temporary authorisation's end: polkit(8), signal Changed).
"""

from __future__ import annotations

import asyncio
import enum
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Protocol

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.display import clean
from cardd.errors import CarddError, NotAuthorized, NotAuthorizedCanObtain, NotAuthorizedDismissed

ANSWERS_PER_CONNECTION: Final = 64
"""Details hold what callers say; a caller that says something new each time only loses its own older answers."""

_log = logging.getLogger(__name__)


class NoPolkit(enum.StrEnum):
    """What happens where polkit does not run: the configuration's word."""

    REFUSE = "refuse"
    SAME_USER = "same-user"
    """Whoever has the uid may use what belongs to it; the administrator's actions are for root and the daemon's uid."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a hospital's own polkit rules can decide by, each with `action.lookup()`; what is empty is left out.

    Args:
        card: serial number of the card.
        card_type: CPS, CPF, CPE or CPA.
        profession: code of the profession.
        key: authentication, signature or encryption.
        algorithm: a JOSE name.
        application: the caller's program by its control group or the helper.
        document_kind: the caller's own word: a rule may refuse by it, and should not allow by it.
    """

    card: str = ""
    card_type: str = ""
    profession: str = ""
    key: str = ""
    algorithm: str = ""
    application: str = ""
    document_kind: str = ""

    def mapping(self) -> Mapping[str, str]:
        """As polkit takes them; strings of others are made fit for a dialogue's text."""
        found = {one.name.replace("_", "-"): clean(getattr(self, one.name)) for one in fields(self)}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Question:
    """One question to polkit.

    Args:
        connection: unique bus name of the caller (subject "system-bus-name").
        action_id: "org.cardd1.sign", e.g.
        details: for rules and dialogues.
        interactive: polkit may ask the user (AllowUserInteraction).
        cancellation_id: by which an interactive question can be cancelled; "" for others.
    """

    connection: str
    action_id: str
    details: tuple[tuple[str, str], ...]
    interactive: bool = False
    cancellation_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """polkit's answer.

    Args:
        authorized: yes.
        challenge: the user could authenticate, and would then be authorised.
        dismissed: the user closed polkit's dialogue ("polkit.dismissed").
        retained: the authorisation is kept by polkit itself for a while ("polkit.temporary_authorization_id").
    """

    authorized: bool
    challenge: bool = False
    dismissed: bool = False
    retained: bool = False


class PolkitAbsent(Exception):
    """There is no polkit on this bus."""


class PolkitFailed(Exception):
    """polkit is there and gives no answer; the text says why."""


class Authority(Protocol):
    """The way to polkit (`cardd.bus.polkit`)."""

    async def check(self, question: Question) -> Answer:
        """Ask.

        Raises:
            PolkitAbsent, PolkitFailed
        """

    async def cancel(self, cancellation_id: str) -> None:
        """Close the dialogue of a question; never raises."""

    async def watch(self, changed: Callable[[], None]) -> None:
        """Have something called when kept answers no longer count. Raises PolkitFailed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    authorized: bool
    challenge: bool


class Polkit:
    """Asks, keeps answers, refuses.

    Args:
        authority: the way to polkit.
        without: what happens where there is none.
        own_uid: the daemon's.
        cancellation_id: makes an id for an interactive question.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        without: NoPolkit = NoPolkit.REFUSE,
        own_uid: int,
        cancellation_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._authority = authority
        self._without = without
        self._own_uid = own_uid
        self._cancellation_id = cancellation_id
        self._kept: dict[str, dict[Question, _Kept]] = {}
        self._asking: dict[Question, asyncio.Task[Answer]] = {}
        self._generation = 0
        self._cancelling: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to notice changes; before the first question.

        Raises:
            PolkitFailed: the bus does not tell of them, so that no answer could be kept.
        """
        await self._authority.watch(self.forget_answers)

    def forget_answers(self) -> None:
        """Ask anew from now on: polkit's rules or a login session changed."""
        self._generation += 1
        for answers in self._kept.values():
            answers.clear()
        # Answers on their way may be of before.
        self._asking.clear()

    def forget(self, connection: str) -> None:
        """A connection left the bus."""
        self._kept.pop(connection, None)

    async def require(
        self, caller: Caller, action: Action, details: Details, *, owner_uid: int | None, interactive: bool
    ) -> None:
        """Let pass whom polkit allows an action.

        Args:
            caller: who asks.
            action: for what.
            details: for polkit's rules.
            owner_uid: to whom the session belongs; None where there is none yet.
            interactive: the caller allows that its user is asked.

        Raises:
            NotAuthorized: no.
            NotAuthorizedCanObtain: the user would have to be asked, and the call forbids it.
            NotAuthorizedDismissed: the user was asked and closed the question.
        """
        try:
            await self._require(caller, action, details, owner_uid=owner_uid, interactive=interactive)
        except CarddError as refusal:
            refusal.decided_by = action.polkit_id
            raise

    async def _require(
        self, caller: Caller, action: Action, details: Details, *, owner_uid: int | None, interactive: bool
    ) -> None:
        question = Question(caller.name, action.polkit_id, tuple(sorted(details.mapping().items())))
        try:
            kept = await self._first(question)
            if kept.authorized:
                return
            if not kept.challenge:
                raise NotAuthorized(reason=f"polkit refuses {action.polkit_id} to this program")
            if not interactive:
                raise NotAuthorizedCanObtain(reason=f"{action.polkit_id} wants a password, and the call forbids asking")
            answer = await self._ask_user(question)
        except PolkitAbsent as error:
            self._require_without(caller, action, owner_uid, error)
            return
        except PolkitFailed as error:
            _log.error("polkit gave no answer about %s: %s", action.polkit_id, error)
            raise NotAuthorized(reason="polkit gave no answer; the log says why") from error
        if not answer.authorized:
            raise _refusal(action, answer)

    async def _first(self, question: Question) -> _Kept:
        """What polkit says without asking anybody."""
        kept = self._kept.setdefault(question.connection, {}).get(question)
        if kept is not None:
            return kept
        generation = self._generation
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.get_running_loop().create_task(self._check(question))
            task.add_done_callback(lambda done: self._asked(question, done))
        answer = await asyncio.shield(task)
        kept = _Kept(answer.authorized, answer.challenge)
        if generation == self._generation:
            self._keep(question, kept)
        return kept

    async def _check(self, question: Question) -> Answer:
        return await self._authority.check(question)

    def _asked(self, question: Question, task: asyncio.Task[Answer]) -> None:
        if self._asking.get(question) is task:
            del self._asking[question]
        if not task.cancelled():
            task.exception()  # seen, whether or not somebody still waits

    async def _ask_user(self, question: Question) -> Answer:
        """Let polkit ask. The answer is kept only if polkit itself keeps it, else it is for this one time."""
        generation = self._generation
        cancellation_id = self._cancellation_id()
        asked = Question(question.connection, question.action_id, question.details, True, cancellation_id)
        try:
            answer = await self._authority.check(asked)
        except asyncio.CancelledError:
            task = asyncio.get_running_loop().create_task(self._cancel(cancellation_id))
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)
            raise
        if answer.authorized and answer.retained and generation == self._generation:
            self._keep(question, _Kept(authorized=True, challenge=False))
        return answer

    async def _cancel(self, cancellation_id: str) -> None:
        await self._authority.cancel(cancellation_id)

    def _keep(self, question: Question, kept: _Kept) -> None:
        answers = self._kept.get(question.connection)
        if answers is None:
            return  # it has left meanwhile
        answers[question] = kept
        if len(answers) > ANSWERS_PER_CONNECTION:
            del answers[next(iter(answers))]

    def _require_without(self, caller: Caller, action: Action, owner_uid: int | None, error: PolkitAbsent) -> None:
        if self._without is NoPolkit.REFUSE:
            raise NotAuthorized(
                reason='polkit does not run here; start it, or set [access] without-polkit = "same-user"'
            ) from error
        if not _same_user_may(caller, action, owner_uid, self._own_uid):
            raise NotAuthorized(reason="polkit does not run here, and another user owns this") from error


_OWNERS_ACTIONS: Final = frozenset(
    {Action.ASSERT, Action.SIGN, Action.DECRYPT, Action.MINT_TOKEN, Action.READ_HOLDER, Action.AUTHENTICATE}
)


def _same_user_may(caller: Caller, action: Action, owner_uid: int | None, own_uid: int) -> bool:
    """What `NoPolkit.SAME_USER` allows. A session without an owner yet will be the caller's, by its PIN."""
    if action not in _OWNERS_ACTIONS:
        return caller.uid in (0, own_uid)
    if owner_uid is None:
        return action is Action.AUTHENTICATE or caller.uid == own_uid
    return caller.uid == owner_uid


def _refusal(action: Action, answer: Answer) -> CarddError:
    if answer.dismissed:
        return NotAuthorizedDismissed()
    if answer.challenge:
        return NotAuthorizedCanObtain(reason=f"{action.polkit_id} wants a password, and nothing here can ask for it")
    return NotAuthorized(reason=f"polkit refuses {action.polkit_id} to this program")
