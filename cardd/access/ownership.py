"""The first rule of access: a session serves the user who opened it, and nobody else."""

from __future__ import annotations

from cardd.access.caller import Caller
from cardd.errors import NotAuthorized


def require_owner(caller: Caller, owner_uid: int) -> None:
    """Let pass the uid that opened the session. Root is refused as well: the PIN was given to one user's programs.

    Raises:
        NotAuthorized: another uid calls.
    """
    if caller.uid != owner_uid:
        raise NotAuthorized(reason="another user opened this session")
