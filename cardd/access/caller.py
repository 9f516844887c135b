"""Who is calling: what the bus and the kernel say of a connection, never what the caller says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A connection to the bus, by what the kernel told the bus when it was made.

    Args:
        name: unique name (":1.42"), never used again on this bus.
        uid: user.
        pid: process that opened the connection; None where the bus cannot see it.
        groups: the user's groups at that time, empty where the bus does not tell.
    """

    name: str
    uid: int
    pid: int | None = None
    groups: tuple[int, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether the superuser calls."""
        return self.uid == 0
