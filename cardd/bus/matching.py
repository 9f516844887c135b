"""Which signals of others are wanted. D-Bus specification, "Match Rules"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cardd.bus.message import Header

BUS: Final = "org.freedesktop.DBus"
BUS_PATH: Final = "/org/freedesktop/DBus"


@dataclass(frozen=True, slots=True)
class MatchRule:
    """Broadcast signals that are wanted.

    Args:
        sender: unique or well-known name; the bus checks it.
        interface: of the signal.
        member: of the signal.
        path: of the signal, None for all.
        arguments: string arguments that must be equal, with their positions.

    Raises:
        ValueError: a part holds an apostrophe, which ends a value in a rule.
    """

    sender: str
    interface: str
    member: str
    path: str | None = None
    arguments: tuple[tuple[int, str], ...] = ()

    def __post_init__(self) -> None:
        if any("'" in value for value in self._parts().values()):
            raise ValueError("an apostrophe cannot stand in a match rule")

    def text(self) -> str:
        """As AddMatch takes it."""
        return ",".join(f"{key}='{value}'" for key, value in self._parts().items())

    def matches(self, header: Header) -> bool:
        """Whether a received signal is one that the bus was asked for.

        A signal addressed to this connection passes the bus without any rule, so anybody could imitate one: only
        broadcasts count, and for those the bus has checked the sender against the rule.
        """
        return (
            header.interface == self.interface
            and header.member == self.member
            and header.destination is None
            and self.path in (None, header.path)
            and (header.sender == self.sender or not self._sender_is_literal)
        )

    @property
    def _sender_is_literal(self) -> bool:
        """Whether messages carry the sender as it stands here (behind a well-known name stands a unique one)."""
        return self.sender.startswith(":") or self.sender == BUS

    def _parts(self) -> dict[str, str]:
        parts = {"type": "signal", "sender": self.sender, "interface": self.interface, "member": self.member}
        if self.path is not None:
            parts["path"] = self.path
        return parts | {f"arg{position}": value for position, value in self.arguments}


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A match rule in force.

    Args:
        rule: the rule.
        signature: of the signal's body; a signal with another one is dropped.
        receive: called with the body's values, in the loop; arguments of the rule are not compared again.
        with_path: the path of the object that speaks precedes these values.
    """

    rule: MatchRule
    signature: str
    receive: Callable[[list[Any]], None]
    with_path: bool = False
