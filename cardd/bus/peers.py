"""Who is on the other end: looked up once a connection, forgotten when it leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cardd.access.caller import Caller
from cardd.bus.failures import BusError
from cardd.bus.matching import BUS, BUS_PATH, MatchRule
from cardd.bus.report import describe
from cardd.bus.transport import Transport

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Peer:
    caller: Caller | None = None
    waiting: list[Callable[[Caller | None], None]] = field(default_factory=list)


class Peers:
    """The connections that have called.

    Args:
        transport: the bus.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._peers: dict[str, _Peer] = {}
        self._on_departure: list[Callable[[str], None]] = []
        self._on_arrival: list[Callable[[Caller], None]] = []
        self._lookups: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to notice departures; before the first call is taken.

        Raises:
            BusError: the bus does not do it.
        """
        # Only names that lose their owner: arrivals of strangers are no reason to wake up.
        rule = MatchRule(BUS, BUS, "NameOwnerChanged", BUS_PATH, ((2, ""),))
        await self._transport.subscribe(rule, "sss", self._on_name_owner_changed)

    def known(self, name: str) -> Caller | None:
        """Who that connection is, None while that has not been asked."""
        peer = self._peers.get(name)
        return peer.caller if peer is not None else None

    def identify(self, name: str, then: Callable[[Caller | None], None]) -> None:
        """Ask the bus who a connection is.

        Args:
            name: unique name.
            then: called with the answer, in the order of asking; with None when the bus does not know it; never when
                the connection has left.
        """
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = _Peer()
        if peer.caller is not None:
            then(peer.caller)
            return
        peer.waiting.append(then)
        if len(peer.waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._look_up(name, peer), name=f"identify {name}")
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    def on_departure(self, callback: Callable[[str], None]) -> None:
        """Have something called with the unique name of each connection that leaves the bus."""
        self._on_departure.append(callback)

    def on_arrival(self, callback: Callable[[Caller], None]) -> None:
        """Have something called with each connection that calls, once the bus has said who it is and before anybody who
        waits for that.
        """
        self._on_arrival.append(callback)

    async def _look_up(self, name: str, peer: _Peer) -> None:
        caller = await credentials_of(self._transport, name)
        if self._peers.get(name) is not peer:
            return  # it has left meanwhile
        peer.caller = caller
        waiting, peer.waiting = peer.waiting, []
        if caller is not None:
            self._tell_arrival(caller)
        for then in waiting:
            then(caller)

    def _tell_arrival(self, caller: Caller) -> None:
        for callback in self._on_arrival:
            try:
                callback(caller)
            except Exception as error:  # one watcher's failure must not keep the call from being answered
                _log.error("a watcher of %s failed: %s", caller.name, describe(error))

    def _on_name_owner_changed(self, values: list[Any]) -> None:
        name, _, new_owner = values
        if new_owner:
            return
        self._peers.pop(name, None)
        for callback in self._on_departure:
            try:
                callback(name)
            except Exception as error:  # one watcher's failure must not hide the departure from the others
                _log.error("a watcher of %s failed: %s", name, describe(error))


async def credentials_of(transport: Transport, name: str) -> Caller | None:
    """Ask the bus who a connection is, at this moment; None when it has left or the bus does not tell.

    Args:
        transport: the bus.
        name: unique name.
    """
    try:
        (facts,) = await transport.call_bus("GetConnectionCredentials", "s", (name,), "a{sv}")
    except BusError as error:
        _log.info("the bus does not tell who %s is: %s", name, error)
        return None
    return _caller(name, {key: value.value for key, value in facts.items()})


def _caller(name: str, facts: dict[str, Any]) -> Caller | None:
    """From the keys of GetConnectionCredentials (D-Bus specification, "Message Bus Messages")."""
    uid = facts.get("UnixUserID")
    if not isinstance(uid, int):
        return None
    pid = facts.get("ProcessID")
    groups = facts.get("UnixGroupIDs")
    return Caller(name, uid, pid if isinstance(pid, int) else None, tuple(groups) if isinstance(groups, list) else ())
