"""Agents: what asks the user for a PIN or a consent when the daemon needs one (interface org.cardd1.Agent)."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from cardd.bus.descriptors import OwnedFd
from cardd.bus.names import AgentAbility
from cardd.client import secret
from cardd.client.consent import ConsentRequest, consent_request_from
from cardd.client.secret import SecretBytes
from cardd.client.values import Properties, take
from cardd.errors import AgentFailed, Cancelled, ConsentRefused, NotAuthorized, NotAuthorizedDismissed

T = TypeVar("T")


class PinPurpose(StrEnum):
    """Words of RequestPin's purpose."""

    AUTHENTICATE = "authenticate"
    CHANGE_CURRENT = "change-current"
    CHANGE_NEW = "change-new"
    UNBLOCK_PUK = "unblock-puk"
    UNBLOCK_NEW = "unblock-new"
    KEY_USE = "key-use"
    """A session is open, and the card wants its PIN for this one use of a key."""


@dataclass(frozen=True, slots=True)
class PinRequest:
    """What the daemon asks for.

    `minimum` and `maximum` count characters (0: not known); `tries_left` is None when not known; `holder` and `reader`
    are to be shown to the user, and with `last_try` that another wrong answer blocks the PIN, or the PUK.
    """

    card: str
    purpose: str
    minimum: int
    maximum: int
    tries_left: int | None
    holder: str
    reader: str
    last_try: bool = False


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """What the user is to be told, in the agent's own words: `kind` says what (journal: that each use of the card is
    written down, for how long, how holders see their own entries; pin-pad: that codes are to be typed on `reader`,
    now), `holder` whom; `purpose`, a `PinPurpose`, which codes: change-current and unblock-puk mean that a new PIN
    follows, twice.
    """

    kind: str
    holder: str
    reader: str = ""
    purpose: str = PinPurpose.AUTHENTICATE


class Agent(ABC):
    """Asks the user. Register one with `CarddClient.register_agent`, or give it to a single call.

    The daemon is told what an agent can do: one that overrides neither `confirm` nor `notify` is asked for PINs alone.
    """

    tells_last_try: ClassVar[bool] = False
    """Whether it tells the user that it is the last try, where `PinRequest.last_try` says so, and gives None unless
    they agree to spend it. Others are not asked then: the call fails with `LastTry`."""

    @property
    def abilities(self) -> frozenset[AgentAbility]:
        """What it can do, by the methods that its class has of its own and by `tells_last_try`."""
        of_its_own = {
            AgentAbility.CONSENT: type(self).confirm is not Agent.confirm,
            AgentAbility.NOTICE: type(self).notify is not Agent.notify,
            AgentAbility.LAST_TRY: self.tells_last_try,
        }
        return frozenset({AgentAbility.PIN, *(ability for ability, there in of_its_own.items() if there)})

    @abstractmethod
    async def request_pin(self, request: PinRequest) -> SecretBytes | None:
        """Ask for the PIN, the new PIN or the unblocking code that the request names.

        The task is cancelled when the question is moot (the card left, another agent answered): take the question off
        the screen then.

        Args:
            request: what is asked.

        Returns:
            The characters, in a buffer that is wiped once they are sent; None when the user closed the question.
        """

    async def confirm(self, request: ConsentRequest) -> bool | None:
        """Ask whether the card's holder agrees to a signature; override it to be asked.

        The task is cancelled as that of `request_pin`.

        Args:
            request: who wants to sign what.

        Returns:
            Whether they agree; None when they closed the question.
        """
        del request
        return None

    async def notify(self, notice: NoticeRequest) -> bool:
        """Tell the user something; override it to be given notices.

        The task is cancelled as that of `request_pin`.

        Args:
            notice: what.

        Returns:
            Whether the user has seen it; False for a kind that the agent does not know: it will be asked again.
        """
        del notice
        return False


class PreparedAnswers(Agent):
    """Gives each answer once, without asking anybody: a second question for the same thing is dismissed."""

    def __init__(self, answers: Mapping[PinPurpose, SecretBytes]) -> None:
        """Keep the answers.

        Args:
            answers: characters by purpose; wiped when sent, or by `wipe`.
        """
        self._answers = dict(answers)

    async def request_pin(self, request: PinRequest) -> SecretBytes | None:
        """Return the answer that is there for the purpose, else None."""
        with contextlib.suppress(ValueError):
            return self._answers.pop(PinPurpose(request.purpose), None)
        return None

    def wipe(self) -> None:
        """Overwrite the answers that were not asked for."""
        for answer in self._answers.values():
            secret.wipe(answer)
        self._answers.clear()


class AgentFace:
    """One registered agent as the daemon sees it: judges the sender, runs and cancels questions."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._questions: set[asyncio.Future[Any]] = set()

    async def request_pin(self, card: str, details: Properties) -> OwnedFd:
        """Serve RequestPin.

        Args:
            card: path of the card.
            details: as the contract lists them.

        Returns:
            Readable end of a pipe that holds the answer.

        Raises:
            NotAuthorizedDismissed: the user closed the question.
            Cancelled: the daemon called Cancel.
            AgentFailed: the agent raised something.
        """
        answer = await self._ask(self._agent.request_pin(_request_from(card, details)))
        if answer is None:
            raise NotAuthorizedDismissed
        return OwnedFd(secret.pipe_holding(answer))

    async def confirm(self, session: str, details: Properties) -> None:
        """Serve Confirm.

        Args:
            session: path of the session.
            details: as the contract lists them.

        Raises:
            ConsentRefused: the holder does not agree.
            NotAuthorizedDismissed: the user closed the question.
            Cancelled, AgentFailed: as `request_pin`.
        """
        request = consent_request_from(session, details)
        agreed = await self._ask(self._agent.confirm(request))
        if agreed is None:
            raise NotAuthorizedDismissed
        if not agreed:
            raise ConsentRefused(job=request.job)

    async def notify(self, kind: str, details: Properties) -> None:
        """Serve Notify.

        Args:
            kind: what the user is told.
            details: as the contract lists them.

        Raises:
            AgentFailed: nobody saw it.
            Cancelled: as `request_pin`.
        """
        notice = NoticeRequest(
            kind,
            take(details, "holder", str, ""),
            take(details, "reader", str, ""),
            take(details, "purpose", str, PinPurpose.AUTHENTICATE.value),
        )
        if not await self._ask(self._agent.notify(notice)):
            raise AgentFailed(reason="it did not show the notice")

    def cancel(self) -> None:
        """Serve Cancel: every open question and notice is moot."""
        for question in self._questions:
            question.cancel()

    async def _ask(self, asking: Coroutine[Any, Any, T]) -> T:
        question = asyncio.ensure_future(asking)
        self._questions.add(question)
        try:
            return await question
        except asyncio.CancelledError:
            question.cancel()
            raise Cancelled from None
        except Exception as error:
            # Its text may hold what the user typed: only its kind is told.
            raise AgentFailed(reason=type(error).__name__) from error
        finally:
            self._questions.discard(question)


def refuse_stranger(sender: str, owner: str | None) -> None:
    """Let only the daemon ask: anybody on the bus can call an agent's path.

    Args:
        sender: unique name of who calls.
        owner: unique name of who owns org.cardd1 now.

    Raises:
        NotAuthorized: it is somebody else.
    """
    if owner is None or sender != owner:
        raise NotAuthorized(reason="only the owner of org.cardd1 may ask this agent")


def _request_from(card: str, details: Properties) -> PinRequest:
    tries_left = take(details, "tries-left", int, -1)
    return PinRequest(
        card=card,
        purpose=take(details, "purpose", str, PinPurpose.AUTHENTICATE),
        minimum=take(details, "minimum", int, 0),
        maximum=take(details, "maximum", int, 0),
        tries_left=None if tries_left < 0 else tries_left,
        holder=take(details, "holder", str, ""),
        reader=take(details, "reader", str, ""),
        last_try=take(details, "last-try", bool, False),
    )
