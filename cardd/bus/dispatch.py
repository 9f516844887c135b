"""From a method call's message to the handler, and from its result to the reply.

Everything that a call needs is in one place: who calls, its own task, cancellation when the caller leaves, limits,
arguments, descriptors, errors, and the last look before the result leaves.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from cardd.access.caller import Caller
from cardd.bus.declaration import MethodDeclaration
from cardd.bus.descriptors import OwnedFd, close_all, descriptors_in
from cardd.bus.failures import StandardError, StandardName
from cardd.bus.framing import Incoming
from cardd.bus.interface import Call, Interface
from cardd.bus.ledger import Ledger
from cardd.bus.message import Flag, Header
from cardd.bus.objects import ObjectTree
from cardd.bus.outgoing import Outgoing, error_reply, method_return
from cardd.bus.peers import Peers
from cardd.bus.report import describe
from cardd.bus.standard import StandardInterfaces, StandardMethod
from cardd.bus.syntax import Malformed, TooLong, Unsendable
from cardd.bus.transport import Transport
from cardd.errors import Cancelled, CarddError, Internal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Handler:
    interface: Interface
    declaration: MethodDeclaration


@dataclass(slots=True, eq=False)
class _Work:
    """A call that was taken in."""

    message: Incoming
    handler: _Handler
    arguments: list[Any]
    task: asyncio.Task[None] | None = None
    dropped: bool = False
    returned: list[OwnedFd] = field(default_factory=list)

    @property
    def header(self) -> Header:
        return self.message.header


class Dispatcher:
    """Answers the method calls of a connection: `start` it, then request the service's name.

    Args:
        transport: the connection; its calls come here from now on.
        tree: the objects.
        missing: says why there is no object at a path, where more is known than that.
        refused: told of each call that ends with one of our own errors, before its reply leaves.
        reference: makes the reference under which the log names an unforeseen failure.
    """

    def __init__(
        self,
        transport: Transport,
        tree: ObjectTree,
        *,
        missing: Callable[[str], CarddError | None] = lambda path: None,
        refused: Callable[[Call, CarddError], Awaitable[None]] | None = None,
        reference: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self._transport = transport
        self._tree = tree
        self._missing = missing
        self._refused = refused
        self._peers = Peers(transport)
        self._reference = reference
        self._standard = StandardInterfaces(tree)
        self._ledger = Ledger(transport.limits)
        self._works: dict[str, set[_Work]] = {}
        self._stopping = False
        transport.on_call = self._receive
        transport.on_lost(self._on_lost)
        self._peers.on_departure(self._on_departure)

    async def start(self) -> None:
        """Begin to notice who leaves the bus; before the service's name is requested.

        Raises:
            BusError: the bus does not tell.
        """
        await self._peers.start()

    def on_departed(self, callback: Callable[[str], None]) -> None:
        """Have something called with the unique name of each connection that leaves the bus, once its calls have been
        cancelled.
        """
        self._peers.on_departure(callback)

    def on_arrived(self, callback: Callable[[Caller], None]) -> None:
        """Have something called with each connection that calls an object of ours for the first time, before that call
        is served.
        """
        self._peers.on_arrival(callback)

    async def stop(self) -> None:
        """Answer every call under way with Cancelled, and each new one; returns when their handlers have ended."""
        self._stopping = True
        works = [work for found in self._works.values() for work in found]
        for work in works:
            if work.task is None:
                self._reply_error(work.header, Cancelled())
                self._drop(work)
            else:
                work.task.cancel()
        tasks = [work.task for work in works if work.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    def _receive(self, message: Incoming) -> None:
        try:
            self._admit(message)
        except Exception as error:  # whatever a message holds, it costs its own sender an error and nobody else
            message.close()
            self._reply_error(message.header, error)

    def _admit(self, message: Incoming) -> None:
        header = message.header
        if self._stopping:
            raise Cancelled
        if message.too_long:
            limit = self._transport.limits.message_bytes
            raise StandardError(StandardName.LIMITS_EXCEEDED, f"a message has at most {limit} bytes: use a descriptor")
        if not message.complete:
            raise StandardError(StandardName.LIMITS_EXCEEDED, "descriptors of the message were lost")
        target = self._resolve(header)
        if header.signature != target.declaration.takes:
            raise StandardError(
                StandardName.INVALID_ARGS,
                f"{header.member} takes ({target.declaration.takes}), not ({header.signature})",
            )
        if isinstance(target, StandardMethod):
            self._answer_standard(message, target)
        else:
            self._take_in(message, target)

    def _resolve(self, header: Header) -> StandardMethod | _Handler:
        """The method that is meant; a call without an interface means the first that has it."""
        path, member = header.path or "", header.member or ""
        interfaces = self._tree.interfaces(path)
        for interface in interfaces.values():
            found = interface.declaration.methods.get(member)
            if found is not None and header.interface in (None, interface.name):
                return _Handler(interface, found)
        standard = self._standard.find(path, header.interface, member)
        if standard is not None:
            return standard
        known = self._standard.at(path)
        if header.interface in interfaces or header.interface in known:
            raise StandardError(StandardName.UNKNOWN_METHOD, "the interface has no such method")
        if not interfaces and path != self._tree.root:
            reason = self._missing(path)
            if reason is not None:
                raise reason
            raise StandardError(StandardName.UNKNOWN_OBJECT, "there is no such object, or no longer")
        if header.interface is None:
            raise StandardError(StandardName.UNKNOWN_METHOD, "the object has no such method")
        raise StandardError(StandardName.UNKNOWN_INTERFACE, "the object has no such interface")

    def _answer_standard(self, message: Incoming, target: StandardMethod) -> None:
        result = target.answer(message.header.path or "", _arguments(message, target.declaration))
        message.close()
        self._reply(message.header, target.declaration.returns, result)

    def _take_in(self, message: Incoming, handler: _Handler) -> None:
        header = message.header
        self._ledger.open(header.sender, message.size, len(message.descriptors))
        try:
            work = _Work(message, handler, _arguments(message, handler.declaration))
        except BaseException:
            self._ledger.close(header.sender, message.size, header.unix_fds)
            raise
        self._works.setdefault(header.sender, set()).add(work)
        self._peers.identify(header.sender, lambda caller: self._start(work, caller))

    def _start(self, work: _Work, caller: Caller | None) -> None:
        if work.dropped:
            return
        if caller is None:
            refusal = StandardError(StandardName.ACCESS_DENIED, "the bus does not tell who is calling")
            self._reply_error(work.header, refusal)
            self._finish(work)
            return
        name = f"{work.handler.interface.name}.{work.handler.declaration.name}"
        work.task = asyncio.get_running_loop().create_task(self._run(work, caller), name=name)
        # Not within the coroutine: a task that is cancelled before its first step never enters it.
        work.task.add_done_callback(lambda task: self._ended(work, task))

    async def _run(self, work: _Work, caller: Caller) -> None:
        header, declaration = work.header, work.handler.declaration
        call = Call(
            sender=header.sender,
            caller=caller,
            path=header.path or "",
            interface=work.handler.interface.name,
            member=declaration.name,
            no_reply=not header.wants_reply,
            interactive=bool(header.flags & Flag.ALLOW_INTERACTIVE_AUTHORIZATION),
        )
        try:
            result = await getattr(work.handler.interface, declaration.attribute)(call, *work.arguments)
            work.returned = list(descriptors_in(result))
            if work.dropped:
                close_all(work.returned)
            else:
                self._reply(header, declaration.returns, _as_values(result, declaration), call)
        except Exception as error:  # the caller gets an answer whatever the handler does
            close_all(work.returned)
            await self._tell_refused(call, error)
            if not work.dropped:
                self._reply_error(header, error)

    async def _tell_refused(self, call: Call, error: Exception) -> None:
        if self._refused is None or not isinstance(error, CarddError):
            return
        try:
            await self._refused(call, error)
        except Exception as failure:  # the caller is refused all the same
            _log.error("a refusal was not told: %s", describe(failure))

    def _ended(self, work: _Work, task: asyncio.Task[None]) -> None:
        if task.cancelled() and not work.dropped:
            self._reply_error(work.header, Cancelled())
        self._finish(work)

    def _finish(self, work: _Work) -> None:
        """Close what came with a call, what its reply took along aside, and forget it."""
        returned = {id(descriptor) for descriptor in work.returned}
        came = (*work.message.descriptors, *descriptors_in(work.arguments))
        close_all(descriptor for descriptor in came if id(descriptor) not in returned)
        self._ledger.close(work.header.sender, work.message.size, len(work.message.descriptors))
        works = self._works[work.header.sender]
        works.discard(work)
        if not works:
            del self._works[work.header.sender]

    def _on_departure(self, name: str) -> None:
        for work in list(self._works.get(name, ())):
            self._drop(work)

    def _on_lost(self) -> None:
        for name in list(self._works):
            self._on_departure(name)

    def _drop(self, work: _Work) -> None:
        """End a call that nobody waits for any longer."""
        work.dropped = True
        if work.task is None:
            self._finish(work)
        else:
            work.task.cancel()

    def _reply(self, header: Header, signature: str, values: list[Any], call: Call | None = None) -> None:
        """Send a result; the descriptors in it belong to the reply.

        Raises:
            Unsendable: it is not what the method promises, or too long; the descriptors are closed.
        """
        if not header.wants_reply:
            close_all(descriptors_in(values))
            return
        self._tree.flush()
        limit = self._transport.limits.message_bytes
        reply = method_return(header, self._transport.next_serial(), signature, values, limit)
        if call is not None:
            reply.substitute = lambda: self._guarded(header, call)
        if reply.descriptors:
            refusal = StandardError(StandardName.LIMITS_EXCEEDED, "too many descriptors are on their way")
            reply.too_many_descriptors = self._error_bytes(header, refusal)
        self._transport.send(reply)

    def _guarded(self, header: Header, call: Call) -> bytes | None:
        """What leaves instead of a result."""
        if call.guard is None:
            return None
        try:
            error: Exception | None = call.guard()
        except Exception as failure:  # a guard that fails has not allowed anything
            error = failure
        return None if error is None else self._error_bytes(header, self._visible(header, error))

    def _reply_error(self, header: Header, error: Exception) -> None:
        visible = self._visible(header, error)
        if header.wants_reply:
            self._tree.flush()
            self._transport.send(Outgoing(self._error_bytes(header, visible)))

    def _error_bytes(self, header: Header, error: CarddError | StandardError) -> bytes:
        serial = self._transport.next_serial()
        try:
            return error_reply(header, serial, error)
        except Unsendable as failure:
            return error_reply(header, serial, self._internal(header, failure))

    def _visible(self, header: Header, error: Exception) -> CarddError | StandardError:
        """The error as its caller may see it."""
        if isinstance(error, CarddError | StandardError):
            return error
        if isinstance(error, TooLong):
            return StandardError(StandardName.LIMITS_EXCEEDED, "the answer is longer than a message may be")
        return self._internal(header, error)

    def _internal(self, header: Header, error: Exception) -> Internal:
        reference = self._reference()
        _log.error("%s: %s.%s failed: %s", reference, header.interface, header.member, describe(error))
        return Internal(reference=reference)


def _arguments(message: Incoming, declaration: MethodDeclaration) -> list[Any]:
    """The arguments of a call whose signature is the right one.

    Raises:
        StandardError: InvalidArgs for a body that does not follow it, LimitsExceeded without descriptors left.
    """
    try:
        return message.values(declaration.takes)
    except Malformed as error:
        raise StandardError(StandardName.INVALID_ARGS, f"the arguments cannot be read: {error}") from None
    except OSError:
        raise StandardError(StandardName.LIMITS_EXCEEDED, "no descriptor is left") from None


def _as_values(result: object, declaration: MethodDeclaration) -> list[Any]:
    """What a handler returned, one value for each of the method's results.

    Raises:
        Unsendable: too few, too many, or something where nothing is promised.
    """
    expected = len(declaration.outputs)
    if expected == 1:
        return [result]
    given = () if result is None else result
    if not isinstance(given, tuple) or len(given) != expected:
        raise Unsendable(f"{declaration.name} returned {type(result).__name__}, not {expected} values")
    return list(given)
