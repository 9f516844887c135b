"""Who may read what of the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from cardd.access.caller import Caller
from cardd.errors import NotAuthorized, NotAuthorizedCanObtain
from cardd.journal.entry import Entry

MayReadAll = Callable[[Caller, bool], Awaitable[bool]]
"""Whether a caller may read everybody's entries; the flag says whether its user may be asked. May raise
NotAuthorizedCanObtain and NotAuthorizedDismissed."""
HoldersOf = Callable[[int], Iterable[str]]
"""The national identifiers of those whose sessions a user has open."""

FOR_WHOM = "the journal is for administrators; whoever has a session open may read the entries of its holder"
ALL_ONLY = "the journal as a whole is for administrators"
OTHER_HOLDER = "these are the entries of another holder"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far somebody may read.

    Args:
        holders: national identifiers whose entries may be read; None for all entries.
    """

    holders: frozenset[str] | None = None

    def admits(self, entry: Entry) -> bool:
        """Whether an entry may be read."""
        return self.holders is None or (entry.holder is not None and entry.holder.national_id in self.holders)


async def root_alone(caller: Caller, _interactive: bool) -> bool:
    """`MayReadAll` where nobody else decides."""
    return caller.is_root


async def reach_of(
    caller: Caller, wanted: str | None, *, may_read_all: MayReadAll, holders_of: HoldersOf, interactive: bool
) -> Reach:
    """How far a caller may read.

    Args:
        caller: who asks.
        wanted: the holder whose entries are asked for; None for whatever may be read.
        may_read_all: asked only where the caller's own sessions do not suffice; of whoever has one and wants whatever
            may be read, without troubling the user.
        holders_of: tells those sessions.
        interactive: the caller's user may be asked.

    Raises:
        NotAuthorized: nothing of what is wanted.
        NotAuthorizedCanObtain, NotAuthorizedDismissed: as `may_read_all`.
    """
    own = own_reach(caller, holders_of)
    if wanted is not None and own.holders is not None and wanted in own.holders:
        return own
    if wanted is None and own.holders:
        try:
            return Reach() if await may_read_all(caller, False) else own
        except NotAuthorizedCanObtain:
            return own
    if await may_read_all(caller, interactive):
        return Reach()
    if not own.holders:
        raise NotAuthorized(reason=FOR_WHOM)
    raise NotAuthorized(reason=OTHER_HOLDER)


def own_reach(caller: Caller, holders_of: HoldersOf) -> Reach:
    """What a caller's open sessions let it read: the entries of their holders. A card that names nobody lets read
    nothing."""
    return Reach(frozenset(holder for holder in holders_of(caller.uid) if holder))
