"""Cards that are known, and not ours to speak to: recognised by their answer to reset, and left alone.

Nothing is sent to such a card and no connection to it is opened, so that the licensed programs which
read it find it free.
"""

from __future__ import annotations

import enum
import re
from typing import Final


class ForeignKind(enum.StrEnum):
    """What sort of card it is, as the `Kind` property says it."""

    VITALE = "vitale"
    """A patient's health insurance card (carte Vitale)."""


_VITALE: Final = re.compile(
    rb"\x3b\x75\x13\x00\x00[\x43-\x49]\x09\xea\x90\x00"  # Vitale 2
    rb"|\x3b\x75\x13\x00\x00\x45\x09\xfa\x90\x00"
    rb"|\x3f\x65\x25\x00[\x22\x2c]\x09[\x69\xf9]\x90\x00"  # Vitale 1
    rb"|\x3f\x65\x25\x00\x52\x09\x6a\x90\x00"
    rb"|\x3f\x65\x25\x00[\xa3\xa4]\x09\x6a\x90\x00",
    re.DOTALL,
)
"""GUESS: the answers that users of pcsc-tools sent in for its public list; the scheme publishes none. A Vitale card
that is not among them is merely unknown, and is spoken to only if a driver takes its answer to reset for its own. A
batch of recent cards would settle it."""


def foreign_kind(atr: bytes) -> ForeignKind | None:
    """Which known card that is not ours has this answer to reset; None for any other."""
    return ForeignKind.VITALE if _VITALE.fullmatch(atr) else None
