"""Objects of the client that the daemon calls: agents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from cardd.bus.failures import StandardError, StandardName
from cardd.bus.framing import Incoming
from cardd.bus.message import Header
from cardd.bus.outgoing import Outgoing, error_reply, method_return
from cardd.bus.syntax import Malformed
from cardd.bus.transport import Transport
from cardd.client.wrapping import unwrapped
from cardd.errors import AgentFailed, CarddError


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call to one of our objects; variants in `values` are unwrapped."""

    sender: str
    member: str
    values: list[Any]


Handler = Callable[[IncomingCall], Awaitable[tuple[Any, ...]]]
"""Serves a call: returns the values of the reply, or raises a `CarddError`."""


@dataclass(frozen=True, slots=True)
class _Served:
    """An object of ours: its interface, and its methods (arguments' and reply's signature) by name."""

    interface: str
    methods: Mapping[str, tuple[str, str]]
    handler: Handler


class ServedObjects:
    """Answers the calls that a connection receives, each in a task of its own.

    Args:
        transport: the connection; its calls come here from now on.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._objects: dict[str, _Served] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        transport.on_call = self._on_call

    def add(self, path: str, interface: str, methods: Mapping[str, tuple[str, str]], handler: Handler) -> None:
        """Answer calls to an object.

        Args:
            path: of the object.
            interface: the only one that it has.
            methods: signatures of arguments and of the reply, by name.
            handler: serves each call.
        """
        self._objects[path] = _Served(interface, methods, handler)

    def remove(self, path: str) -> None:
        """Take an object away."""
        self._objects.pop(path, None)

    async def close(self) -> None:
        """Cancel what is being served; each call gets its error."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_call(self, message: Incoming) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Incoming) -> None:
        with closing(message):
            reply = await self._reply_to(message)
            if message.header.wants_reply:
                self._transport.send(reply)

    async def _reply_to(self, message: Incoming) -> Outgoing:
        header, transport = message.header, self._transport
        try:
            served, takes, returns = self._find(header)
            call = IncomingCall(header.sender, header.member or "", unwrapped(message.values(takes)))
            values = await served.handler(call)
            return method_return(header, transport.next_serial(), returns, values, transport.limits.message_bytes)
        except (CarddError, StandardError) as error:
            failure: CarddError | StandardError = error
        except Malformed:
            failure = StandardError(StandardName.INVALID_ARGS, "the arguments are not those of the method")
        except Exception as error:  # whatever an agent's author let happen: its text may hold a secret
            failure = AgentFailed(reason=type(error).__name__)
        return Outgoing(error_reply(header, transport.next_serial(), failure))

    def _find(self, header: Header) -> tuple[_Served, str, str]:
        served = self._objects.get(header.path or "")
        if served is None:
            raise StandardError(StandardName.UNKNOWN_OBJECT, "no such object")
        signatures = served.methods.get(header.member or "")
        if header.interface not in (None, served.interface) or signatures is None:
            raise StandardError(StandardName.UNKNOWN_METHOD, "no such method")
        return served, *signatures
