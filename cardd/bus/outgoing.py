"""Messages to send: how they are built, what an error looks like, and the choice at the last moment."""

from __future__ import annotations

import array
import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cardd.bus.descriptors import OwnedFd, close_all, descriptors_in
from cardd.bus.failures import StandardError
from cardd.bus.message import Flag, Header, Kind, encode_message
from cardd.bus.syntax import TooLong
from cardd.bus.wire import encode_body
from cardd.errors import CarddError

MESSAGE_OVERHEAD: Final = 256
"""Bytes that a waiting message costs beside its own."""


@dataclass(slots=True)
class Outgoing:
    """A message that waits, with the descriptors that it takes along and closes once it has left.

    Args:
        data: the whole message.
        descriptors: owned by this message from now on.
        substitute: asked at the very moment before the first byte leaves: bytes that leave instead (the end of a
            session between computing a result and sending it), or None to send the message as it is.
        too_many_descriptors: leaves instead when the kernel refuses to pass more descriptors (ETOOMANYREFS).
        charge: what it counts for while it waits, in bytes.
    """

    data: bytes
    descriptors: Sequence[OwnedFd] = ()
    substitute: Callable[[], bytes | None] | None = None
    too_many_descriptors: bytes | None = None
    charge: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.charge = len(self.data) + MESSAGE_OVERHEAD

    @property
    def started(self) -> bool:
        """Whether its first byte has left."""
        return self._offset > 0

    @property
    def done(self) -> bool:
        """Whether all of it has left."""
        return self._offset >= len(self.data)

    def choose(self) -> None:
        """Decide, before the first byte, what leaves."""
        replacement = self.substitute() if self.substitute is not None else None
        if replacement is not None:
            self._replace(replacement)

    def send(self, sock: socket.socket) -> None:
        """Send as much as the socket takes.

        Raises:
            BlockingIOError: it takes nothing now.
            OSError: the connection is gone.
        """
        rest = memoryview(self.data)[self._offset :]
        try:
            self._offset += sock.sendmsg([rest], self._ancillary(), socket.MSG_NOSIGNAL)
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS or self.too_many_descriptors is None:
                raise
            self._replace(self.too_many_descriptors)
            self._offset += sock.send(self.data, socket.MSG_NOSIGNAL)
        if self.started:
            self.close()

    def close(self) -> None:
        """Close the descriptors: they have left, or never will."""
        close_all(self.descriptors)
        self.descriptors = ()

    def _ancillary(self) -> list[tuple[int, int, array.array[int]]]:
        if not self.descriptors:
            return []
        numbers = array.array("i", [descriptor.fileno() for descriptor in self.descriptors])
        return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]

    def _replace(self, data: bytes) -> None:
        self.close()
        self.data = data
        self.substitute = None


def build(header: Header, values: Sequence[Any], limit: int) -> Outgoing:
    """A message with its body.

    Args:
        header: `unix_fds` is filled in here.
        values: for `header.signature`; the descriptors among them now belong to the message, and are closed when it
            cannot be built.
        limit: longest message, in bytes.

    Raises:
        Unsendable: the bus would not take it.
        TooLong: it is longer than the limit.
    """
    try:
        body, descriptors = encode_body(header.signature, values)
        if descriptors:
            header = replace(header, unix_fds=len(descriptors))
        data = _bounded(encode_message(header, body), limit)
    except BaseException:
        close_all(descriptors_in(values))
        raise
    return Outgoing(data, descriptors)


def method_return(call: Header, serial: int, signature: str, values: Sequence[Any], limit: int) -> Outgoing:
    """The answer to a call; arguments and failures as for `build`."""
    header = Header(
        Kind.METHOD_RETURN,
        Flag.NO_REPLY_EXPECTED,
        serial,
        reply_serial=call.serial,
        destination=call.sender or None,
        signature=signature,
    )
    return build(header, values, limit)


def error_reply(call: Header, serial: int, error: CarddError | StandardError) -> bytes:
    """An error as the answer to a call: one sentence, which every library shows.

    Raises:
        Unsendable: the sentence holds what the bus would not take.
    """
    body, _ = encode_body("s", [error.message])
    header = Header(
        Kind.ERROR,
        Flag.NO_REPLY_EXPECTED,
        serial,
        error_name=error.name,
        reply_serial=call.serial,
        destination=call.sender or None,
        signature="s",
    )
    return encode_message(header, body)


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise TooLong(f"a message of {len(data)} bytes where {limit} are allowed")
    return data
