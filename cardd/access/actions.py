"""What can be asked of cardd, as polkit and the rules name it."""

from __future__ import annotations

import enum
from typing import Final

PREFIX: Final = "org.cardd1."


class Action(enum.StrEnum):
    """An action; its polkit id is this name after "org.cardd1."."""

    AUTHENTICATE = "authenticate"
    """Open a session by PIN, change or unblock the PIN."""
    ASSERT = "assert"
    """Prove the holder to one audience, without any say in what is signed."""
    SIGN = "sign"
    """Have a digest of the caller's choice signed."""
    DECRYPT = "decrypt"
    MINT_TOKEN = "mint-token"  # noqa: S105  # a name
    MANAGE_TOKENS = "manage-tokens"
    READ_HOLDER = "read-holder"
    READ_JOURNAL = "read-journal"
    CONFIGURE = "configure"
    BREAK_GLASS = "break-glass"

    @property
    def polkit_id(self) -> str:
        """The action that polkit is asked about: to assert is to authenticate, towards somebody else."""
        return PREFIX + (Action.AUTHENTICATE if self is Action.ASSERT else self).value
