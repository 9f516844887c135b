"""What the daemon and a token's process say to each other: one request, one answer, each one packet (SOCK_SEQPACKET).

A packet is a code and fields, each with its length before it in two bytes. Packets may hold a PIN or a plaintext: they
are made in, and read into, memory for secrets, and whoever has one wipes it.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Sequence
from typing import Final

from cardd_drivers.secret_memory import SecretBytes, secret_room

PACKET_MAX: Final = 65_536
"""Above the largest certificate that is taken, 32 KiB, and the largest list of tokens."""
FIELD_MAX: Final = 32_768
FIELDS_MAX: Final = 512


class MalformedPacket(ValueError):
    """What came is no packet."""


class Ask(enum.IntEnum):
    """Requests, with their fields."""

    DESCRIBE = 1
    """None; answered by the fields of `cardd_drivers.isolated.description.Description`."""
    CERTIFICATE = 2
    """Position from 0; answered by id and DER."""
    PIN_STATE = 3
    """None; answered by tries left in decimal, empty where it is not known."""
    LOGIN = 4
    """The PIN."""
    SET_PIN = 5
    """The PIN and the new one."""
    SIGN = 6
    """Key id, algorithm (JOSE name), digest; answered by the signature."""
    DECIPHER = 7
    """Key id, algorithm (JOSE name), cryptogram; answered by the plaintext."""
    OBJECT = 8
    """Label; answered by the value."""


class Told(enum.IntEnum):
    """Answers, and what comes unasked."""

    DONE = 64
    FAULT = 65
    """A word of `Fault`, and a detail for the log."""
    READY = 66
    """The process can be asked now."""
    TOKENS = 67
    """Of a watching process: five fields for each token, see `cardd_drivers.pkcs11.tokens`."""


class Fault(enum.StrEnum):
    """Why there is no result."""

    PIN_INCORRECT = "pin-incorrect"
    PIN_BLOCKED = "pin-blocked"
    PIN_FORMAT = "pin-format"
    NOT_LOGGED_IN = "not-logged-in"
    NO_KEY = "no-key"
    NO_OBJECT = "no-object"
    NO_ALGORITHM = "no-algorithm"
    DECIPHER_FAILED = "decipher-failed"
    REMOVED = "removed"
    """The token is gone."""
    FAILED = "failed"
    """Anything else; what the token knew cannot be relied on any more."""


def compose(code: int, fields: Sequence[bytes | SecretBytes] = ()) -> memoryview:
    """A packet, in memory for secrets; the caller wipes it.

    Raises:
        ValueError: too many fields, or one too long.
    """
    size = 1 + sum(2 + len(one) for one in fields)
    if len(fields) > FIELDS_MAX or size > PACKET_MAX or any(len(one) > FIELD_MAX for one in fields):
        raise ValueError(f"{len(fields)} fields of {size} bytes are no packet")
    packet = secret_room(size)
    packet[0] = code
    position = 1
    for one in fields:
        packet[position : position + 2] = len(one).to_bytes(2, "big")
        packet[position + 2 : position + 2 + len(one)] = one
        position += 2 + len(one)
    return packet


def parse(packet: memoryview) -> tuple[int, list[memoryview]]:
    """Code and fields of a packet; the fields are parts of it.

    Raises:
        MalformedPacket: with the offset.
    """
    if not packet:
        raise MalformedPacket("an empty packet")
    fields: list[memoryview] = []
    position = 1
    while position < len(packet):
        start = position + 2
        end = start + int.from_bytes(packet[position:start], "big")
        if start > len(packet) or end > len(packet) or len(fields) == FIELDS_MAX:
            raise MalformedPacket(f"a field at byte {position} goes beyond the packet")
        fields.append(packet[start:end])
        position = end
    return packet[0], fields


def receive(connection: socket.socket) -> memoryview | None:
    """The next packet, in memory for secrets; None at the end of the connection.

    Raises:
        OSError: TimeoutError among them.
        MalformedPacket: it is too long.
    """
    room = secret_room(PACKET_MAX)
    size, _, flags, _ = connection.recvmsg_into([room])
    if flags & socket.MSG_TRUNC:
        raise MalformedPacket(f"a packet of more than {PACKET_MAX} bytes")
    return room[:size] if size else None
