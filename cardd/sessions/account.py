"""What happens to cards and sessions, told to the journal: no journal, no service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from cardd import errors
from cardd.access.caller import Caller
from cardd.access.facts import CallerFacts
from cardd.journal import CallerRef, Detail, Event, HolderRef, JournalUnavailable, Kind, clipped
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason

What = Mapping[Detail, str | int | bool]
Whose = Presence | HolderRef | None
"""Whom something concerns: a card in its reader, a holder without one (of a token), nobody."""


class Recorder(Protocol):
    """What this needs of the journal (`cardd.journal.Journal` has it)."""

    async def record(self, event: Event) -> object:
        """Write it down; returns when it is on the disk.

        Raises:
            JournalUnavailable: it is not written.
        """

    def note(self, event: Event) -> None:
        """Have it written, without waiting: for what cannot be refused any more."""


class RefusalRecorder(Protocol):
    """What sums refusals up (`cardd.journal.refusals.Refusals` has it)."""

    async def record(self, refusal: Event) -> object:
        """Write it down, or count it."""


class ConnectionRecorder(Protocol):
    """What sums connections up (`cardd.journal.refusals.Refusals` has it, too)."""

    def note(self, event: Event) -> None:
        """Have it written, or count it."""


class Account:
    """Tells the journal.

    Args:
        journal: where entries go.
        refusals: where refusals go, which a user could otherwise fill the disk with.
        connections: where callers' connections go, likewise; the journal itself if not given.
    """

    def __init__(
        self, journal: Recorder, refusals: RefusalRecorder, connections: ConnectionRecorder | None = None
    ) -> None:
        self._journal = journal
        self._refusals = refusals
        self._connections = connections or journal
        self._known: Callable[[str], CallerFacts | None] = _nothing_known

    def know(self, known: Callable[[str], CallerFacts | None]) -> None:
        """Name what tells the facts of a connection that were gathered, None before; before the first call."""
        self._known = known

    async def served(self, kind: Kind, whose: Whose, caller: Caller, what: What) -> None:
        """Something was done for a caller; written before the reply that it describes.

        Raises:
            JournalUnavailable: it is not written, and so must not be replied.
        """
        await self._written(Event(kind, holder=holder_of(whose), caller=self._reference(caller), what=what))

    async def refused(self, caller: Caller, action: str, error: errors.CarddError, whose: Whose) -> None:
        """A caller was refused something. A journal that cannot be written changes nothing: it was refused anyway."""
        what = {Detail.ACTION: clipped(action), **_tries_left(error)}
        if error.decided_by:
            what[Detail.RULE] = clipped(error.decided_by)
        event = Event(
            Kind.REFUSED, result=error.short_name, holder=holder_of(whose), caller=self._reference(caller), what=what
        )
        try:
            await self._refusals.record(event)
        except JournalUnavailable:
            return

    def connected(self, caller: Caller) -> None:
        """A connection calls for the first time. It is written before whatever its calls have written."""
        self._connections.note(Event(Kind.CALLER_CONNECTED, caller=self._reference(caller)))

    def noted(self, kind: Kind, whose: Whose = None, what: What | None = None) -> None:
        """Something happened that nobody can be refused any more."""
        self._journal.note(Event(kind, holder=holder_of(whose), what=what or {}))

    def card_inserted(self, presence: Presence) -> None:
        """A card is in a reader."""
        self.noted(Kind.CARD_INSERTED, presence, _where(presence))

    def card_departed(self, presence: Presence) -> None:
        """It is gone."""
        reason = presence.card.insertion.mark.reason
        what = {**_where(presence), Detail.REASON: "" if reason is None else reason.value}
        self.noted(Kind.CARD_DEPARTED, presence, what)

    def identified(self, presence: Presence) -> None:
        """It said who it is, and its certificate was judged."""
        trust = "" if presence.trust is None else presence.trust.reason.value
        what = {**_where(presence), Detail.TRUST: trust, Detail.CARD_KIND: presence.card.kind}
        self.noted(Kind.IDENTIFIED, presence, what)

    async def machine_suspended(self) -> None:
        """The machine goes to sleep; returns when this, and all that was noted before, is on the disk. A journal that
        cannot be written keeps no machine awake."""
        with suppress(JournalUnavailable):
            await self._journal.record(Event(Kind.MACHINE_SUSPENDED))

    def session_ended(self, whose: Whose, number: int, reason: EndReason, uses: int) -> None:
        """A session ended, having served so many uses."""
        what = {Detail.SESSION: str(number), Detail.REASON: reason.value, Detail.COUNT: uses}
        self.noted(Kind.SESSION_ENDED, whose, what)

    def dropped(self, number: int) -> None:
        """The card had computed something that was not sent: the session had ended."""
        self.noted(Kind.DROPPED_RESULT, what={Detail.SESSION: str(number)})

    def _reference(self, caller: Caller) -> CallerRef:
        """Who called, as the journal keeps it."""
        facts = self._known(caller.name)
        if facts is None:
            return CallerRef(uid=caller.uid, pid=caller.pid)
        placement = facts.placement
        unit, application = placement.user_unit or placement.unit or "", facts.application
        return CallerRef(caller.uid, caller.pid, unit=clipped(unit), application=clipped(application))

    async def _written(self, event: Event) -> None:
        try:
            await self._journal.record(event)
        except JournalUnavailable as error:
            raise unavailable(error) from error


def unavailable(error: JournalUnavailable) -> errors.JournalUnavailable:
    """The journal's failure as a client is told."""
    return errors.JournalUnavailable(reason=error.trouble.value)


def _nothing_known(connection: str) -> CallerFacts | None:
    del connection
    return None


def holder_of(whose: Whose) -> HolderRef | None:
    """Whose card it is, as far as it is known; or whose token."""
    if whose is None or isinstance(whose, HolderRef):
        return whose
    identity, professional = whose.card.identity, whose.professional
    if identity is None:
        return None
    national_id = "" if professional is None else professional.national_id
    return HolderRef(national_id=clipped(national_id, 64), card=clipped(identity.serial, 64))


def _where(presence: Presence) -> dict[Detail, str | int | bool]:
    return {Detail.READER: clipped(presence.card.insertion.reader), Detail.NUMBER: presence.number}


def _tries_left(error: errors.CarddError) -> dict[Detail, str | int | bool]:
    tries_left = error.fields.get("tries_left")
    return {Detail.TRIES_LEFT: tries_left} if type(tries_left) is int and tries_left >= 0 else {}
