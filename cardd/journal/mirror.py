"""A second copy in journald, by its native protocol (systemd, "Native Journal Protocol"): best effort, never waiting.

Each message carries the head, so that a journal kept elsewhere (systemd-journal-upload) is a witness.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from cardd.journal.entry import Body
from cardd.journal.event import OK, Detail
from cardd.journal.link import Head

SOCKET = Path("/run/systemd/journal/socket")
HEAD_FIELD = "CARDD_HEAD"
_NOTICE = 5
_WARNING = 4


class JournaldMirror:
    """Sends each entry to journald. What its socket does not take at once is dropped and counted.

    Args:
        path: of the socket.
        identifier: SYSLOG_IDENTIFIER.
    """

    def __init__(self, path: Path = SOCKET, identifier: str = "cardd-journal") -> None:
        self._path = str(path)
        self._identifier = identifier
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.dropped = 0

    def send(self, body: Body, head: Head) -> None:
        """Send an entry that is on the disk."""
        datagram = b"".join(_field(name, value) for name, value in self._fields(body, head))
        try:
            self._socket.sendto(datagram, self._path)
        except OSError:
            # journald is full, restarting or not there. The record itself is safe; this copy is not worth waiting for.
            self.dropped += 1

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _fields(self, body: Body, head: Head) -> Iterator[tuple[str, str]]:
        event = body.event
        yield "MESSAGE", f"{event.kind.value}: {event.result} (line {head.seq})"
        yield "PRIORITY", str(_NOTICE if event.result == OK else _WARNING)
        yield "SYSLOG_IDENTIFIER", self._identifier
        yield HEAD_FIELD, str(head)
        yield "CARDD_KIND", event.kind.value
        yield "CARDD_RESULT", event.result
        if event.holder is not None:
            yield "CARDD_HOLDER", event.holder.national_id
            yield "CARDD_CARD", event.holder.card
        if event.caller is not None:
            yield "CARDD_UID", str(event.caller.uid)
            if event.caller.pid is not None:
                yield "CARDD_PID", str(event.caller.pid)
            yield "CARDD_UNIT", event.caller.unit
            yield "CARDD_APPLICATION", event.caller.application
        for name, value in event.what.items():
            yield field_name(name), str(value)


def field_name(detail: Detail) -> str:
    """journald's name for a particular: ``document-kind`` is CARDD_WHAT_DOCUMENT_KIND."""
    return "CARDD_WHAT_" + detail.value.upper().replace("-", "_")


def _field(name: str, value: str) -> bytes:
    """NAME=value, or for a value with a newline its length in 64 bits, little endian, before it."""
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
