"""What pyscard does not do well enough: reader names that it cannot carry, and commands that must leave no copy.

pyscard 2.3 codes the names that it waits on as ASCII, and fails altogether when the service lists a name that is no
UTF-8; a name in reader.conf or in a device's descriptor may be either. For those names libpcsclite is called
through ctypes, and for every command: pyscard copies one into a buffer of its own that it frees as it is, PIN and all.
The library's contexts are numbers of the whole process, so that both ways work on the same one.
"""

from __future__ import annotations

from typing import Any

from cardd_drivers.secret_memory import secret_room, wipe

_LIBRARY = "libpcsclite.so.1"
_ATR_SIZE = 33
_SUCCESS = 0
_RESPONSE_MOST = 264
"""MAX_BUFFER_SIZE of pcsclite.h: what a short response APDU has room in."""


class AnyName:
    """``smartcard.scard`` for any reader name.

    Args:
        module: ``smartcard.scard``.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        """What needs no help comes from pyscard."""
        return getattr(self._module, name)

    def SCardListReaders(self, context: int, groups: list[str]) -> Any:  # noqa: N802
        """As pyscard's; bytes that are no UTF-8 come as surrogates (PEP 383)."""
        try:
            return self._module.SCardListReaders(context, groups)
        except (SystemError, UnicodeError):
            code, names = _list_readers(context)
        return code, [name.decode("utf-8", "surrogateescape") for name in names]

    def SCardGetStatusChange(self, context: int, timeout: int, states: list[tuple[str, int]]) -> Any:  # noqa: N802
        """As pyscard's."""
        if all(name.isascii() for name, _ in states):
            return self._module.SCardGetStatusChange(context, timeout, states)
        return _get_status_change(context, timeout, [(_raw(name), name, state) for name, state in states])

    def SCardConnect(self, context: int, reader: str, share: int, protocols: int) -> Any:  # noqa: N802
        """As pyscard's."""
        if reader.isascii():
            return self._module.SCardConnect(context, reader, share, protocols)
        return _connect(context, _raw(reader), share, protocols)

    def SCardTransmit(self, card: int, protocol: int, command: list[int]) -> Any:  # noqa: N802
        """As pyscard's, for short APDUs; neither the command nor the response is left in freed memory."""
        return _transmit(card, protocol, command)

    def SCardStatus(self, card: int) -> Any:  # noqa: N802
        """As pyscard's, without the name of a reader that is no UTF-8."""
        try:
            return self._module.SCardStatus(card)
        except (SystemError, UnicodeError):
            return _status(card)


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _library() -> Any:
    # Not at the top: a megabyte that only such names need.
    import ctypes  # noqa: PLC0415

    return ctypes.CDLL(_LIBRARY)


def _list_readers(context: int) -> tuple[int, list[bytes]]:
    import ctypes  # noqa: PLC0415

    library, length = _library(), ctypes.c_ulong(0)
    handle = ctypes.c_long(context)
    code = library.SCardListReaders(handle, None, None, ctypes.byref(length))
    if code & 0xFFFF_FFFF != _SUCCESS:
        return code, []
    room = ctypes.create_string_buffer(length.value)
    code = library.SCardListReaders(handle, None, room, ctypes.byref(length))
    return code, [name for name in room.raw[: length.value].split(b"\0") if name]


def _get_status_change(
    context: int, timeout: int, asked: list[tuple[bytes, str, int]]
) -> tuple[int, list[tuple[str, int, list[int]]]]:
    import ctypes  # noqa: PLC0415

    class State(ctypes.Structure):
        """SCARD_READERSTATE of pcsclite.h."""

        _fields_ = (
            ("szReader", ctypes.c_char_p),
            ("pvUserData", ctypes.c_void_p),
            ("dwCurrentState", ctypes.c_ulong),
            ("dwEventState", ctypes.c_ulong),
            ("cbAtr", ctypes.c_ulong),
            ("rgbAtr", ctypes.c_ubyte * _ATR_SIZE),
        )

    states = (State * len(asked))(*(State(raw, None, current & 0xFFFF_FFFF) for raw, _, current in asked))
    code = _library().SCardGetStatusChange(
        ctypes.c_long(context), ctypes.c_ulong(timeout), states, ctypes.c_ulong(len(asked))
    )
    return code, [
        (name, state.dwEventState, list(state.rgbAtr[: min(state.cbAtr, _ATR_SIZE)]))
        for (_, name, _), state in zip(asked, states, strict=True)
    ]


def _connect(context: int, reader: bytes, share: int, protocols: int) -> tuple[int, int, int]:
    import ctypes  # noqa: PLC0415

    card, protocol = ctypes.c_long(0), ctypes.c_ulong(0)
    code = _library().SCardConnect(
        *(ctypes.c_long(context), reader, ctypes.c_ulong(share), ctypes.c_ulong(protocols)),
        *(ctypes.byref(card), ctypes.byref(protocol)),
    )
    return code, card.value, protocol.value


def _transmit(card: int, protocol: int, command: list[int]) -> tuple[int, list[int]]:
    import ctypes  # noqa: PLC0415

    class ProtocolHeader(ctypes.Structure):
        """SCARD_IO_REQUEST of pcsclite.h."""

        _fields_ = (("dwProtocol", ctypes.c_ulong), ("cbPciLength", ctypes.c_ulong))

    sent = len(command)
    room = secret_room(sent + _RESPONSE_MOST)
    try:
        for index, octet in enumerate(command):
            room[index] = octet
        header = ProtocolHeader(protocol, ctypes.sizeof(ProtocolHeader))
        length = ctypes.c_ulong(_RESPONSE_MOST)
        octets = (ctypes.c_ubyte * len(room)).from_buffer(room)
        code = _library().SCardTransmit(
            *(ctypes.c_long(card), ctypes.byref(header), octets, ctypes.c_ulong(sent)),
            *(None, ctypes.byref(octets, sent), ctypes.byref(length)),
        )
        return code, list(room[sent : sent + length.value]) if code == _SUCCESS else []
    finally:
        wipe(room)


def _status(card: int) -> tuple[int, str, int, int, list[int]]:
    import ctypes  # noqa: PLC0415

    name_length, state, protocol = ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)
    atr, atr_length = (ctypes.c_ubyte * _ATR_SIZE)(), ctypes.c_ulong(_ATR_SIZE)
    code = _library().SCardStatus(
        *(ctypes.c_long(card), None, ctypes.byref(name_length), ctypes.byref(state), ctypes.byref(protocol)),
        *(atr, ctypes.byref(atr_length)),
    )
    return code, "", state.value, protocol.value, list(atr[: min(atr_length.value, _ATR_SIZE)])
