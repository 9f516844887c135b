"""What all parts of the resource manager share: its locks, its clients' contexts and handles.

Two locks, taken in this order: a context's own (pcsc-lite's client library lets one call at a time into a context, and
a wait holds it), then the manager's, which guards every reader. Whoever waits for something waits on one of the
manager's two conditions, which give its lock up meanwhile.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cardsim.transports.pcsc.constants import ScardConstants as C

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cardsim.transports.pcsc.reader import InProcessReader

# Contexts and handles are 31-bit numbers: pcsc-lite draws them from random().
_HIGHEST_IDENTIFIER = 0x7FFFFFFF


class ScardError(Exception):
    """A PC/SC function is to return this result.

    Attributes:
        code: one of the SCARD_* results.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08X}")
        self.code = code


@dataclass(slots=True, eq=False)
class Context:
    """What SCardEstablishContext made.

    Attributes:
        identifier: its number.
        calls: held by the one call that is in the context.
        dead: pcscd died since; every call but the release of it ends with SCARD_E_NO_SERVICE.
        waiting: SCardGetStatusChange waits now, and so can be cancelled.
        cancelled: SCardCancel has been called for that wait.
        handles: the connections made in it.
    """

    identifier: int
    calls: threading.Lock = field(default_factory=threading.Lock)
    dead: bool = False
    waiting: bool = False
    cancelled: bool = False
    handles: dict[int, Handle] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Handle:
    """What SCardConnect made.

    Attributes:
        identifier: its number.
        context: where it was made.
        reader: the reader it leads to.
        event: what happened to the card since, as the result of the next call: 0, SCARD_W_RESET_CARD or
            SCARD_W_REMOVED_CARD.
    """

    identifier: int
    context: Context
    reader: InProcessReader
    event: int = 0


class Manager:
    """The resource manager: readers, contexts, handles.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        # Readers, cards and sharing have changed: wakes SCardGetStatusChange.
        self.changes = threading.Condition(self.lock)
        # A card has answered, a transaction has ended: wakes those whose turn it may be.
        self.turns = threading.Condition(self.lock)
        # Counts the ends of transactions and connections.
        self.turn = 0
        self.alive = True
        self.readers: dict[str, InProcessReader] = {}
        self._contexts: dict[int, Context] = {}

    def establish(self) -> Context:
        """Make a context.

        Raises: ``ScardError`` (SCARD_E_NO_SERVICE) while pcscd is dead.
        """
        with self.lock:
            if not self.alive:
                raise ScardError(C.SCARD_E_NO_SERVICE)
            context = Context(self._new_identifier())
            self._contexts[context.identifier] = context
            return context

    def context(self, identifier: int) -> Context:
        """Return a context by its number.

        Raises: ``ScardError`` (SCARD_E_INVALID_HANDLE).
        """
        with self.lock:
            context = self._contexts.get(identifier)
        if context is None:
            raise ScardError(C.SCARD_E_INVALID_HANDLE)
        return context

    def forget(self, context: Context) -> None:
        """Drop a context from the list of those that exist."""
        with self.lock:
            self._contexts.pop(context.identifier, None)

    @contextlib.contextmanager
    def call(self, context: Context) -> Iterator[None]:
        """Be the one call in a context, with the manager's lock.

        Raises: ``ScardError`` (SCARD_E_NO_SERVICE) when pcscd has died since the context was made.
        """
        with context.calls, self.lock:
            if context.dead:
                raise ScardError(C.SCARD_E_NO_SERVICE)
            yield

    def handle(self, identifier: int) -> Handle:
        """Return a connection by its number.

        Raises: ``ScardError`` (SCARD_E_INVALID_HANDLE).
        """
        with self.lock:
            for context in self._contexts.values():
                if identifier in context.handles:
                    return context.handles[identifier]
        raise ScardError(C.SCARD_E_INVALID_HANDLE)

    def add_handle(self, context: Context, reader: InProcessReader) -> Handle:
        """Make a connection of a context to a reader."""
        handle = Handle(self._new_identifier(), context, reader)
        context.handles[handle.identifier] = handle
        reader.handles[handle.identifier] = handle
        return handle

    def wait_turn(self, context: Context, ready: Callable[[], bool]) -> None:
        """Wait, with the manager's lock, until ``ready()`` holds.

        Raises: ``ScardError`` (SCARD_F_COMM_ERROR) when pcscd dies meanwhile.
        """
        self.turns.wait_for(lambda: context.dead or ready())
        if context.dead:
            raise ScardError(C.SCARD_F_COMM_ERROR)

    def pass_turn(self) -> None:
        """Wake those who wait for a turn: something ended; with the manager's lock."""
        self.turn += 1
        self.turns.notify_all()

    def wait_next_turn(self, context: Context, turn: int) -> None:
        """Wait until ``turn`` is past.

        Raises: ``ScardError`` (SCARD_F_COMM_ERROR) when pcscd dies meanwhile.
        """
        with self.lock:
            self.wait_turn(context, lambda: self.turn != turn)

    def die(self) -> None:
        """pcscd ends: nothing that exists outlives it, and waits end now."""
        with self.lock:
            self.alive = False
            for context in self._contexts.values():
                context.dead = True
            for reader in self.readers.values():
                reader.lose_manager()
            self.changes.notify_all()
            self.pass_turn()

    def revive(self) -> None:
        """pcscd starts again, finds the readers and powers the cards in them."""
        with self.lock:
            self.alive = True
            for reader in self.readers.values():
                reader.start()

    def _new_identifier(self) -> int:
        taken = set(self._contexts)
        for context in self._contexts.values():
            taken.update(context.handles)
        while (identifier := 1 + secrets.randbelow(_HIGHEST_IDENTIFIER)) in taken:
            pass
        return identifier
