"""What the client's objects share: calls with errors told apart, ends of sessions, agents."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from cardd.bus.names import AGENT, MANAGER, ROOT, SESSION
from cardd.bus.transport import RemoteMethod
from cardd.bus.wire import variant
from cardd.client.agent import Agent, AgentFace, refuse_stranger
from cardd.client.connection import PROPERTIES, Connection, Signal
from cardd.client.ends import EndLedger
from cardd.client.errors import UNKNOWN_OBJECT, DaemonNotRunning, RemoteError
from cardd.client.serving import IncomingCall
from cardd.client.values import EndReason, Properties
from cardd.errors import CarddError

PATIENCE = 60.0
"""Seconds to wait for a reply where nobody is asked: a queue on a slow card may be long."""

_AGENT_METHODS = {
    "RequestPin": ("oa{sv}", "h"),
    "Confirm": ("oa{sv}", ""),
    "Notify": ("sa{sv}", ""),
    "Cancel": ("", ""),
}
_GET_ALL = RemoteMethod(PROPERTIES, "GetAll", "s", "a{sv}")


class Core:
    """The connection and its bookkeeping; `Card` and `Session` hold it by a `Link`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._faces: dict[str, AgentFace] = {}
        self.ends = EndLedger()
        self._agent_numbers = itertools.count(1)
        connection.listen(self._note_end)
        connection.on_owner_change(self._note_owner)
        connection.on_lost(lambda: self.ends.all_ended(EndReason.BUS_LOST))

    async def manager(self, member: str, takes: str = "", *values: object, may_start: bool = True) -> None:
        """Call a method of the manager that returns nothing, starting the daemon where it may and the bus can.

        Raises:
            CarddError: as the daemon or the connection says.
        """
        owner = await self.connection.ensure_owner() if may_start else self.connection.owner
        if owner is None:
            raise DaemonNotRunning
        await self.connection.call(owner, ROOT, RemoteMethod(MANAGER, member, takes), values, PATIENCE)

    async def register(self, agent: Agent, *, may_start: bool = True) -> str:
        """Offer an agent to the daemon.

        Args:
            agent: asks the user.
            may_start: start the daemon where none runs and the bus can; else that is `DaemonNotRunning`.

        Returns:
            The object path that it stands at.

        Raises:
            CarddError: as the daemon or the connection says.
        """
        path = f"{ROOT}/agent/n{next(self._agent_numbers)}"
        face = AgentFace(agent)

        async def serve(call: IncomingCall) -> tuple[object, ...]:
            refuse_stranger(call.sender, self.connection.owner)
            match call.member, call.values:
                case "RequestPin", [str(card), dict(details)]:
                    return (await face.request_pin(card, details),)
                case "Confirm", [str(session), dict(details)]:
                    await face.confirm(session, details)
                    return ()
                case "Notify", [str(kind), dict(details)]:
                    await face.notify(kind, details)
                    return ()
            face.cancel()
            return ()

        self._faces[path] = face
        self.connection.served.add(path, AGENT, _AGENT_METHODS, serve)
        try:
            can = variant("as", sorted(agent.abilities))
            await self.manager("RegisterAgent", "oa{sv}", path, {"can": can}, may_start=may_start)
        except BaseException:
            self.withdraw(path)
            raise
        return path

    async def unregister(self, path: str) -> None:
        """Withdraw an agent; a daemon that is gone has forgotten it already.

        Raises:
            CarddError: as the daemon or the connection says.
        """
        self.withdraw(path)
        owner = self.connection.owner
        if owner is not None:
            withdraw = RemoteMethod(MANAGER, "UnregisterAgent", "o")
            await self.connection.call(owner, ROOT, withdraw, (path,), PATIENCE)

    def withdraw(self, path: str) -> None:
        """Answer no more at an agent's path; what it is asking is cancelled. The daemon is not told."""
        self.connection.served.remove(path)
        self._faces.pop(path).cancel()

    @asynccontextmanager
    async def agent(self, agent: Agent | None) -> AsyncIterator[None]:
        """Have an agent registered for the length of a block; None: leave things as they are."""
        if agent is None:
            yield
            return
        path = await self.register(agent)
        try:
            yield
        finally:
            # What the block says matters more; and an agent whose path answers no more is as good as withdrawn.
            with suppress(CarddError):
                await self.unregister(path)

    def _note_end(self, signal: Signal) -> None:
        if (signal.interface, signal.member) == (SESSION, "Ended"):
            match signal.values:
                case [str(reason)]:
                    self.ends.ended(signal.sender, signal.path, reason)

    def _note_owner(self, owner: str | None) -> None:
        del owner  # whoever comes next knows nothing of the sessions so far
        self.ends.all_ended(EndReason.DAEMON_STOPPED)


class Link:
    """One object of one run of the daemon.

    Calls go to that run's own connection: after a restart the path may stand for another card, and must not be
    mistaken for this one.
    """

    __slots__ = ("core", "owner", "path")

    def __init__(self, core: Core, owner: str, path: str) -> None:
        self.core = core
        self.owner = owner
        self.path = path

    async def call(
        self,
        method: RemoteMethod,
        *values: object,
        gone: Callable[[], CarddError],
        patience: float | None = PATIENCE,
    ) -> Any:
        """Call a method of the object.

        Args:
            method: interface, member and signatures.
            values: arguments; an `OwnedFd` is closed once it has been sent.
            gone: makes the error for an object that is no longer there.
            patience: seconds to wait, None for as long as it takes (somebody is asked).

        Returns:
            The value of the reply, a tuple of several, None where it has none.

        Raises:
            CarddError: as the daemon or the connection says.
        """
        try:
            reply = await self.core.connection.call(self.owner, self.path, method, values, patience)
        except DaemonNotRunning as error:
            raise gone() from error
        except RemoteError as error:
            if error.fields["error"] in UNKNOWN_OBJECT:
                raise gone() from error
            raise
        if len(reply) > 1:
            return tuple(reply)
        return reply[0] if reply else None

    async def properties(self, interface: str, *, gone: Callable[[], CarddError]) -> Properties:
        """Read the properties of one interface.

        Raises:
            CarddError: as `call`.
        """
        found: Properties = await self.call(_GET_ALL, interface, gone=gone)
        return found
