"""Who is calling: what the bus and the kernel say of a connection, never what the caller says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """One connection to the bus.

    Args:
        connection: unique name on the bus (":1.42"), never used again by another connection.
        uid: user id of the process that connected.
        pid: its process id, 0 where the bus does not say.
    """

    connection: str
    uid: int
    pid: int = 0

    @property
    def is_root(self) -> bool:
        """Whether the superuser calls."""
        return self.uid == 0
