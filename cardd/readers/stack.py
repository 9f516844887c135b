"""A typed face of PC/SC: the only file that knows its numbers and its module.

It wraps a module with the interface of ``smartcard.scard`` (pyscard): that module itself, or what an entry point of the
group ``cardd.pcsc`` gives. One context belongs to one thread; another thread may call its `Context.cancel` and nothing
else, since releasing a context that waits blocks every other context of the process for seconds.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

from cardd.readers.pcsclite import AnyName
from cardd_drivers.contract import Transport
from cardd_drivers.secret_memory import SecretBytes

PNP_NOTIFICATION: Final = "\\\\?PnP?\\Notification"
"""The reader name that stands for "the list of readers changes"."""
BACKENDS_GROUP: Final = "cardd.pcsc"
_UNSIGNED: Final = 0xFFFF_FFFF
_ATR_MAX: Final = 33


class Code(enum.IntEnum):
    """PC/SC return codes that something here decides on, by their PC/SC names without SCARD_."""

    S_SUCCESS = 0
    F_INTERNAL_ERROR = 0x8010_0001
    E_CANCELLED = 0x8010_0002
    E_INVALID_HANDLE = 0x8010_0003
    E_INVALID_PARAMETER = 0x8010_0004
    E_UNKNOWN_READER = 0x8010_0009
    E_TIMEOUT = 0x8010_000A
    E_SHARING_VIOLATION = 0x8010_000B
    E_NO_SMARTCARD = 0x8010_000C
    E_PROTO_MISMATCH = 0x8010_000F
    E_INVALID_VALUE = 0x8010_0011
    F_COMM_ERROR = 0x8010_0013
    F_UNKNOWN_ERROR = 0x8010_0014
    E_NOT_TRANSACTED = 0x8010_0016
    E_UNSUPPORTED_FEATURE = 0x8010_001F
    E_READER_UNAVAILABLE = 0x8010_0017
    E_NO_SERVICE = 0x8010_001D
    E_SERVICE_STOPPED = 0x8010_001E
    E_NO_READERS_AVAILABLE = 0x8010_002E
    W_UNSUPPORTED_CARD = 0x8010_0065
    W_UNRESPONSIVE_CARD = 0x8010_0066
    W_UNPOWERED_CARD = 0x8010_0067
    W_RESET_CARD = 0x8010_0068
    W_REMOVED_CARD = 0x8010_0069
    W_SECURITY_VIOLATION = 0x8010_006A


class PcscError(Exception):
    """A PC/SC function failed.

    Args:
        function: its name.
        code: the return code as an unsigned number; 0x80100014 when the module raised instead of returning one.
        detail: what is known beyond the code.
    """

    def __init__(self, function: str, code: int, detail: str = "") -> None:
        self.function = function
        self.code = code
        try:
            self.name = f"SCARD_{Code(code).name}"
        except ValueError:
            self.name = f"0x{code:08X}"
        super().__init__(f"{function}: {self.name}{f' ({detail})' if detail else ''}")


class StackUnavailable(Exception):
    """The PC/SC stack that the configuration names cannot be had; the text says why."""


class Flag(enum.IntFlag):
    """Reader states (the SCARD_STATE_ constants)."""

    UNAWARE = 0x0000
    IGNORE = 0x0001
    CHANGED = 0x0002
    UNKNOWN = 0x0004
    UNAVAILABLE = 0x0008
    EMPTY = 0x0010
    PRESENT = 0x0020
    ATRMATCH = 0x0040
    EXCLUSIVE = 0x0080
    INUSE = 0x0100
    MUTE = 0x0200
    UNPOWERED = 0x0400


class Share(enum.IntEnum):
    """How a card is connected to (the SCARD_SHARE_ constants)."""

    EXCLUSIVE = 1
    SHARED = 2


class Disposition(enum.IntEnum):
    """What becomes of the card at the end of a connection or transaction (SCARD_LEAVE_CARD and so on)."""

    LEAVE = 0
    RESET = 1


@dataclass(frozen=True, slots=True)
class ReaderState:
    """What PC/SC says of a reader.

    Args:
        reader: its name.
        flags: without CHANGED.
        counter: PC/SC's count of insertions and removals there, 16 bits.
        atr: of the card in it, 0 to 33 bytes.
    """

    reader: str
    flags: Flag = Flag.UNAWARE
    counter: int = 0
    atr: bytes = b""


class ScardModule(Protocol):
    """The part of ``smartcard.scard`` that is used."""

    @property
    def INFINITE(self) -> int: ...  # noqa: N802
    def SCardEstablishContext(self, scope: int, /) -> Any: ...  # noqa: N802
    def SCardReleaseContext(self, context: int, /) -> Any: ...  # noqa: N802
    def SCardListReaders(self, context: int, groups: list[str], /) -> Any: ...  # noqa: N802
    def SCardGetStatusChange(  # noqa: N802
        self, context: int, timeout: int, states: list[Any], /
    ) -> Any: ...
    def SCardCancel(self, context: int, /) -> Any: ...  # noqa: N802
    def SCardConnect(self, context: int, reader: str, share: int, protocols: int, /) -> Any: ...  # noqa: N802
    def SCardDisconnect(self, card: int, disposition: int, /) -> Any: ...  # noqa: N802
    def SCardStatus(self, card: int, /) -> Any: ...  # noqa: N802
    def SCardTransmit(self, card: int, protocol: int, command: list[int], /) -> Any: ...  # noqa: N802
    def SCardControl(self, card: int, code: int, data: list[int], /) -> Any: ...  # noqa: N802
    def SCardBeginTransaction(self, card: int, /) -> Any: ...  # noqa: N802
    def SCardEndTransaction(self, card: int, disposition: int, /) -> Any: ...  # noqa: N802


_SCOPE_SYSTEM: Final = 2
_ABSENT: Final = 0x0002
"""SCARD_ABSENT of pcsclite.h: a reader's state as SCardStatus gives it, not one of the SCARD_STATE_ constants."""
_PROTOCOLS: Final = {1: Transport.T0, 2: Transport.T1}
_PROTOCOL_NUMBERS: Final = {transport: number for number, transport in _PROTOCOLS.items()}
_ANY_PROTOCOL: Final = 3


class PcscStack:
    """A PC/SC implementation.

    Args:
        module: has the interface of ``smartcard.scard``.
    """

    def __init__(self, module: ScardModule) -> None:
        self._module = module

    def establish(self) -> Context:
        """A context for the calling thread.

        Raises:
            PcscError: the service is not there, or does not let this process in.
        """
        (handle,) = call(self._module, "SCardEstablishContext", _SCOPE_SYSTEM, results=1)
        return Context(self._module, handle)


class Context:
    """A way to the service for one thread. Made by `PcscStack.establish`."""

    __slots__ = ("_handle", "_module")

    def __init__(self, module: ScardModule, handle: int) -> None:
        self._module = module
        self._handle = handle

    def release(self) -> None:
        """Give the context up. Raises: PcscError."""
        call(self._module, "SCardReleaseContext", self._handle)

    def cancel(self) -> None:
        """End the wait that is under way, if any; the one method for other threads. Raises: PcscError."""
        call(self._module, "SCardCancel", self._handle)

    def list_readers(self) -> list[str]:
        """Names of the readers, each once, in the service's order. Raises: PcscError."""
        try:
            (names,) = call(self._module, "SCardListReaders", self._handle, [], results=1)
        except PcscError as error:
            if error.code == Code.E_NO_READERS_AVAILABLE:
                return []
            raise
        return list(dict.fromkeys(str(name) for name in names))

    def wait(
        self, known: Iterable[ReaderState], *, pnp: bool = False, timeout: int | None = None
    ) -> tuple[ReaderState, ...]:
        """Block until a reader is in another state than it is known to be.

        Args:
            known: the states as known; UNAWARE returns at once.
            pnp: also until the list of readers changes.
            timeout: milliseconds; None for as long as PC/SC's INFINITE goes (24.8 days with pyscard).

        Returns:
            The states of all those readers now; nothing after a time-out or a cancellation.

        Raises:
            PcscError: among others E_UNKNOWN_READER when one is gone already.
        """
        asked = [(state.reader, (state.counter & 0xFFFF) << 16 | int(state.flags)) for state in known]
        milliseconds = self._module.INFINITE if timeout is None else timeout
        try:
            return self._status_change(milliseconds, [*asked, (PNP_NOTIFICATION, 0)] if pnp else asked)
        except PcscError as error:
            # pcsclite waits on 16 readers at most, this one included; it serves 16, so that no other can come then.
            if not (pnp and asked and error.code == Code.E_INVALID_PARAMETER):
                raise
        return self._status_change(milliseconds, asked)

    def _status_change(self, milliseconds: int, asked: list[tuple[str, int]]) -> tuple[ReaderState, ...]:
        try:
            (states,) = call(self._module, "SCardGetStatusChange", self._handle, milliseconds, asked, results=1)
        except PcscError as error:
            if error.code in (Code.E_TIMEOUT, Code.E_CANCELLED):
                return ()
            raise
        return tuple(_state(*state) for state in states if state[0] != PNP_NOTIFICATION)

    def look(self, readers: Sequence[str]) -> tuple[ReaderState, ...]:
        """The states of these readers now. Raises: PcscError as `wait`."""
        return self.wait([ReaderState(reader) for reader in readers], timeout=0) if readers else ()

    def connect(self, reader: str, share: Share) -> CardHandle:
        """Connect afresh to the card in a reader, T=0 or T=1 as the card and the reader agree.

        Raises:
            PcscError: among others E_SHARING_VIOLATION, E_NO_SMARTCARD, W_UNRESPONSIVE_CARD.
        """
        handle, protocol = call(
            self._module, "SCardConnect", self._handle, reader, int(share), _ANY_PROTOCOL, results=2
        )
        transport = _PROTOCOLS.get(protocol)
        if transport is None:
            card = CardHandle(self._module, handle, Transport.T0)
            card.disconnect(Disposition.LEAVE)
            raise PcscError("SCardConnect", Code.E_PROTO_MISMATCH, f"protocol {protocol}")
        return CardHandle(self._module, handle, transport)


class CardHandle:
    """A connection to the card that was in the reader when it was made; fails for ever once that card is gone."""

    __slots__ = ("_handle", "_module", "transport")

    def __init__(self, module: ScardModule, handle: int, transport: Transport) -> None:
        self._module = module
        self._handle = handle
        self.transport = transport
        """The negotiated protocol."""

    def transmit(self, command: bytes | SecretBytes) -> bytes:
        """Send one command as the protocol wants it; the response with its status word. Raises: PcscError."""
        octets = list(command)
        try:
            protocol = _PROTOCOL_NUMBERS[self.transport]
            (response,) = call(self._module, "SCardTransmit", self._handle, protocol, octets, results=1)
        finally:
            octets[:] = bytes(len(octets))
        try:
            return bytes(response)
        except (TypeError, ValueError) as error:
            raise PcscError("SCardTransmit", Code.F_UNKNOWN_ERROR, "the response is no byte string") from error

    def control(self, code: int, data: bytes) -> bytes:
        """Ask something of the reader itself. Raises: PcscError, E_UNSUPPORTED_FEATURE among others."""
        if not hasattr(self._module, "SCardControl"):  # a third party's stack may have less than pyscard
            raise PcscError("SCardControl", Code.E_UNSUPPORTED_FEATURE)
        (response,) = call(self._module, "SCardControl", self._handle, code, list(data), results=1)
        try:
            return bytes(response)
        except (TypeError, ValueError) as error:
            raise PcscError("SCardControl", Code.F_UNKNOWN_ERROR, "the response is no byte string") from error

    def check(self) -> None:
        """Ask the service whether this connection's card is still there and was not reset; nothing goes to the card.

        Raises:
            PcscError: among others W_REMOVED_CARD, W_RESET_CARD, E_READER_UNAVAILABLE.
        """
        _, state = call(self._module, "SCardStatus", self._handle, results=2)
        if int(state) & _ABSENT:
            raise PcscError("SCardStatus", Code.W_REMOVED_CARD, "no card in the reader")

    def begin_transaction(self) -> None:
        """Keep other programs off the card; blocks while another one does so. Raises: PcscError."""
        call(self._module, "SCardBeginTransaction", self._handle)

    def end_transaction(self, disposition: Disposition) -> None:
        """Let other programs at the card again. Raises: PcscError."""
        call(self._module, "SCardEndTransaction", self._handle, int(disposition))

    def disconnect(self, disposition: Disposition) -> None:
        """End the connection. Raises: PcscError."""
        call(self._module, "SCardDisconnect", self._handle, int(disposition))


def call(module: ScardModule, function: str, *arguments: Any, results: int = 0) -> tuple[Any, ...]:
    """Call a PC/SC function and split its return code from its results.

    Args:
        results: how many there must be beside the code.

    Raises:
        PcscError: another code than success, or none at all: pyscard lets SystemError out of itself after the service's
            death, and UnicodeError for names that it cannot code. Arguments never enter the text: they may be secret.
    """
    try:
        returned = getattr(module, function)(*arguments)
    except (SystemError, UnicodeError) as error:
        raise PcscError(function, Code.F_UNKNOWN_ERROR, type(error).__name__) from None
    values = tuple(returned) if isinstance(returned, list | tuple) else (returned,)
    code = int(values[0]) & _UNSIGNED
    if code != Code.S_SUCCESS:
        raise PcscError(function, code)
    if len(values) < 1 + results:
        raise PcscError(function, Code.F_UNKNOWN_ERROR, f"{len(values) - 1} results")
    return values[1 : 1 + results]


def _state(reader: str, event_state: int, atr: Sequence[int]) -> ReaderState:
    flags = Flag(event_state & 0xFFFF) & ~Flag.CHANGED
    return ReaderState(reader, flags, event_state >> 16 & 0xFFFF, bytes(atr[:_ATR_MAX]))


def load_stack(backend: str, options: Mapping[str, str]) -> PcscStack:
    """The PC/SC stack that the configuration names.

    Args:
        backend: "pcsc" for pcscd, else the name of an entry point of the group ``cardd.pcsc``.
        options: given to that entry point as they are; "pcsc" has none.

    Raises:
        StackUnavailable: there is no such stack, it cannot be loaded, or it refuses an option.
    """
    if backend == "pcsc":
        if options:
            raise StackUnavailable(f"the backend pcsc has no options, but {', '.join(sorted(options))} was given")
        return PcscStack(_pyscard())
    found = {entry.name: entry for entry in entry_points(group=BACKENDS_GROUP)}
    if backend not in found:
        raise StackUnavailable(
            f"there is no PC/SC backend {backend!r}; known are {', '.join(sorted({'pcsc', *found}))}"
        )
    try:
        return PcscStack(found[backend].load()(options))
    except Exception as error:  # a third party's code: whatever it raises means that it cannot be had
        raise StackUnavailable(f"the PC/SC backend {backend!r} cannot be used: {error}") from error


def _pyscard() -> ScardModule:
    try:
        # Not at the top: a daemon with another backend, and every test, does without libpcsclite.
        module = importlib.import_module("smartcard.scard")
    except ImportError as error:
        raise StackUnavailable(f"pyscard cannot be loaded: {error}") from error
    return AnyName(module)
