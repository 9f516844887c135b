"""What the calls under way take, by connection and together."""

from __future__ import annotations

from dataclasses import dataclass

from cardd.bus.failures import StandardError, StandardName
from cardd.bus.limits import Limits


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    size: int = 0
    descriptors: int = 0

    def add(self, calls: int, size: int, descriptors: int) -> None:
        self.calls += calls
        self.size += size
        self.descriptors += descriptors


class Ledger:
    """Counts calls, bytes and descriptors against the limits.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = _Sum()
        self._by_sender: dict[str, _Sum] = {}

    @property
    def calls(self) -> int:
        """Calls under way."""
        return self._total.calls

    def open(self, sender: str, size: int, descriptors: int) -> None:
        """Count a call.

        Args:
            sender: unique name of the caller.
            size: of its message, in bytes.
            descriptors: that came with it.

        Raises:
            StandardError: LimitsExceeded; nothing was counted.
        """
        own = self._by_sender.get(sender, _Sum())
        limits = self._limits
        if own.calls >= limits.calls_per_connection or own.size + size > limits.bytes_per_connection:
            raise StandardError(StandardName.LIMITS_EXCEEDED, "this connection has too many calls under way")
        if own.descriptors + descriptors > limits.descriptors_per_connection:
            raise StandardError(StandardName.LIMITS_EXCEEDED, "this connection's calls hold too many descriptors")
        total = self._total
        if (
            total.calls >= limits.calls
            or total.size + size > limits.bytes
            or total.descriptors + descriptors > limits.descriptors
        ):
            raise StandardError(StandardName.LIMITS_EXCEEDED, "the service has too many calls under way")
        self._by_sender[sender] = own
        own.add(1, size, descriptors)
        total.add(1, size, descriptors)

    def close(self, sender: str, size: int, descriptors: int) -> None:
        """The call of `open` with the same arguments is over."""
        own = self._by_sender[sender]
        own.add(-1, -size, -descriptors)
        self._total.add(-1, -size, -descriptors)
        if not own.calls:
            del self._by_sender[sender]
