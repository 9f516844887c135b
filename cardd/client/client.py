"""The asyncio client: find the card, authenticate, sign, decrypt."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import NoReturn, Self

from cardd.bus.names import MANAGER, ROOT
from cardd.bus.transport import RemoteMethod
from cardd.client import events
from cardd.client.access import AccessRules
from cardd.client.agent import Agent
from cardd.client.connection import OBJECT_MANAGER, Connection
from cardd.client.core import Core, Link
from cardd.client.errors import ConnectionLost, DaemonNotRunning
from cardd.client.events import Event
from cardd.client.journal import Journal
from cardd.client.mirror import Mirror, Objects
from cardd.client.objects import Card, Reader, Session
from cardd.client.standing import stay_registered
from cardd.client.tokens import Tokens
from cardd.client.values import Service
from cardd.client.watching import watch
from cardd.errors import CarddError

_GET_MANAGED_OBJECTS = RemoteMethod(OBJECT_MANAGER, "GetManagedObjects", "", "a{oa{sa{sv}}}")


class CarddClient:
    """A connection to cardd.

    `async with await CarddClient.connect() as client:` closes it at the end. What the client hands out (`Card`,
    `Session`) works while it is open.
    """

    def __init__(self, core: Core) -> None:
        """Use `connect` instead."""
        self._core = core

    @classmethod
    async def connect(cls, address: str | None = None) -> Self:
        """Connect to a message bus; the daemon is started by the first call where the bus can.

        Args:
            address: of the bus (D-Bus specification, "Server Addresses"); None: the system bus.

        Raises:
            BusUnreachable: no such bus, or it refuses this user.
        """
        return cls(Core(await Connection.connect(address)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection: what waits for an answer fails with `ConnectionLost`."""
        await self._core.connection.close()

    async def service(self) -> Service:
        """Ask for the daemon's version, drivers and warnings."""
        return (await self._snapshot()).service()

    async def readers(self) -> list[Reader]:
        """List the readers that are plugged in."""
        return (await self._snapshot()).readers()

    async def cards(self) -> list[Card]:
        """List the cards that are in a reader."""
        return (await self._snapshot()).cards()

    async def sessions(self) -> list[Session]:
        """List the sessions that are open."""
        return (await self._snapshot()).sessions()

    async def overview(self) -> tuple[Service, list[Reader], list[Card], list[Session]]:
        """Ask for all of the above at one moment."""
        mirror = await self._snapshot()
        return mirror.service(), mirror.readers(), mirror.cards(), mirror.sessions()

    async def wait_for_card(self, accept: Callable[[Card], bool] = lambda card: card.identified) -> Card:
        """Return the first card that is acceptable, waiting for one to be inserted and identified.

        Args:
            accept: judges a card; by default any that was identified.
        """
        async with aclosing(self.watch()) as happening:
            async for event in happening:
                match event:
                    case events.CardInserted(card) | events.CardChanged(card) if accept(card):
                        return card
        raise ConnectionLost  # not reached: `watch` ends by an error alone

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Tell what is there, then what happens, in order, until the iterator is closed or the bus is lost.

        A daemon that restarts is followed. Use `contextlib.aclosing` where the loop may be left early.

        Raises:
            DaemonNotRunning: at the beginning only.
            EventsLost: the reader of the events fell too far behind.
            ConnectionLost: the bus went away.
        """
        async with aclosing(watch(self._core.connection, self._snapshot)) as happening:
            async for event in happening:
                yield event

    async def register_agent(self, agent: Agent) -> str:
        """Offer to ask the user of this login for PINs and consents, and to show notices, until `unregister_agent` or
        `close`.

        A daemon that restarts has forgotten it: see `keep_agent`.

        Returns:
            What `unregister_agent` wants.
        """
        return await self._core.register(agent)

    async def keep_agent(
        self, agent: Agent, told: Callable[[CarddError | None], None] = lambda failure: None
    ) -> NoReturn:
        """Offer to ask the user of this login, to the daemon of now and to each that comes after it, until cancelled.

        The daemon is started at first where the bus can; one that stops is waited for.

        Args:
            agent: asks.
            told: what came of each registration: None, or why there is no daemon now.

        Raises:
            ConnectionLost: the bus went away.
            CarddError: the daemon does not take the agent.
        """
        await stay_registered(self._core, agent, told)

    async def unregister_agent(self, registration: str) -> None:
        """Withdraw an agent; its open questions are cancelled by the daemon."""
        await self._core.unregister(registration)

    async def reload(self) -> None:
        """Have the daemon read its configuration and its trust directory again (polkit's org.cardd1.configure).

        Raises:
            ConfigurationInvalid: with the line at fault; what was in force stays.
            NotAuthorized: polkit does not let this program.
        """
        await self._core.manager("Reload")

    @property
    def access(self) -> AccessRules:
        """What the daemon sees of this program, and its rules."""
        return AccessRules(self._core)

    @property
    def journal(self) -> Journal:
        """What the daemon has written down."""
        return Journal(self._core)

    @property
    def tokens(self) -> Tokens:
        """What the daemon does with tokens."""
        return Tokens(self._core)

    @property
    def daemon_runs(self) -> bool:
        """Say whether a daemon runs, without starting one."""
        return self._core.connection.owner is not None

    async def _snapshot(self) -> Mirror:
        owner = await self._core.connection.ensure_owner()
        root = Link(self._core, owner, ROOT)
        objects: Objects = await root.call(_GET_MANAGED_OBJECTS, gone=DaemonNotRunning)
        return Mirror(self._core, owner, await root.properties(MANAGER, gone=DaemonNotRunning), objects)
