"""The connection to the bus: calls, signals and replies, and that it may be gone.

dbus-next marshals and authenticates; the socket, its reader and its queue are ours, because those of dbus-next close
the connection when the socket is full, leak descriptors and lose signals in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cardd.bus.descriptors import close_all, descriptors_in
from cardd.bus.failures import (
    BadReply,
    BusLost,
    BusUnavailable,
    CallTimedOut,
    NameTaken,
    RemoteError,
    StandardError,
    StandardName,
)
from cardd.bus.framing import Incoming
from cardd.bus.handshake import open_socket, system_bus_address
from cardd.bus.limits import Limits
from cardd.bus.matching import BUS, BUS_PATH, MatchRule, Subscription
from cardd.bus.message import Flag, Header, Kind
from cardd.bus.outgoing import Outgoing, build, error_reply
from cardd.bus.receiver import Receiver
from cardd.bus.report import describe
from cardd.bus.syntax import Malformed
from cardd.bus.writer import Writer
from cardd.errors import fields_of

CONNECT_SECONDS: Final = 25.0
CALL_SECONDS: Final = 25.0
"""As in the reference implementation (DBUS_DEFAULT_TIMEOUT_VALUE)."""

_DO_NOT_QUEUE: Final = 4
_PRIMARY_OWNER: Final = 1
_MAX_SERIAL: Final = (1 << 32) - 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteMethod:
    """A method of another connection's object.

    Args:
        interface: its interface.
        member: its name.
        takes: signature of the arguments.
        returns: signature that the answer must have.
    """

    interface: str
    member: str
    takes: str = ""
    returns: str = ""


@dataclass(frozen=True, slots=True)
class _Pending:
    destination: str
    answer: asyncio.Future[Incoming]

    def accepts(self, header: Header) -> bool:
        """Whether the answer comes from the one who was asked, or from the bus when that one cannot be reached."""
        return header.sender in (self.destination, BUS) or not self.destination.startswith(":")


class Transport:
    """An open connection to a message bus, made by `connect` and used by the loop's own thread only.

    Attributes:
        unique_name: this connection's name on the bus.
        limits: of messages and of the queue.
        lost: set when the connection is gone, whoever ended it.
        lost_reason: why, in words; empty while connected.
        on_call: receives every method call and owns the message.
    """

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.unique_name = ""
        self.limits = limits
        self.lost = asyncio.Event()
        self.lost_reason = ""
        self.on_call: Callable[[Incoming], None] = self._refuse_call
        self._sock = sock
        self._writer = Writer(sock, limits.queue_bytes, self._lose)
        self._receiver = Receiver(sock, limits.message_bytes, self._on_message, self._lose)
        self._serial = 0
        self._pending: dict[int, _Pending] = {}
        self._subscriptions: list[Subscription] = []
        self._drop_told = False
        self._on_lost: list[Callable[[], None]] = []

    def next_serial(self) -> int:
        """A number for the next message: never 0, unique among 2³² messages."""
        self._serial = self._serial % _MAX_SERIAL + 1
        return self._serial

    def send(self, message: Outgoing, *, urgent: bool = False) -> bool:
        """Hand a message to the queue.

        Args:
            message: its descriptors are closed whatever happens.
            urgent: overtake all that has not begun to leave.

        Returns:
            False when the bus is lost; the message is dropped then, and the log says so once.
        """
        sent = self._writer.push(message, urgent=urgent)
        if not sent and not self._drop_told:
            self._drop_told = True
            _log.warning("the bus is lost, messages are dropped from now on: %s", self.lost_reason)
        return sent

    def send_signal(
        self, path: str, interface: str, member: str, signature: str, values: Sequence[Any], *, urgent: bool = False
    ) -> bool:
        """Broadcast a signal.

        Returns:
            False when the bus is lost.

        Raises:
            Unsendable: a name or value that the bus would not take.
        """
        header = Header(
            Kind.SIGNAL,
            Flag.NO_REPLY_EXPECTED,
            self.next_serial(),
            path=path,
            interface=interface,
            member=member,
            signature=signature,
        )
        return self.send(build(header, values, self.limits.message_bytes), urgent=urgent)

    async def call(
        self,
        destination: str,
        path: str,
        method: RemoteMethod,
        values: Sequence[Any] = (),
        *,
        timeout: float | None = CALL_SECONDS,
        flags: Flag = Flag.NONE,
    ) -> list[Any]:
        """Call a method of another connection. Cancelling gives up the answer.

        Args:
            destination: unique or well-known name.
            path: object.
            method: what is called.
            values: the arguments; an `OwnedFd` among them is closed once it has been sent.
            timeout: seconds to wait, None for ever.
            flags: of the message.

        Returns:
            The answer's values; the caller closes each `OwnedFd` among them. Nothing, at once, with
            NO_REPLY_EXPECTED.

        Raises:
            RemoteError: the other side answered with an error.
            CallTimedOut: no answer in time.
            BadReply: the answer has another signature than `method.returns`, or is malformed or too long.
            BusLost: the connection is gone.
            Unsendable: a name or value that the bus would not take.
        """
        serial = self.next_serial()
        header = Header(
            Kind.METHOD_CALL,
            flags,
            serial,
            path=path,
            interface=method.interface,
            member=method.member,
            destination=destination,
            signature=method.takes,
        )
        message = build(header, values, self.limits.message_bytes)
        if flags & Flag.NO_REPLY_EXPECTED:
            if not self.send(message):
                raise BusLost(self.lost_reason)
            return []
        answer: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()
        self._pending[serial] = _Pending(destination, answer)
        try:
            if not self.send(message):
                raise BusLost(self.lost_reason)
            return _values_of(await _answered(answer, timeout), method.returns)
        finally:
            del self._pending[serial]

    async def call_bus(self, member: str, takes: str, values: Sequence[Any], returns: str) -> list[Any]:
        """Call a method of the bus itself; raises as `call` does."""
        return await self.call(BUS, BUS_PATH, RemoteMethod(BUS, member, takes, returns), values)

    async def request_name(self, name: str) -> None:
        """Become the owner of a well-known name.

        Raises:
            NameTaken: another connection owns it.
            RemoteError: the bus does not allow it.
        """
        (reply,) = await self.call_bus("RequestName", "su", (name, _DO_NOT_QUEUE), "u")
        if reply != _PRIMARY_OWNER:
            raise NameTaken(f"another process owns {name} on this bus")

    async def subscribe(
        self, rule: MatchRule, signature: str, receive: Callable[[list[Any]], None], *, with_path: bool = False
    ) -> Subscription:
        """Receive the broadcasts that a rule describes (see `Subscription`); raises as `call` does."""
        subscription = Subscription(rule, signature, receive, with_path)
        self._subscriptions.append(subscription)
        try:
            await self.call_bus("AddMatch", "s", (rule.text(),), "")
        except BaseException:
            self._subscriptions.remove(subscription)
            raise
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; raises as `call` does."""
        self._subscriptions.remove(subscription)
        await self.call_bus("RemoveMatch", "s", (subscription.rule.text(),), "")

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Have something called when the connection is gone; at once in the loop's next turn if it already is."""
        if self.lost.is_set():
            asyncio.get_running_loop().call_soon(callback)
        else:
            self._on_lost.append(callback)

    async def flushed(self) -> None:
        """Wait until all that was sent has left, or the connection is gone."""
        await self._writer.flushed()

    def close(self) -> None:
        """End the connection; what waits is dropped (`flushed` first, if it should not be)."""
        self._lose("the connection was closed")

    def _on_message(self, message: Incoming) -> None:
        try:
            self._route(message)
        except Exception as error:  # one message's failure must not stop the reading
            message.close()
            _log.error("a message of kind %d failed: %s", message.header.kind, describe(error))

    def _route(self, message: Incoming) -> None:
        kind = message.header.kind
        if kind == Kind.METHOD_CALL:
            self.on_call(message)
        elif kind in (Kind.METHOD_RETURN, Kind.ERROR):
            self._on_answer(message)
        elif kind == Kind.SIGNAL:
            self._on_signal(message)
        else:  # "unknown types must be ignored"
            message.close()

    def _on_answer(self, message: Incoming) -> None:
        pending = self._pending.get(message.header.reply_serial)
        if pending is None or pending.answer.done() or not pending.accepts(message.header):
            message.close()
        else:
            pending.answer.set_result(message)

    def _on_signal(self, message: Incoming) -> None:
        with contextlib.closing(message):
            for subscription in [found for found in self._subscriptions if found.rule.matches(message.header)]:
                try:
                    values = message.values(subscription.signature)
                except Malformed as error:
                    _log.warning("signal %s dropped: %s", message.header.member, error)
                else:
                    self._deliver(subscription, [message.header.path, *values] if subscription.with_path else values)

    def _deliver(self, subscription: Subscription, values: list[Any]) -> None:
        try:
            subscription.receive(values)
        except Exception as error:  # one listener's failure must not stop the reading
            _log.error("a listener of %s failed: %s", subscription.rule.member, describe(error))

    def _refuse_call(self, message: Incoming) -> None:
        with contextlib.closing(message):
            if message.header.wants_reply:
                refusal = StandardError(StandardName.UNKNOWN_OBJECT, "there are no objects here")
                self.send(Outgoing(error_reply(message.header, self.next_serial(), refusal)))

    def _lose(self, reason: str) -> None:
        if self.lost.is_set():
            return
        self.lost_reason = reason
        self.lost.set()
        _log.info("bus connection ended: %s", reason)
        self._writer.close()
        self._receiver.close()
        self._sock.close()
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(BusLost(reason))
        for callback in self._on_lost:
            asyncio.get_running_loop().call_soon(callback)


async def connect(address: str | None = None, limits: Limits | None = None) -> Transport:
    """Connect to a message bus and say Hello.

    Args:
        address: of the bus, None for the system bus.
        limits: None for the defaults.

    Raises:
        BusUnavailable: no bus there, or it refuses this process.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            transport = Transport(await open_socket(address or system_bus_address()), limits or Limits())
            try:
                (transport.unique_name,) = await transport.call_bus("Hello", "", (), "s")
            except BaseException:
                transport.close()
                raise
    except TimeoutError:
        raise BusUnavailable("the bus does not answer") from None
    except (BusLost, RemoteError, BadReply, CallTimedOut) as error:
        raise BusUnavailable(f"the bus refuses the connection: {error}") from error
    return transport


async def _answered(answer: asyncio.Future[Incoming], timeout: float | None) -> Incoming:
    try:
        async with asyncio.timeout(timeout):
            return await answer
    except BaseException as error:
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            answer.result().close()  # it came while this was being cancelled
        if isinstance(error, TimeoutError):
            raise CallTimedOut(f"no answer within {timeout} s") from None
        raise


def _values_of(message: Incoming, returns: str) -> list[Any]:
    """The values of an answer; descriptors among them now belong to the caller, the others are closed."""
    try:
        values = _read_answer(message, returns)
    except BaseException:
        message.close()
        raise
    given = {id(descriptor) for descriptor in descriptors_in(values)}
    close_all(descriptor for descriptor in message.descriptors if id(descriptor) not in given)
    return values


def _read_answer(message: Incoming, returns: str) -> list[Any]:
    if message.too_long or not message.complete:
        raise BadReply("the answer is too long or lost its descriptors")
    try:
        if message.header.kind == Kind.ERROR:
            raise _remote_error(message)
        return message.values(returns)
    except Malformed as error:
        raise BadReply(f"the answer cannot be read: {error}") from None


def _remote_error(message: Incoming) -> RemoteError:
    name = message.header.error_name or ""
    signature = message.header.signature
    if signature != "s":
        return RemoteError(name, "", {})
    (sentence,) = message.values(signature)
    return RemoteError(name, sentence, fields_of(name, sentence))
