"""A small service on a private bus, with a method for every way in which a call can go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

from cardd.bus.dispatch import Dispatcher
from cardd.bus.interface import Call, Interface, Options, OwnedFd, Signal, dbus_property, method
from cardd.bus.limits import Limits
from cardd.bus.message import Flag, Header, Kind, encode_message
from cardd.bus.objects import ObjectTree
from cardd.bus.outgoing import Outgoing
from cardd.bus.transport import RemoteMethod, Transport, connect
from cardd.errors import CarddError, PinIncorrect, SessionEnded

SERVICE = "org.example.Gadgets"
ROOT = "/org/example/gadgets"
PATH = f"{ROOT}/one"
NAME = "org.example.Gadget"
SECRET = "secret-4711"

ECHO = RemoteMethod(NAME, "Echo", "ay", "ay")
WAIT = RemoteMethod(NAME, "Wait", "h", "")
GUARDED = RemoteMethod(NAME, "Guarded", "u", "ay")
FAIL = RemoteMethod(NAME, "Fail", "s", "")


class Gadget(Interface):
    """What the tests call."""

    name = NAME
    ended = Signal("s", names=("reason",))
    ticked = Signal("ay", names=("padding",))

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.called = asyncio.Event()
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.release = asyncio.Event()
        self.kept: list[OwnedFd] = []
        self.end: CarddError | None = None
        self.number = 1

    @dbus_property("u")
    def level(self) -> int:
        """A number."""
        return self.number

    @dbus_property("s")
    def broken(self) -> str:
        """Never to be had."""
        raise RuntimeError(SECRET)

    @method("ay", "ay", in_names=("data",), out_names=("data",))
    async def echo(self, call: Call, data: bytes) -> bytes:
        """Give back."""
        self.calls.append(call)
        self.called.set()
        return data

    @method("", "su", out_names=("name", "uid"))
    async def who_am_i(self, call: Call) -> tuple[str, int]:
        """Say who calls."""
        return call.caller.name, call.caller.uid

    @method("h", in_names=("held",))
    async def wait(self, call: Call, held: OwnedFd) -> None:
        """Wait for the release."""
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    @method("u", "ay", in_names=("size",), out_names=("data",))
    async def guarded(self, call: Call, size: int) -> bytes:
        """A result that no longer counts once the end has come."""
        call.guard = lambda: self.end
        return bytes(size)

    @method()
    async def guard_fails(self, call: Call) -> None:
        """A guard with a mistake in it."""

        def guard() -> CarddError | None:
            raise KeyError(SECRET)

        call.guard = guard

    @method("s", in_names=("text",))
    async def fail(self, call: Call, text: str) -> None:
        """Fail in an unforeseen way."""
        raise RuntimeError(f"cannot use {text}")

    @method()
    async def fail_as_foreseen(self, call: Call) -> None:
        """Fail with one of cardd's errors."""
        raise PinIncorrect(tries_left=2)

    @method()
    async def fail_unspeakably(self, call: Call) -> None:
        """Fail with an error whose field the bus would not take."""
        raise SessionEnded(reason="nul\0")

    @method("", "s", out_names=("text",))
    async def wrong_type(self, call: Call) -> str:
        """Promise text and return a number."""
        result: Any = 5
        return result  # type: ignore[no-any-return]  # the mistake that is tested

    @method("", "s", out_names=("text",))
    async def holds_nul(self, call: Call) -> str:
        """Return what makes the bus close the connection."""
        return "a\0b"

    @method("", "ss", out_names=("one", "two"))
    async def too_few(self, call: Call) -> Any:
        """Return one of two."""
        return ("one",)

    @method("h", "h", in_names=("file",), out_names=("file",))
    async def echo_descriptor(self, call: Call, file: OwnedFd) -> OwnedFd:
        """Give the descriptor back."""
        return file

    @method("", "h", out_names=("file",))
    async def give_descriptor(self, call: Call) -> OwnedFd:
        """Open one."""
        return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))

    @method("", "hs", out_names=("file", "text"))
    async def give_descriptor_badly(self, call: Call) -> tuple[OwnedFd, Any]:
        """Open one and return it beside a mistake."""
        return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)), 5

    @method("h", in_names=("file",))
    async def keep_descriptor(self, call: Call, file: OwnedFd) -> None:
        """Take it over."""
        self.kept.append(OwnedFd(file.take()))
        self.called.set()

    @method("hh", in_names=("one", "other"))
    async def keep_two(self, call: Call, one: OwnedFd, other: OwnedFd) -> None:
        """Take two over."""
        self.kept += [OwnedFd(one.take()), OwnedFd(other.take())]
        self.called.set()

    @method("ha{sv}", in_names=("file", "options"))
    async def fail_with_descriptor(self, call: Call, file: OwnedFd, options: Options) -> None:
        """Fail and leave it."""
        raise RuntimeError(SECRET)


class Served:
    """The service, in this process, and connections to it.

    Args:
        address: of the bus.
        limits: of the service.
        missing: as for the dispatcher.
    """

    def __init__(
        self,
        address: str,
        *,
        limits: Limits | None = None,
        missing: Callable[[str], CarddError | None] = lambda path: None,
    ) -> None:
        self.address = address
        self._limits = limits or Limits()
        self._missing = missing
        self._clients: list[Transport] = []

    async def __aenter__(self) -> Served:
        self.transport = await connect(self.address, self._limits)
        self.tree = ObjectTree(self.transport, ROOT)
        self.dispatcher = Dispatcher(self.transport, self.tree, missing=self._missing, reference=lambda: "ref-1")
        self.gadget = Gadget()
        self.tree.add(PATH, [self.gadget])
        await self.dispatcher.start()
        await self.transport.request_name(SERVICE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transport.close()
        for client in self._clients:
            client.close()
        await asyncio.sleep(0)
        for kept in self.gadget.kept:
            kept.close()

    async def client(self, limits: Limits | None = None) -> Transport:
        """Another connection to the same bus, closed at the end."""
        client = await connect(self.address, limits)
        self._clients.append(client)
        return client

    def call(self, client: Transport, method: RemoteMethod | str, *values: object) -> Awaitable[list[Any]]:
        """Call the gadget; a name alone means a method without arguments and result."""
        found = RemoteMethod(NAME, method) if isinstance(method, str) else method
        return client.call(SERVICE, PATH, found, values)


def send_raw(client: Transport, member: str, signature: str, body: bytes, descriptors: Sequence[OwnedFd]) -> None:
    """Call the gadget, wanting no reply, with a body and descriptors that need not fit."""
    header = Header(
        Kind.METHOD_CALL,
        Flag.NO_REPLY_EXPECTED,
        client.next_serial(),
        path=PATH,
        interface=NAME,
        member=member,
        destination=SERVICE,
        signature=signature,
        unix_fds=len(descriptors),
    )
    client.send(Outgoing(encode_message(header, body), descriptors))


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def null() -> OwnedFd:
    """A descriptor that can be given away."""
    return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
