"""A message's header: what it says about itself. D-Bus specification, "Message Format".

Headers are read and written here, not by dbus-next: half of the time of a small call went there (a header is an array
of variants, each of which it checks twice). What a header may hold beside the known fields is left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

from cardd.bus import syntax
from cardd.bus.syntax import Malformed, Unsendable
from cardd.bus.wire import decode_fields

PREAMBLE_BYTES: Final = 16
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024  # D-Bus specification, "Message Format"

_LITTLE, _BIG = ord("l"), ord("B")
_PROTOCOL_VERSION = 1


class Kind(IntEnum):
    """Message types."""

    METHOD_CALL = 1
    METHOD_RETURN = 2
    ERROR = 3
    SIGNAL = 4


class Flag(IntFlag):
    """Header flags."""

    NONE = 0
    NO_REPLY_EXPECTED = 1
    NO_AUTO_START = 2
    ALLOW_INTERACTIVE_AUTHORIZATION = 4


class _Field(IntEnum):
    PATH = 1
    INTERFACE = 2
    MEMBER = 3
    ERROR_NAME = 4
    REPLY_SERIAL = 5
    DESTINATION = 6
    SENDER = 7
    SIGNATURE = 8
    UNIX_FDS = 9


_STRINGS: Final = (ord("s"), ord("o"))
_SIGNATURE: Final = ord("g")
_UINT32: Final = ord("u")

_UINT32_LE: Final = struct.Struct("<I")
_PREAMBLE_LE: Final = struct.Struct("<BBBBIII")


@dataclass(frozen=True, slots=True)
class Preamble:
    """The first 16 bytes of a message.

    Args:
        endian: `l` or `B` as a byte.
        kind: message type, maybe one that this version does not know (to be ignored).
        flags: header flags.
        body_bytes: length of the body.
        serial: the sender's number of the message.
        header_bytes: length of the whole header, padding included.
    """

    endian: int
    kind: int
    flags: int
    body_bytes: int
    serial: int
    header_bytes: int

    @property
    def total_bytes(self) -> int:
        """Length of the whole message."""
        return self.header_bytes + self.body_bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a message says about itself; fields as in the D-Bus specification, "Header Fields"."""

    kind: int
    flags: int
    serial: int
    path: str | None = None
    interface: str | None = None
    member: str | None = None
    error_name: str | None = None
    reply_serial: int = 0
    destination: str | None = None
    sender: str = ""
    signature: str = ""
    unix_fds: int = 0

    @property
    def wants_reply(self) -> bool:
        """Whether this is a call whose sender waits for an answer."""
        return self.kind == Kind.METHOD_CALL and not self.flags & Flag.NO_REPLY_EXPECTED


def parse_preamble(data: bytes | bytearray) -> Preamble:
    """Read the first 16 bytes of a message.

    Raises:
        Malformed: they begin no message of this protocol; the stream cannot be followed any further.
    """
    endian, kind, flags, version = data[0], data[1], data[2], data[3]
    if endian not in (_LITTLE, _BIG) or version != _PROTOCOL_VERSION:
        raise Malformed("no D-Bus message begins here")
    order = "<" if endian == _LITTLE else ">"
    body_bytes, serial, fields_bytes = struct.unpack_from(f"{order}III", data, 4)
    preamble = Preamble(endian, kind, flags, body_bytes, serial, PREAMBLE_BYTES + fields_bytes + (-fields_bytes) % 8)
    if preamble.total_bytes > MAX_MESSAGE_BYTES:
        raise Malformed("a message longer than the protocol allows")
    return preamble


def parse_header(preamble: Preamble, data: bytes) -> Header:
    """Read the header fields.

    Args:
        preamble: of the same message.
        data: the whole header, preamble included.

    Raises:
        Malformed: the fields cannot be read.
    """
    fields = _known_fields(data) if preamble.endian == _LITTLE else None
    if fields is None:
        fields = decode_fields(data, preamble.endian, PREAMBLE_BYTES - 4)
    path, interface, member, error_name, destination, sender, signature = (
        _text(fields.get(code))
        for code in (
            _Field.PATH,
            _Field.INTERFACE,
            _Field.MEMBER,
            _Field.ERROR_NAME,
            _Field.DESTINATION,
            _Field.SENDER,
            _Field.SIGNATURE,
        )
    )
    return Header(
        kind=preamble.kind,
        flags=preamble.flags,
        serial=preamble.serial,
        path=path,
        interface=interface,
        member=member,
        error_name=error_name,
        reply_serial=_number(fields.get(_Field.REPLY_SERIAL)),
        destination=destination,
        sender=sender or "",
        signature=signature or "",
        unix_fds=_number(fields.get(_Field.UNIX_FDS)),
    )


def encode_message(header: Header, body: bytes = b"") -> bytes:
    """A whole message.

    Args:
        header: `unix_fds` is the number of descriptors sent along; `sender` is left out, the bus fills it in.
        body: made by `encode_body` for `header.signature`.

    Raises:
        Unsendable: a name or path that the bus would not take.
    """
    fields = bytearray()
    for code, kind, name, check in (
        (_Field.PATH, b"o", header.path, syntax.is_object_path),
        (_Field.INTERFACE, b"s", header.interface, syntax.is_interface_name),
        (_Field.MEMBER, b"s", header.member, syntax.is_member_name),
        (_Field.ERROR_NAME, b"s", header.error_name, syntax.is_interface_name),
        (_Field.DESTINATION, b"s", header.destination, syntax.is_bus_name),
    ):
        if name is not None:
            text = _checked(name, check).encode("ascii")
            _add_field(fields, code, kind, _UINT32_LE.pack(len(text)) + text + b"\0")
    for code, number in ((_Field.REPLY_SERIAL, header.reply_serial), (_Field.UNIX_FDS, header.unix_fds)):
        if number:
            _add_field(fields, code, b"u", _UINT32_LE.pack(number))
    if header.signature:
        text = header.signature.encode("ascii")
        _add_field(fields, _Field.SIGNATURE, b"g", bytes([len(text)]) + text + b"\0")
    preamble = _PREAMBLE_LE.pack(
        _LITTLE, header.kind, header.flags, _PROTOCOL_VERSION, len(body), header.serial, len(fields)
    )
    return b"".join((preamble, fields, bytes(-len(fields) % 8), body))


def _add_field(fields: bytearray, code: int, kind: bytes, value: bytes) -> None:
    """Add a structure of a byte and a variant; each begins at a multiple of 8."""
    fields += bytes(-len(fields) % 8)
    fields += bytes((code, 1)) + kind + b"\0" + value


def _known_fields(data: bytes) -> dict[int, Any] | None:
    """The fields of a little-endian header, by code; None when one has a type that no known field has.

    Raises:
        Malformed: the fields cannot be read.
    """
    fields: dict[int, Any] = {}
    (size,) = _UINT32_LE.unpack_from(data, PREAMBLE_BYTES - 4)
    offset, end = PREAMBLE_BYTES, PREAMBLE_BYTES + size
    try:
        while offset < end:
            offset += -offset % 8
            code, kind = data[offset], data[offset + 2]
            if data[offset + 1] != 1:
                return None
            start = offset + 4
            if kind in _STRINGS:
                (length,) = _UINT32_LE.unpack_from(data, start)
                offset = start + 4 + length + 1
                fields[code] = str(data[start + 4 : offset - 1], "utf-8")
            elif kind == _SIGNATURE:
                offset = start + 1 + data[start] + 1
                fields[code] = str(data[start + 1 : offset - 1], "utf-8")
            elif kind == _UINT32:
                (fields[code],) = _UINT32_LE.unpack_from(data, start)
                offset = start + 4
            else:
                return None
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Malformed(f"header fields that cannot be read ({type(error).__name__})") from None
    if offset != end:
        raise Malformed("header fields that end elsewhere than they should")
    return fields


def _checked(name: str, check: Callable[[str], bool]) -> str:
    if not check(name):
        raise Unsendable("a name or path that D-Bus does not allow")
    return name


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise Malformed("a header field of the wrong type")


def _number(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    raise Malformed("a header field of the wrong type")
