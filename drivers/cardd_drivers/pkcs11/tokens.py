"""Which tokens a module has, as its watching process tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cardd_drivers.isolated.messages import MalformedPacket

_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """A token in a slot.

    Args:
        slot: CK_SLOT_ID.
        stay: rises when the module tells of a change of this slot, so that a swap is seen.
        description: of the slot; a PC/SC reader's name where the module has readers.
        label, serial: of the token.
    """

    slot: int
    stay: int
    description: str
    label: str
    serial: str

    def fields(self) -> list[bytes]:
        """As it is sent."""
        numbers = (b"%d" % self.slot, b"%d" % self.stay)
        return [*numbers, *(one.encode() for one in (self.description, self.label, self.serial))]


def parse_tokens(fields: Sequence[memoryview]) -> tuple[TokenSeen, ...]:
    """Read a list of tokens, one a slot.

    Raises:
        MalformedPacket: it is none.
    """
    if len(fields) % _FIELDS:
        raise MalformedPacket(f"{len(fields)} fields are no list of tokens")
    try:
        texts = [bytes(one).decode() for one in fields]
        found = tuple(
            TokenSeen(int(slot), int(stay), description, label, serial)
            for slot, stay, description, label, serial in zip(
                *(texts[at::_FIELDS] for at in range(_FIELDS)), strict=True
            )
        )
    except ValueError:
        raise MalformedPacket("the list of tokens cannot be read") from None
    if len({one.slot for one in found}) != len(found):
        raise MalformedPacket("two tokens in one slot")
    return found
