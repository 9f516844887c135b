"""A program on the in-process PC/SC stack, for tests of that stack."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from cardsim.transports.inprocess import InProcessPcsc

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "Simulated 00 00"
COMMAND = [0x00, 0xB0, 0x00, 0x00]
ANSWER = [*COMMAND, 0x90, 0x00]


class Client:
    """A program with a context, connected to the reader of a stack."""

    def __init__(
        self, stack: InProcessPcsc, connect: bool = True, share_mode: int = InProcessPcsc.SCARD_SHARE_SHARED
    ) -> None:
        self.stack = stack
        self.context = stack.SCardEstablishContext(stack.SCARD_SCOPE_SYSTEM)[1]
        self.handle = 0
        if connect:
            result, self.handle, _ = stack.SCardConnect(self.context, NAME, share_mode, stack.SCARD_PROTOCOL_ANY)
            assert result == 0

    def transmit(self, command: list[int] = COMMAND) -> list[Any]:
        """Send a command in T=0."""
        return self.stack.SCardTransmit(self.handle, self.stack.SCARD_PCI_T0, command)

    def state(self) -> int:
        """Return the reader's state now."""
        return int(self.stack.SCardGetStatusChange(self.context, 0, [(NAME, 0)])[1][0][1])

    def wait(self, *known: tuple[str, int]) -> list[Any]:
        """Wait without limit."""
        return self.stack.SCardGetStatusChange(self.context, self.stack.INFINITE, list(known))


class WatchedClock:
    """A clock that tells when it was read.

    The stack reads its clock with its lock held at the beginning of a wait. So whoever has seen ``read`` and then takes
    the lock (as every change does) finds the waiter waiting.
    """

    def __init__(self) -> None:
        self.read = threading.Event()

    def __call__(self) -> float:
        """Return monotonic seconds."""
        self.read.set()
        return time.monotonic()


def in_thread(action: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start an action; what it returns goes into the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(action()))
    thread.start()
    return thread, results
