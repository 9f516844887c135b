"""What the author of a driver gives to the suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cardd_drivers.contract import Channel, Driver, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A driver and one card that it drives, with what is true of that card. Tests spend its tries: new for each test.

    Args:
        driver: what the entry point names.
        insert: resets the card, the same one each time, and gives a new channel to it. The PIN, its tries and all else
            that a real card keeps without power is kept.
        identity: what the card is to be named.
        pin: the right PIN, its characters as bytes; None where the card has none.
        tries: that a wrong PIN has.
        puk: the right unblocking code; None where the card has none.
        objects: data objects that need no PIN, by label.
    """

    driver: Driver
    insert: Callable[[], Channel]
    identity: Identity
    pin: bytes | None = field(default=None, repr=False)
    tries: int = 3
    puk: bytes | None = field(default=None, repr=False)
    objects: Mapping[str, bytes] = field(default_factory=dict)
