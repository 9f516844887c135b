"""The first rule of access: a session serves the user who opened it, and nobody else; with his desk it goes."""

from __future__ import annotations

from dataclasses import dataclass

from cardd.access.caller import Caller
from cardd.errors import NotAuthorized


def require_owner(caller: Caller, owner_uid: int) -> None:
    """Let pass the uid that opened the session. Root is refused as well: the PIN was given to one user's programs.

    Raises:
        NotAuthorized: another uid calls.
    """
    if caller.uid != owner_uid:
        raise NotAuthorized(reason="another user opened this session")


@dataclass(frozen=True, slots=True)
class Login:
    """A login session, to which sessions with a card or a token belong.

    Args:
        id: logind's name of it.
        uid: whose; None where that is not known any more.
    """

    id: str
    uid: int | None

    def owns(self, owner_uid: int, owner_session: str | None) -> bool:
        """Whether a session that this user opened, in this login session or in none, goes with it."""
        return owner_session == self.id or (owner_session is None and owner_uid == self.uid)
