"""Who asks the users: agents that clients registered, asked for PINs and for consents, and given notices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cardd.access.caller import Caller
from cardd.access.consenting import Ask, ConsentQuestion, require_other_application
from cardd.access.display import clean
from cardd.access.facts import CallerFacts, same_application
from cardd.bus import names
from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import BadReply, BusError, CallTimedOut, RemoteError
from cardd.bus.interface import Variant, variant
from cardd.bus.names import AgentAbility
from cardd.bus.options import typed_options
from cardd.bus.transport import RemoteMethod, Transport
from cardd.errors import (
    PREFIX,
    AgentFailed,
    ConsentNotAnswered,
    ConsentRefused,
    InvalidArgument,
    NoAgent,
    NotAuthorizedDismissed,
    shown,
)
from cardd.sessions.descriptors import read_secret
from cardd.sessions.notices import Notice
from cardd.sessions.pin import LENGTH_MAX, PinQuestion, Purpose, require_tries
from cardd.sessions.secret import Secret

log = logging.getLogger(__name__)

T = TypeVar("T")

AGENTS_PER_USER = 32
_CAN_WHERE_NOT_SAID = [AgentAbility.PIN, AgentAbility.CONSENT, AgentAbility.NOTICE]
REQUEST_PIN = RemoteMethod(names.AGENT, "RequestPin", "oa{sv}", "h")
CONFIRM = RemoteMethod(names.AGENT, "Confirm", "oa{sv}")
NOTIFY = RemoteMethod(names.AGENT, "Notify", "sa{sv}")
CANCEL = RemoteMethod(names.AGENT, "Cancel")


@dataclass(frozen=True, slots=True)
class _Agent:
    facts: CallerFacts
    path: str
    abilities: frozenset[AgentAbility] = field(compare=False)

    @property
    def connection(self) -> str:
        return self.facts.caller.name


def abilities_of(options: Mapping[str, Any]) -> frozenset[AgentAbility]:
    """What an agent says it can do, by RegisterAgent's options; where it does not, everything but the last try, which
    takes more than an answer.

    Raises:
        UnknownOption, InvalidArgument: with the option's name.
    """
    words = typed_options(options, {"can": "as"}).get("can", _CAN_WHERE_NOT_SAID)
    for word in words:
        if word not in list(AgentAbility):
            raise InvalidArgument(argument="can", reason=f"{shown(word)} is none of {', '.join(AgentAbility)}")
    if not words:
        raise InvalidArgument(argument="can", reason=f"it must name at least one of {', '.join(AgentAbility)}")
    return frozenset(map(AgentAbility, words))


class Agents:
    """The agents that are registered. A question goes to the login session that it concerns, to the last one there that
    can put it.

    Args:
        transport: by which they are asked.
        timeout: seconds that a user has for the answer.
        descriptor_timeout: seconds that the agent has, once it answered, for writing to the end.
    """

    def __init__(self, transport: Transport, *, timeout: float, descriptor_timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._descriptor_timeout = descriptor_timeout
        self._agents: list[_Agent] = []
        self._asked: dict[_Agent, set[asyncio.Task[Any]]] = {}

    def register(self, facts: CallerFacts, path: str, abilities: frozenset[AgentAbility]) -> None:
        """Take an agent in, or move it to the front.

        Args:
            facts: of the caller.
            path: where it stands on the caller's connection.
            abilities: what it can be asked.

        Raises:
            AgentFailed: this user has too many.
        """
        agent = _Agent(facts, path, abilities)
        if agent in self._agents:
            self._agents.remove(agent)
        elif sum(one.facts.caller.uid == facts.caller.uid for one in self._agents) >= AGENTS_PER_USER:
            raise AgentFailed(reason=f"this user has registered {AGENTS_PER_USER} already")
        self._agents.append(agent)

    def unregister(self, connection: str, path: str) -> None:
        """Forget an agent of this connection; what it is being asked is cancelled.

        Raises:
            AgentFailed: it is not registered.
        """
        found = [one for one in self._agents if (one.connection, one.path) == (connection, path)]
        if not found:
            raise AgentFailed(reason="it is not registered")
        self._forget(found[0])

    def forget(self, connection: str) -> None:
        """A connection left the bus: so did its agents."""
        for agent in [one for one in self._agents if one.connection == connection]:
            self._forget(agent)

    async def ask_user_of(self, facts: CallerFacts, question: PinQuestion, *, may_be_last_try: bool) -> Secret:
        """Ask the user of this caller.

        Args:
            facts: of the caller.
            question: what for.
            may_be_last_try: the caller has said so already; else only an agent is asked that tells the user.

        Raises:
            NoAgent: nothing can ask.
            LastTry, LastPukTry: it is the last try, and no agent there tells the user so.
            NotAuthorizedDismissed: the user closed the question.
            AgentFailed: no answer in time, a wrong answer, the agent left.
            DescriptorUnusable: the descriptor that it answered cannot be read.
        """
        return await self.ask_in(facts.caller.uid, facts.session_id, question, may_be_last_try=may_be_last_try)

    async def ask_in(
        self, uid: int, login_session: str | None, question: PinQuestion, *, may_be_last_try: bool = False
    ) -> Secret:
        """Ask the user of a login session; as `ask_user_of` (see `cardd.sessions.pin_again.PinAsker`)."""
        agents = list(self._of(uid, login_session, AgentAbility.PIN))
        if not agents:
            raise NoAgent
        telling = [agent for agent in agents if may_be_last_try or AgentAbility.LAST_TRY in agent.abilities]
        require_tries(question.purpose, question.tries_left, may_be_last=bool(telling))
        agent = (telling if question.is_last_try else agents)[0]
        with await self._put(agent, self._request_pin(agent, question)) as descriptor:
            return await read_secret(descriptor.fileno(), limit=LENGTH_MAX, timeout=self._descriptor_timeout)

    @asynccontextmanager
    async def told_on_reader(self, uid: int, login_session: str | None, question: PinQuestion) -> AsyncIterator[None]:
        """Tell the user of a login session, for the length of a block, to type on the reader."""
        telling = asyncio.get_running_loop().create_task(
            self.notify(
                uid, login_session, Notice.PIN_PAD, question.holder, reader=question.reader, purpose=question.purpose
            )
        )
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)  # nobody there to tell it: the reader's display does

    def holder_of(
        self, uid: int | None, login_session: str | None, application: CallerFacts, *, own_agent: bool
    ) -> Ask:
        """What asks the holder whether to agree.

        Args:
            uid: of the session's owner.
            login_session: in which it was opened, None without logind.
            application: that wants something; it is not asked about itself.
            own_agent: a rule allows that it is.

        Returns:
            Asks; raises NoAgent, NotAuthorized (only the application itself could ask), NotAuthorizedDismissed,
            ConsentNotAnswered, AgentFailed.
        """

        async def ask(question: ConsentQuestion) -> bool:
            agent = self._other_than(application, uid, login_session, own_agent=own_agent)
            return await self._put(agent, self._confirm(agent, question))

        return ask

    async def notify(
        self,
        uid: int,
        login_session: str | None,
        notice: Notice,
        holder: str,
        *,
        reader: str = "",
        purpose: Purpose | None = None,
    ) -> Caller:
        """See `cardd.sessions.notices.Messenger`.

        Raises:
            NoAgent, AgentFailed, NotAuthorizedDismissed: nobody was told.
        """
        for agent in self._of(uid, login_session, AgentAbility.NOTICE):
            details = {"holder": variant("s", clean(holder)), "reader": variant("s", clean(reader))}
            if purpose is not None:
                details["purpose"] = variant("s", purpose.value)
            try:
                await self._put(agent, self._call(agent, NOTIFY, (notice.value, details)))
            except BusError as error:
                raise AgentFailed(reason=f"it did not show a notice: {type(error).__name__}") from error
            return agent.facts.caller
        raise NoAgent

    def _of(self, uid: int | None, login_session: str | None, ability: AgentAbility) -> Iterator[_Agent]:
        for agent in reversed(self._agents):
            there = (agent.facts.caller.uid, agent.facts.session_id) == (uid, login_session)
            if there and ability in agent.abilities:
                yield agent

    def _other_than(
        self, application: CallerFacts, uid: int | None, login_session: str | None, *, own_agent: bool
    ) -> _Agent:
        found = list(self._of(uid, login_session, AgentAbility.CONSENT))
        if not found:
            raise NoAgent
        for agent in found[:-1]:
            if own_agent or not same_application(agent.facts, application):
                return agent
        require_other_application(found[-1].facts, application, own_agent=own_agent)
        return found[-1]

    async def _put(self, agent: _Agent, question: Coroutine[Any, Any, T]) -> T:
        """Wait for an agent's answer; an agent that leaves, or a caller that does, ends it."""
        asking = asyncio.get_running_loop().create_task(question)
        self._asked.setdefault(agent, set()).add(asking)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            if asking.cancelled():
                raise AgentFailed(reason="it left before it answered") from None
            asking.cancel()
            self._tell_cancelled(agent)
            raise
        finally:
            # An agent that left was forgotten with its questions.
            self._asked.get(agent, set()).discard(asking)

    async def _request_pin(self, agent: _Agent, question: PinQuestion) -> OwnedFd:
        arguments = (f"{names.CARDS}/{question.card}", _pin_details(question))
        try:
            (descriptor,) = await self._call(agent, REQUEST_PIN, arguments)
        except CallTimedOut as error:
            raise AgentFailed(reason=f"nobody answered within {self._timeout:g} seconds") from error
        except BadReply as error:
            raise AgentFailed(reason="its answer is no descriptor") from error
        if not isinstance(descriptor, OwnedFd):
            raise AgentFailed(reason="its answer is no descriptor")
        return descriptor

    async def _confirm(self, agent: _Agent, question: ConsentQuestion) -> bool:
        arguments = (f"{names.SESSIONS}/{question.session}", _consent_details(question))
        try:
            await self._call(agent, CONFIRM, arguments)
        except ConsentRefused:
            return False
        except CallTimedOut as error:
            raise ConsentNotAnswered(job=question.job) from error
        except BadReply as error:
            raise AgentFailed(reason="its answer makes no sense") from error
        return True

    async def _call(self, agent: _Agent, method: RemoteMethod, arguments: tuple[object, ...]) -> list[Any]:
        try:
            return await self._transport.call(agent.connection, agent.path, method, arguments, timeout=self._timeout)
        except RemoteError as error:
            if error.name == NotAuthorizedDismissed().name:
                raise NotAuthorizedDismissed from error
            if error.name == f"{PREFIX}{ConsentRefused.short_name}":
                raise ConsentRefused(job="") from error
            raise AgentFailed(reason=f"it answered {error.name}") from error
        except CallTimedOut:
            self._tell_cancelled(agent)
            raise

    def _tell_cancelled(self, agent: _Agent) -> None:
        task = asyncio.get_running_loop().create_task(self._cancel(agent))
        task.add_done_callback(lambda done: done.exception())

    async def _cancel(self, agent: _Agent) -> None:
        try:
            await self._transport.call(agent.connection, agent.path, CANCEL, timeout=5)
        except BusError as error:
            log.debug("an agent was not told that its question is moot: %s", type(error).__name__)

    def _forget(self, agent: _Agent) -> None:
        self._agents.remove(agent)
        for asking in self._asked.pop(agent, set()):
            asking.cancel()


def _pin_details(question: PinQuestion) -> dict[str, Variant]:
    tries_left = -1 if question.tries_left is None else question.tries_left
    return {
        "purpose": variant("s", question.purpose.value),
        "minimum": variant("u", question.rules.minimum),
        "maximum": variant("u", question.rules.maximum),
        "tries-left": variant("i", tries_left),
        "last-try": variant("b", question.is_last_try),
        "holder": variant("s", question.holder),
        "reader": variant("s", question.reader),
    }


def _consent_details(question: ConsentQuestion) -> dict[str, Variant]:
    return {
        "job": variant("s", question.job),
        "application": variant("s", question.application),
        "pid": variant("u", question.pid),
        "uid": variant("u", question.uid),
        "key": variant("s", question.key),
        "document-kind": variant("s", question.document_kind),
        "title": variant("s", question.title),
        "digest": variant("s", question.digest),
        "position": variant("u", question.position),
        "mode": variant("s", question.mode.value),
        "uses": variant("u", question.uses),
        "seconds": variant("d", question.seconds),
        "holder": variant("s", question.holder),
    }
