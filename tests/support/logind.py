"""A stand-in for logind on a private bus: sleep, locks and seats happen when a test says so."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType

from cardd.bus.dispatch import Dispatcher
from cardd.bus.interface import Call, Interface, OwnedFd, method, variant
from cardd.bus.logind import MANAGER, NAME, PATH, PROPERTIES, SESSION, SESSIONS
from cardd.bus.objects import ObjectTree
from cardd.bus.transport import Transport, connect
from cardd.errors import NotAuthorized

PATIENCE = 20.0


class _Manager(Interface):
    """org.freedesktop.login1.Manager, as far as it is used."""

    name = MANAGER

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str, str]] = []
        self.held: list[int] = []
        self.taken = asyncio.Event()
        self.refuses = False

    @method("ssss", "h", in_names=("what", "who", "why", "mode"), out_names=("pipe_fd",))
    async def inhibit(self, call: Call, what: str, who: str, why: str, mode: str) -> OwnedFd:
        """Give a pipe's writing end: whoever closes it lets the machine sleep."""
        if self.refuses:
            raise NotAuthorized(reason="a test wants it")
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self.asked.append((what, who, why, mode))
        self.held.append(reading)
        self.taken.set()
        return OwnedFd(writing)


class StandInLogind:
    """Owns logind's name while in context.

    Args:
        address: of the bus.
        refuses: inhibitors are refused.
    """

    def __init__(self, address: str, *, refuses: bool = False) -> None:
        self._address = address
        self._refuses = refuses

    async def __aenter__(self) -> StandInLogind:
        self._transport: Transport = await connect(self._address)
        self.manager = _Manager()
        self.manager.refuses = self._refuses
        tree = ObjectTree(self._transport, PATH)
        tree.add(PATH, [self.manager])
        await Dispatcher(self._transport, tree, missing=lambda path: None).start()
        await self._transport.request_name(NAME)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        for reading in self.manager.held:
            os.close(reading)

    async def inhibited(self) -> None:
        """Wait until somebody holds a new inhibitor."""
        async with asyncio.timeout(PATIENCE):
            await self.manager.taken.wait()
        self.manager.taken.clear()

    def prepare_for_sleep(self, *, about_to: bool) -> None:
        """Tell everybody that sleep comes, or is over."""
        self._transport.send_signal(PATH, MANAGER, "PrepareForSleep", "b", [about_to])

    async def released(self) -> None:
        """Wait until the newest inhibitor was given back: the machine may sleep."""
        loop, given_back = asyncio.get_running_loop(), asyncio.Event()
        reading = self.manager.held[-1]
        loop.add_reader(reading, given_back.set)  # nobody writes: readable means closed
        try:
            async with asyncio.timeout(PATIENCE):
                await given_back.wait()
        finally:
            loop.remove_reader(reading)

    def session_changed(self, path: str, **changed: bool) -> None:
        """Tell that properties of a login session changed: LockedHint, Active."""
        values = {name: variant("b", value) for name, value in changed.items()}
        self._transport.send_signal(SESSIONS + path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [SESSION, values, []])

    def want_lock(self, path: str) -> None:
        """Ask a login session to lock itself, as `loginctl lock-session` does."""
        self._transport.send_signal(SESSIONS + path, SESSION, "Lock", "", [])
