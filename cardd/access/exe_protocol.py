"""What cardd and its small helper say to each other: one request, one answer, each one packet (SOCK_SEQPACKET).

The request is "PID START_TIME" in decimal; the answer is a word, and after "ok" a space and the path's bytes.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/run/cardd-exe-helper/socket")
PACKET_MAX: Final = 8192
"""Above PATH_MAX (4,096) and the word before it."""
SECONDS: Final = 2.0
"""For the whole exchange, on both sides."""

_REQUEST: Final = re.compile(rb"([1-9][0-9]{0,9}) ([0-9]{1,20})")


class Fault(enum.StrEnum):
    """Why there is no path."""

    MALFORMED = "malformed"
    """The request."""
    STRANGER = "stranger"
    """Another user than cardd's asks."""
    GONE = "gone"
    """The process has ended, or another has its number."""
    UNREADABLE = "unreadable"
    """The kernel does not tell; a kernel thread has no program."""
    ELSEWHERE = "elsewhere"
    """At that path there is, on this machine, another file or none: the program was replaced, or lives in a mount
    namespace of its own, where anybody may put a file anywhere."""


@dataclass(frozen=True, slots=True)
class Request:
    """Which process: by number and start time (clock ticks after boot)."""

    pid: int
    start_time: int

    def packet(self) -> bytes:
        """As it is sent."""
        return b"%d %d" % (self.pid, self.start_time)


def parse_request(packet: bytes) -> Request:
    """Read a request.

    Raises:
        ValueError: it is none.
    """
    found = _REQUEST.fullmatch(packet)
    if found is None:
        raise ValueError("no request")
    return Request(int(found.group(1)), int(found.group(2)))


def answer_packet(answer: str | Fault) -> bytes:
    """As an answer is sent: a path, or why there is none."""
    if isinstance(answer, Fault):
        return answer.value.encode()
    return b"ok " + answer.encode("utf-8", "surrogateescape")


def parse_answer(packet: bytes) -> str | Fault:
    """Read an answer.

    Raises:
        ValueError: it is none.
    """
    if packet.startswith(b"ok /") and b"\0" not in packet:
        return packet[3:].decode("utf-8", "surrogateescape")
    return Fault(packet.decode("ascii", "replace"))
