"""Who asks the users: agents that clients registered, and a PIN source that asks one of them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from cardd.access.caller import Caller
from cardd.bus import names
from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import BadReply, BusError, CallTimedOut, RemoteError
from cardd.bus.interface import Variant, variant
from cardd.bus.transport import RemoteMethod, Transport
from cardd.errors import AgentFailed, NoAgent, NotAuthorizedDismissed
from cardd.sessions.descriptors import read_secret
from cardd.sessions.pin import LENGTH_MAX, PinQuestion
from cardd.sessions.secret import Secret

log = logging.getLogger(__name__)

AGENTS_PER_USER = 32
REQUEST_PIN = RemoteMethod(names.AGENT, "RequestPin", "oa{sv}", "h")
CANCEL = RemoteMethod(names.AGENT, "Cancel")


@dataclass(frozen=True, slots=True)
class _Agent:
    caller: Caller
    path: str


class Agents:
    """The agents that are registered; the one that a user registered last is asked.

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
        self._asked: dict[_Agent, set[asyncio.Task[OwnedFd]]] = {}

    def register(self, caller: Caller, path: str) -> None:
        """Take an agent in, or move it to the front.

        Raises:
            AgentFailed: this user has too many.
        """
        agent = _Agent(caller, path)
        if agent in self._agents:
            self._agents.remove(agent)
        elif sum(one.caller.uid == caller.uid for one in self._agents) >= AGENTS_PER_USER:
            raise AgentFailed(reason=f"this user has registered {AGENTS_PER_USER} already")
        self._agents.append(agent)

    def unregister(self, caller: Caller, path: str) -> None:
        """Forget an agent of this connection; what it is being asked is cancelled.

        Raises:
            AgentFailed: it is not registered.
        """
        agent = _Agent(caller, path)
        if agent not in self._agents:
            raise AgentFailed(reason="it is not registered")
        self._forget(agent)

    def forget(self, connection: str) -> None:
        """A connection left the bus: so did its agents."""
        for agent in [one for one in self._agents if one.caller.name == connection]:
            self._forget(agent)

    def source_for(self, caller: Caller) -> AgentPin:
        """What asks the user of this caller.

        Raises:
            NoAgent: nothing can.
        """
        for agent in reversed(self._agents):
            if agent.caller.uid == caller.uid:
                return AgentPin(self, agent)
        raise NoAgent

    async def ask(self, agent: _Agent, question: PinQuestion) -> Secret:
        """Put one question to one agent; raises as `AgentPin.answer`."""
        if agent not in self._agents:
            raise NoAgent
        asking = asyncio.get_running_loop().create_task(self._call(agent, question))
        self._asked.setdefault(agent, set()).add(asking)
        try:
            descriptor = await asyncio.shield(asking)
        except asyncio.CancelledError:
            if asking.cancelled():
                raise AgentFailed(reason="it left before it answered") from None
            asking.cancel()
            self._tell_cancelled(agent)
            raise
        finally:
            self._asked[agent].discard(asking)
        with descriptor:
            return await read_secret(descriptor.fileno(), limit=LENGTH_MAX, timeout=self._descriptor_timeout)

    async def _call(self, agent: _Agent, question: PinQuestion) -> OwnedFd:
        arguments = (f"{names.CARDS}/{question.card}", _details(question))
        try:
            (descriptor,) = await self._transport.call(
                agent.caller.name, agent.path, REQUEST_PIN, arguments, timeout=self._timeout
            )
        except RemoteError as error:
            if error.name == NotAuthorizedDismissed().name:
                raise NotAuthorizedDismissed from error
            raise AgentFailed(reason=f"it answered {error.name}") from error
        except CallTimedOut as error:
            self._tell_cancelled(agent)
            raise AgentFailed(reason=f"nobody answered within {self._timeout:g} seconds") from error
        except BadReply as error:
            raise AgentFailed(reason="its answer is no descriptor") from error
        if not isinstance(descriptor, OwnedFd):
            raise AgentFailed(reason="its answer is no descriptor")
        return descriptor

    def _tell_cancelled(self, agent: _Agent) -> None:
        task = asyncio.get_running_loop().create_task(self._cancel(agent))
        task.add_done_callback(lambda done: done.exception())

    async def _cancel(self, agent: _Agent) -> None:
        try:
            await self._transport.call(agent.caller.name, agent.path, CANCEL, timeout=5)
        except BusError as error:
            log.debug("an agent was not told that its question is moot: %s", type(error).__name__)

    def _forget(self, agent: _Agent) -> None:
        self._agents.remove(agent)
        for asking in self._asked.pop(agent, set()):
            asking.cancel()


class AgentPin:
    """A PIN source: one agent. Made by `Agents.source_for`."""

    def __init__(self, agents: Agents, agent: _Agent) -> None:
        self._agents = agents
        self._agent = agent
        self.asks_user = True

    async def answer(self, question: PinQuestion) -> Secret:
        """Ask the user.

        Raises:
            NotAuthorizedDismissed: the user closed the question.
            AgentFailed: no answer in time, a wrong answer, the agent left.
            DescriptorUnusable: the descriptor that it answered cannot be read.
        """
        return await self._agents.ask(self._agent, question)


def _details(question: PinQuestion) -> dict[str, Variant]:
    tries_left = -1 if question.tries_left is None else question.tries_left
    return {
        "purpose": variant("s", question.purpose.value),
        "minimum": variant("u", question.rules.minimum),
        "maximum": variant("u", question.rules.maximum),
        "tries-left": variant("i", tries_left),
        "holder": variant("s", question.holder),
        "reader": variant("s", question.reader),
    }
