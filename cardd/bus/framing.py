"""From the stream of bytes and descriptors to messages."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cardd.bus.descriptors import OwnedFd, close_all
from cardd.bus.message import PREAMBLE_BYTES, Header, Preamble, parse_header, parse_preamble
from cardd.bus.syntax import Malformed
from cardd.bus.wire import decode_body

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Incoming:
    """A received message that owns its descriptors; whoever handles it closes it.

    Args:
        header: its header.
        endian: byte order of the body.
        body: not decoded yet; empty where it was too long.
        size: length of the whole message in bytes.
        too_long: whether the body was longer than allowed and thrown away.
        descriptors: those that came with it; fewer than `header.unix_fds` when this process had none left.
    """

    header: Header
    endian: int
    body: bytes
    size: int
    too_long: bool = False
    descriptors: list[OwnedFd] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every descriptor that was sent is here."""
        return len(self.descriptors) == self.header.unix_fds

    def values(self, signature: str) -> list[Any]:
        """The body's values; descriptors among them are those of this message, or copies.

        Args:
            signature: the one that is expected here.

        Raises:
            Malformed: the message has another signature, or its body does not follow it.
            OSError: a descriptor had to be copied and none is left.
        """
        if self.header.signature != signature:
            raise Malformed("another signature than expected")
        return decode_body(signature, self.body, self.endian, self.descriptors)

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        close_all(self.descriptors)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Descriptors of one receive, and which bytes of the stream came with them."""

    start: int
    end: int
    descriptors: list[OwnedFd]


class Framer:
    """Cuts the stream into messages.

    The kernel ends a receive after the bytes that carried descriptors, and a bus sends a message's descriptors with
    its first byte: so each batch belongs to the last message that begins within its receive, and one message has
    one batch (unix(7), SCM_RIGHTS).

    Args:
        message_bytes: longest message that is kept; of a longer one only the header is, so that its sender can be
            told, and of one whose header alone is longer, or cannot be read, nothing.
    """

    def __init__(self, message_bytes: int) -> None:
        self._limit = message_bytes
        self._buffer = bytearray()
        self._position = 0  # of the buffer's first byte in the stream
        self._skip = 0
        self._batches: deque[_Batch] = deque()

    def feed(self, data: bytes, descriptors: list[OwnedFd] | None = None) -> None:
        """Add what one receive brought.

        Args:
            data: the bytes.
            descriptors: None when none were sent; a list that is too short, maybe empty, when some were lost.
        """
        start = self._position + len(self._buffer)
        if descriptors is not None:
            self._batches.append(_Batch(start, start + len(data), descriptors))
        self._buffer += data
        self._drop_skipped()

    def next(self) -> Incoming | None:
        """The next message, None while it is not there.

        Raises:
            Malformed: the stream cannot be followed any further.
        """
        while not self._skip and len(self._buffer) >= PREAMBLE_BYTES:
            preamble = parse_preamble(self._buffer)
            if preamble.header_bytes > self._limit:
                self._discard(preamble, f"its header has {preamble.header_bytes} bytes")
                continue
            too_long = preamble.total_bytes > self._limit
            needed = preamble.header_bytes if too_long else preamble.total_bytes
            if len(self._buffer) < needed:
                return None
            data = bytes(memoryview(self._buffer)[:needed])
            try:
                header = parse_header(preamble, data[: preamble.header_bytes])
            except Malformed as error:
                self._discard(preamble, str(error))
                continue
            descriptors = self._batches.popleft().descriptors if header.unix_fds and self._batches else []
            self._advance(preamble.total_bytes)
            body = b"" if too_long else data[preamble.header_bytes :]
            return Incoming(header, preamble.endian, body, preamble.total_bytes, too_long, descriptors)
        return None

    def close(self) -> None:
        """Close the descriptors of messages that never became whole."""
        for batch in self._batches:
            close_all(batch.descriptors)
        self._batches.clear()
        self._buffer.clear()

    def _discard(self, preamble: Preamble, reason: str) -> None:
        """Throw away a message of which nobody can be told; the descriptors that came with its first byte too."""
        _log.warning("a message was thrown away: %s", reason)
        if self._batches and self._batches[0].start <= self._position < self._batches[0].end:
            close_all(self._batches.popleft().descriptors)
        self._advance(preamble.total_bytes)

    def _advance(self, size: int) -> None:
        self._skip = size
        self._drop_skipped()

    def _drop_skipped(self) -> None:
        dropped = min(self._skip, len(self._buffer))
        if dropped:
            del self._buffer[:dropped]
            self._skip -= dropped
            self._position += dropped
