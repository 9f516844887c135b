"""A PC/SC stack inside the process, with the interface of pyscard's low-level module ``smartcard.scard``.

``InProcessPcsc`` has that module's functions and constants under their names: same arguments, same shapes and numbers
in what comes back (pyscard 2.3.1 on pcsc-lite 1.9.9, from which this was checked), one difference aside: where a call
fails, pyscard may return memory that nobody wrote; here those places are 0 or empty.

A function returns its result first: ``SCardConnect`` gives ``[result, handle, protocol]``, and so on.
"""

# ruff: noqa: N802  # the functions have the names of pyscard

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardsim.transports.pcsc import connections
from cardsim.transports.pcsc.arguments import byte_list, integer, reader_statuses, text
from cardsim.transports.pcsc.constants import ERROR_MESSAGES, ScardConstants
from cardsim.transports.pcsc.exchange import LONGEST_MESSAGE, transmit
from cardsim.transports.pcsc.exchange import control as control_reader
from cardsim.transports.pcsc.manager import Manager, ScardError
from cardsim.transports.pcsc.pin_pad import CONTROL_BASE
from cardsim.transports.pcsc.reader import InProcessReader
from cardsim.transports.pcsc.remote import RemotePcsc
from cardsim.transports.pcsc.status import wait_for_change
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cardsim.transports.pcsc.manager import Handle
    from cardsim.transports.pcsc.status import ReaderStatus

__all__ = ["InProcessPcsc", "InProcessReader", "create"]

# pcsc-lite: PCSCLITE_MAX_READERS_CONTEXTS, MAX_READERNAME.
_MOST_READERS = 16
_LONGEST_NAME = 128
_SCOPES = range(4)
_PCI = {
    ScardConstants.SCARD_PROTOCOL_T0: ScardConstants.SCARD_PROTOCOL_T0,
    ScardConstants.SCARD_PROTOCOL_T1: ScardConstants.SCARD_PROTOCOL_T1,
    ScardConstants.SCARD_PROTOCOL_RAW: ScardConstants.SCARD_PROTOCOL_RAW,
    ScardConstants.SCARD_PROTOCOL_UNDEFINED: ScardConstants.SCARD_PROTOCOL_RAW,
}


class InProcessPcsc(ScardConstants):
    """The stack: pyscard's functions, and readers that a test adds and takes away.

    Args:
        clock: monotonic seconds.
        as_pyscard: keep to pcsc-lite's 16 readers and to the ASCII names that pyscard waits on; else there may be any
            number of readers, of any names.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, as_pyscard: bool = True) -> None:
        self._as_pyscard = as_pyscard
        self._manager = Manager(clock)
        self._closers: list[Callable[[], None]] = []

    # Readers, and pcscd's life

    def add_reader(self, name: str) -> InProcessReader:
        """Plug a reader in, without a card.

        Args:
            name: as SCardListReaders is to give it; ASCII, at most 127 characters (see ``as_pyscard``).

        Raises: ``ReaderError``: the name is unfit or taken, or there are 16 readers.
        """
        if not self._may_be_named(name):
            ascii_only = f"1 to {_LONGEST_NAME - 1} ASCII characters"
            any_kind = "at least one character, and none of them is NUL"
            raise ReaderError(f"a reader's name has {ascii_only if self._as_pyscard else any_kind}")
        with self._manager.lock:
            if name in self._manager.readers:
                raise ReaderError(f"there is a reader {name!r} already")
            if self._as_pyscard and len(self._manager.readers) >= _MOST_READERS:
                raise ReaderError(f"PC/SC serves at most {_MOST_READERS} readers")
            reader = InProcessReader(name, self._manager)
            self._manager.readers[name] = reader
            self._manager.changes.notify_all()
        return reader

    def _may_be_named(self, name: str) -> bool:
        if not self._as_pyscard:
            return name != "" and "\0" not in name  # names end with a zero byte
        return name != "" and name.isascii() and name.isprintable() and len(name) < _LONGEST_NAME

    def remove_reader(self, name: str) -> None:
        """Unplug a reader, with the card that is in it.

        Raises: ``ReaderError`` when there is none of that name.
        """
        with self._manager.lock:
            reader = self._manager.readers.pop(name, None)
            if reader is None:
                raise ReaderError(f"there is no reader {name!r}")
            reader.unplug()

    def readers(self) -> tuple[InProcessReader, ...]:
        """Return the readers that are plugged in."""
        with self._manager.lock:
            return tuple(self._manager.readers.values())

    @property
    def alive(self) -> bool:
        """Return whether pcscd runs."""
        return self._manager.alive

    def die(self) -> None:
        """End pcscd: waits return SCARD_F_COMM_ERROR now, every later call SCARD_E_NO_SERVICE, all handles are dead."""
        self._manager.die()

    def revive(self) -> None:
        """Start pcscd again: new contexts work, the old ones stay dead; cards that are in have been reset."""
        self._manager.revive()

    def on_close(self, closer: Callable[[], None]) -> None:
        """Have ``closer`` called by ``close``."""
        self._closers.append(closer)

    def close(self) -> None:
        """End what was started with the stack: the control socket, pcscd, the readers and the cards in them."""
        while self._closers:
            self._closers.pop()()
        self.die()
        for reader in self.readers():
            self.remove_reader(reader.name)

    # smartcard.scard: the names and the order of arguments are pyscard's

    def SCardEstablishContext(self, scope: int) -> list[Any]:
        """Return ``[result, context]``."""
        if integer(scope) not in _SCOPES:
            return [self.SCARD_E_INVALID_VALUE, 0]
        return _values([0], lambda: [self._manager.establish().identifier])

    def SCardReleaseContext(self, hcontext: int) -> int:
        """Return the result. Waits while another thread is in a call with the context."""

        def release() -> None:
            context = self._manager.context(integer(hcontext))
            try:
                with self._manager.call(context):
                    connections.release(self._manager, context)
            finally:
                self._manager.forget(context)

        return _result(release)

    def SCardIsValidContext(self, hcontext: int) -> int:
        """Return the result: whether it was established and not released; pcscd is not asked."""
        return _result(lambda: self._manager.context(integer(hcontext)))

    def SCardListReaders(self, hcontext: int, readergroups: list[str]) -> list[Any]:
        """Return ``[result, names]``."""
        if not isinstance(readergroups, list):
            raise TypeError("Expected a list object.")

        def names() -> list[Any]:
            with self._manager.call(self._manager.context(integer(hcontext))):
                if not self._manager.readers:
                    raise ScardError(self.SCARD_E_NO_READERS_AVAILABLE)
                return [list(self._manager.readers)]

        return _values([[]], names)

    def SCardGetStatusChange(
        self, hcontext: int, timeout: int, readerstatelist: list[tuple[str, int] | tuple[str, int, list[int]]]
    ) -> list[Any]:
        """Wait until a reader differs from what the caller knows.

        Args:
            hcontext: context; it can be used for nothing but SCardCancel meanwhile.
            timeout: milliseconds.
            readerstatelist: names with what is known of each (0: nothing), ``\\\\?PnP?\\Notification`` among them.

        Returns: ``[result, [(name, state, atr), ...]]``.
        """
        statuses = reader_statuses(readerstatelist, ascii_names=self._as_pyscard)
        milliseconds = integer(timeout)
        if milliseconds < 0:
            raise SystemError("SCardGetStatusChange returned NULL without setting an exception")
        code = self.SCARD_S_SUCCESS
        if not all(each.ignored for each in statuses):
            code = _result(lambda: self._wait(integer(hcontext), milliseconds, statuses))
        return [code, [(each.name, each.event, list(each.atr)) for each in statuses]]

    def SCardCancel(self, hcontext: int) -> int:
        """Return the result. Ends the wait that is under way in the context; without one it is lost."""

        def cancel() -> None:
            with self._manager.lock:
                context = self._manager.context(integer(hcontext))
                if context.waiting:
                    context.cancelled = True
                    self._manager.changes.notify_all()

        return _result(cancel)

    def SCardConnect(self, hcontext: int, reader: str, share_mode: int, preferred_protocols: int) -> list[Any]:
        """Return ``[result, handle, protocol]``. Waits for the end of another's transaction."""

        def connect() -> list[Any]:
            context = self._manager.context(integer(hcontext))
            with self._manager.call(context):
                handle, protocol = connections.connect(
                    self._manager, context, text(reader), integer(share_mode), integer(preferred_protocols)
                )
                return [handle.identifier, protocol]

        return _values([0, 0], connect)

    def SCardReconnect(self, hcard: int, share_mode: int, preferred_protocols: int, initialization: int) -> list[Any]:
        """Return ``[result, protocol]``. Blocks while another connection is in the way, for ever if need be."""
        return _values(
            [0],
            lambda: [
                connections.retry(
                    self._manager,
                    integer(hcard),
                    lambda handle: connections.reconnect(
                        self._manager,
                        handle,
                        integer(share_mode),
                        integer(preferred_protocols),
                        integer(initialization),
                    ),
                )
            ],
        )

    def SCardDisconnect(self, hcard: int, disposition: int) -> int:
        """Return the result. A disposition but SCARD_LEAVE_CARD waits for the end of another's transaction."""
        return self._with_handle(
            hcard, lambda handle: connections.disconnect(self._manager, handle, integer(disposition))
        )

    def SCardBeginTransaction(self, hcard: int) -> int:
        """Return the result. Blocks until no other connection has a transaction."""
        return _result(lambda: connections.retry(self._manager, integer(hcard), connections.begin_transaction))

    def SCardEndTransaction(self, hcard: int, disposition: int) -> int:
        """Return the result."""
        return self._with_handle(
            hcard, lambda handle: connections.end_transaction(self._manager, handle, integer(disposition))
        )

    def SCardStatus(self, hcard: int) -> list[Any]:
        """Return ``[result, name, state, protocol, atr]``."""

        def status() -> list[Any]:
            name, state, protocol, atr = connections.retry(
                self._manager, integer(hcard), lambda handle: connections.status(self._manager, handle)
            )
            return [name, state, protocol, list(atr)]

        return _values(["", 0, 0, []], status)

    def SCardTransmit(self, hcard: int, pci: int, apducommand: list[int]) -> list[Any]:
        """Return ``[result, answer]``. Blocks while another connection has a transaction."""
        command = byte_list(apducommand)
        protocol = _PCI.get(integer(pci))
        if protocol is None or not command:
            return [self.SCARD_E_INVALID_PARAMETER, []]

        def exchange() -> list[Any]:
            identifier = integer(hcard)
            self._manager.handle(identifier)
            if len(command) > LONGEST_MESSAGE:
                raise ScardError(self.SCARD_E_INSUFFICIENT_BUFFER)
            answer = connections.retry(
                self._manager, identifier, lambda handle: transmit(self._manager, handle, protocol, command)
            )
            return [list(answer)]

        return _values([[]], exchange)

    def SCardControl(self, hcard: int, control_code: int, inbuffer: list[int]) -> list[Any]:
        """Return ``[result, answer]``: the list of features, or what PINs by the reader's pad gave."""
        data = byte_list(inbuffer)

        def control() -> list[Any]:
            handle = self._manager.handle(integer(hcard))
            with self._manager.call(handle.context):
                return [list(control_reader(self._manager, handle, integer(control_code), data))]

        return _values([[]], control)

    def SCardGetAttrib(self, hcard: int, attribute: int) -> list[Any]:
        """Return ``[result, value]``."""

        def get() -> list[Any]:
            handle = self._manager.handle(integer(hcard))
            with self._manager.call(handle.context):
                return [list(connections.attribute(handle, integer(attribute)))]

        return _values([[]], get)

    @staticmethod
    def SCARD_CTL_CODE(code: int) -> int:
        """Return the control code of a function number."""
        return CONTROL_BASE + integer(code)

    @staticmethod
    def SCardGetErrorMessage(code: int) -> str:
        """Return what a result means, in English."""
        return ERROR_MESSAGES.get(integer(code), f"Unknown error: 0x{code & 0xFFFFFFFFFFFFFFFF:08X}")

    def _with_handle(self, hcard: int, action: Callable[[Handle], None]) -> int:
        def call() -> None:
            handle = self._manager.handle(integer(hcard))
            with self._manager.call(handle.context):
                action(handle)

        return _result(call)

    def _wait(self, hcontext: int, milliseconds: int, statuses: list[ReaderStatus]) -> None:
        context = self._manager.context(hcontext)
        with self._manager.call(context):
            wait_for_change(self._manager, context, milliseconds, statuses)


def _result(action: Callable[[], object]) -> int:
    try:
        action()
    except ScardError as error:
        return error.code
    return ScardConstants.SCARD_S_SUCCESS


def _values(blank: list[Any], action: Callable[[], list[Any]]) -> list[Any]:
    """Return the result and what ``action`` gives, or ``blank`` where it fails."""
    try:
        return [ScardConstants.SCARD_S_SUCCESS, *action()]
    except ScardError as error:
        return [error.code, *blank]


def create(options: Mapping[str, str]) -> InProcessPcsc | RemotePcsc:
    """Make a stack as a daemon's configuration describes it (entry point group ``cardd.pcsc``).

    Args:
        options: ``reader`` name, ``profile``, ``home`` of the fictional PKI and its cards, ``inserted`` (yes or no),
            ``timing`` of a real card (yes or no), ``pin-pad`` of the reader (yes, no or verify-only), ``control`` path
            of its socket; each may be left out. Or ``pcsc-socket`` alone: of the ``PcscServer`` that it stands for.

    Raises: ``ValueError`` for an option that is unknown or unfit, named; ``ReaderError``, ``OSError``.
    """
    if "pcsc-socket" in options:
        if len(options) > 1:
            raise ValueError("option 'pcsc-socket' of the cardsim backend stands alone")
        return RemotePcsc(Path(options["pcsc-socket"]))
    from cardsim.control_stack import start_stack  # noqa: PLC0415  # the cards are needed where a daemon asks for them

    return start_stack(InProcessPcsc(as_pyscard=False), options)
