"""How much one message, one connection and all of them together may take."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the bus connection; what goes beyond is answered with LimitsExceeded.

    Args:
        message_bytes: longest message that is read or sent, header included. Content goes by descriptor.
        calls_per_connection: calls that one connection may have under way (the system bus itself allows 128).
        bytes_per_connection: size of the messages of those calls.
        descriptors_per_connection: descriptors that came with those calls.
        calls: calls of all connections together.
        bytes: size of the messages of all calls under way.
        descriptors: descriptors of all calls under way; well below the process's own limit (1,024 by default), so
            that no client can use up what the daemon needs for itself.
        queue_bytes: what may wait for the bus to read it; a bus that does not drain is a lost bus.
    """

    message_bytes: int = 256 * 1024
    calls_per_connection: int = 512
    bytes_per_connection: int = 8 * MIB
    descriptors_per_connection: int = 64
    calls: int = 4096
    bytes: int = 64 * MIB
    descriptors: int = 512
    queue_bytes: int = 16 * MIB
