"""The client's connection: `cardd.bus.transport`, with the daemon's comings and goings, and errors as exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from cardd.bus.failures import (
    BadReply,
    BusError,
    BusLost,
    BusUnavailable,
    CallTimedOut,
    StandardName,
)
from cardd.bus.failures import RemoteError as RemoteFailure
from cardd.bus.handshake import system_bus_address
from cardd.bus.matching import BUS, BUS_PATH, MatchRule
from cardd.bus.message import Header
from cardd.bus.names import SERVICE, SESSION
from cardd.bus.syntax import Unsendable
from cardd.bus.transport import RemoteMethod, Transport
from cardd.bus.transport import connect as connect_transport
from cardd.client.errors import BusUnreachable, ClientError, ConnectionLost, NoReply, UnexpectedReply, rebuild
from cardd.client.serving import ServedObjects
from cardd.client.wrapping import unwrapped, wrapped
from cardd.errors import InvalidArgument

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

_SIGNALS: Sequence[tuple[str, str, str]] = (
    (OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}"),
    (OBJECT_MANAGER, "InterfacesRemoved", "oas"),
    (PROPERTIES, "PropertiesChanged", "sa{sv}as"),
    (SESSION, "Ended", "s"),
)
"""What the daemon broadcasts: interface, member, signature."""

_START_PATIENCE = 60.0
"""Seconds for the bus to start the daemon: above the 25 s that a bus allows an activated service."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Signal:
    """A broadcast of the daemon; variants in `values` are unwrapped."""

    sender: str
    path: str
    interface: str
    member: str
    values: list[Any]


@dataclass(frozen=True)
class _NotingRule(MatchRule):
    """Keeps the header of what it matched last: a subscription's receiver is given the values alone."""

    noted: list[Header] = field(default_factory=list)

    def matches(self, header: Header) -> bool:
        found = MatchRule.matches(self, header)
        if found:
            self.noted[:] = [header]
        return found


class Connection:
    """A connection to a message bus on which cardd runs, or will.

    Attributes:
        owner: unique name of the daemon's connection, None while none runs.
        served: objects of ours that the daemon may call.
    """

    def __init__(self, transport: Transport) -> None:
        """Use `connect` instead."""
        self.owner: str | None = None
        self._transport = transport
        self._signal_listeners: list[Callable[[Signal], None]] = []
        self._owner_listeners: list[Callable[[str | None], None]] = []
        self._lost_listeners: list[Callable[[], None]] = []
        self.served = ServedObjects(transport)
        transport.on_lost(self._on_lost)

    @classmethod
    async def connect(cls, address: str | None) -> Self:
        """Connect, and listen for the daemon.

        Args:
            address: of the bus, None for the system bus.

        Raises:
            BusUnreachable: no such bus, or it refuses this process.
        """
        try:
            transport = await connect_transport(address)
        except BusUnavailable as error:
            reason = str(error).removeprefix("no message bus could be reached: ")
            raise BusUnreachable(address=address or system_bus_address(), reason=reason) from error
        connection = cls(transport)
        try:
            await connection._listen()
        except BaseException:
            transport.close()
            raise
        return connection

    async def close(self) -> None:
        """Send what waits, then close."""
        await self.served.close()
        await self._transport.flushed()
        self._transport.close()

    async def ensure_owner(self) -> str:
        """Return the daemon's unique name, having the bus start it where it can.

        Raises:
            DaemonNotRunning, DaemonStartFailed, AccessDenied: it does not run.
        """
        if self.owner is None:
            await self._ask_owner()  # it may have come a moment ago
        if self.owner is None:
            start = RemoteMethod(BUS, "StartServiceByName", "su", "u")
            await self._failing(self._transport.call(BUS, BUS_PATH, start, (SERVICE, 0), timeout=_START_PATIENCE))
            await self._ask_owner()
        if self.owner is None:
            raise rebuild(StandardName.NAME_HAS_NO_OWNER, "", {})
        return self.owner

    async def call(
        self, destination: str, path: str, method: RemoteMethod, values: Sequence[Any], patience: float | None
    ) -> list[Any]:
        """Call a method.

        Args:
            destination: unique name of the daemon.
            path: object.
            method: interface, member and signatures.
            values: arguments, options as plain values; an `OwnedFd` is closed once it has been sent.
            patience: seconds to wait for the reply, None for ever.

        Returns:
            The values of the reply, variants unwrapped.

        Raises:
            CarddError: as the daemon says; of `cardd.client.errors` where it did not come to that.
        """
        arguments = [wrapped(value) if isinstance(value, dict) else value for value in values]
        reply = await self._failing(self._transport.call(destination, path, method, arguments, timeout=patience))
        return [unwrapped(value) for value in reply]

    def listen(self, callback: Callable[[Signal], None]) -> Callable[[], None]:
        """Have each broadcast of the daemon handed over; returns what stops it."""
        return _add(self._signal_listeners, callback)

    def on_owner_change(self, callback: Callable[[str | None], None]) -> Callable[[], None]:
        """Have each change of the daemon's unique name told; returns what stops it."""
        return _add(self._owner_listeners, callback)

    def on_lost(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have the loss of the connection told once; returns what stops it."""
        if self._transport.lost.is_set():
            asyncio.get_running_loop().call_soon(callback)
        return _add(self._lost_listeners, callback)

    async def _listen(self) -> None:
        owner_rule = MatchRule(BUS, BUS, "NameOwnerChanged", arguments=((0, SERVICE),))
        subscriptions = [self._transport.subscribe(owner_rule, "sss", self._on_owner_changed)]
        for interface, member, signature in _SIGNALS:
            rule = _NotingRule(SERVICE, interface, member)
            subscriptions.append(self._transport.subscribe(rule, signature, self._receiver(rule)))
        for subscribing in subscriptions:
            await self._failing(subscribing)
        await self._ask_owner()

    async def _ask_owner(self) -> None:
        try:
            (owner,) = await self._failing(self._transport.call_bus("GetNameOwner", "s", (SERVICE,), "s"))
        except ClientError as error:
            if error.short_name != "DaemonNotRunning":
                raise
            owner = None
        self._set_owner(owner)

    def _receiver(self, rule: _NotingRule) -> Callable[[list[Any]], None]:
        def receive(values: list[Any]) -> None:
            header = rule.noted.pop()
            if header.sender != self.owner:
                return  # of a daemon that is gone: its objects are, too
            signal = Signal(header.sender, header.path or "", rule.interface, rule.member, unwrapped(values))
            for listener in tuple(self._signal_listeners):
                listener(signal)

        return receive

    def _on_owner_changed(self, values: list[Any]) -> None:
        name, _, owner = values
        if name == SERVICE:
            self._set_owner(owner or None)

    def _set_owner(self, owner: str | None) -> None:
        if owner != self.owner:
            self.owner = owner
            for listener in tuple(self._owner_listeners):
                listener(owner)

    def _on_lost(self) -> None:
        self.owner = None
        for listener in tuple(self._lost_listeners):
            listener()

    async def _failing(self, calling: Awaitable[_T]) -> _T:
        """Await something of the transport, its failures told as ours."""
        try:
            return await calling
        except RemoteFailure as error:
            raise rebuild(error.name, error.message, error.fields) from error
        except CallTimedOut as error:
            raise NoReply from error
        except BadReply as error:
            raise UnexpectedReply(detail=str(error)) from error
        except Unsendable as error:
            raise InvalidArgument(argument="value", reason=str(error)) from error
        except (BusLost, BusError) as error:
            raise ConnectionLost from error


def _add(callbacks: list[_T], callback: _T) -> Callable[[], None]:
    callbacks.append(callback)

    def stop() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return stop
