"""Every card in a reader and every open session, and the order in which a session ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Protocol

from cardd.access.caller import Caller
from cardd.access.desks import Desks
from cardd.access.ownership import Login
from cardd.cards.present import PresentCard
from cardd.cards.roster import PresentReader
from cardd.errors import CardRemoved
from cardd.sessions.account import Account
from cardd.sessions.authentication import Authentication
from cardd.sessions.believed import end_of
from cardd.sessions.expiry import Expiry
from cardd.sessions.idle import Idle
from cardd.sessions.pin_again import PinAsker
from cardd.sessions.presence import Environment, Presence
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, Event, State
from cardd_drivers.contract import CardError

log = logging.getLogger(__name__)

STOP_SECONDS = 2.0
"""How long cards may take to be given back when the daemon stops."""
REMEMBERED_ENDS = 4096
"""Ended sessions whose reason is still told; older ones have just ended."""


class SessionsListener(Protocol):
    """Who is told, on the loop and in the order in which things happen."""

    def reader_added(self, reader: PresentReader) -> None:
        """A reader is plugged in."""

    def reader_changed(self, reader: PresentReader) -> None:
        """Its facts, or the card that is in it, changed."""

    def reader_removed(self, reader: PresentReader) -> None:
        """It is gone."""

    def card_added(self, presence: Presence) -> None:
        """A card is in a reader."""

    def card_changed(self, presence: Presence) -> None:
        """Something that is known of it changed."""

    def card_removed(self, presence: Presence) -> None:
        """It is gone; its session's end was told before."""

    def session_opened(self, session: Session) -> None:
        """A session began."""

    def session_ended(self, session: Session, reason: EndReason) -> None:
        """It ended: told first of all."""


class Sessions:
    """The registry; hears of readers and cards from `cardd.cards.roster`, and tells one listener.

    Args:
        environment: by what cards are judged.
        account: what is told to the journal.
        idle: seconds without use after which a session ends; 0: never.
        desks: login sessions in which no session lasts, since nobody is there.
    """

    def __init__(
        self, environment: Environment, account: Account, *, idle: float = 0, desks: Desks | None = None
    ) -> None:
        self._desks = desks or Desks()
        self._environment = environment
        self.account = account
        self._listener: SessionsListener | None = None
        self._asker: PinAsker | None = None
        self._presences: dict[int, Presence] = {}
        self._authentications: dict[int, Authentication] = {}
        self._open: dict[int, Session] = {}
        self._ended: OrderedDict[int, EndReason] = OrderedDict()
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiry = Expiry(environment.clock, self._open.values, self._expired)
        self._idle = Idle(idle, self._open.values, self._unused)

    def listen(self, listener: SessionsListener, asker: PinAsker | None = None) -> None:
        """Name who is told; before anything happens.

        Args:
            listener: it.
            asker: who asks for the PIN of a card that wants it anew in an open session; None: nobody can.
        """
        self._asker = asker
        self._listener = listener

    @property
    def presences(self) -> Iterable[Presence]:
        """The cards that are in readers now."""
        return tuple(self._presences.values())

    def presence_of(self, card: PresentCard) -> Presence | None:
        """The card's presence, None once it has departed."""
        return self._presences.get(card.insertion.number)

    def authentication(self, presence: Presence) -> Authentication:
        """What opens sessions on this card.

        Raises:
            CardRemoved: it has departed, perhaps while the caller was judged.
        """
        found = self._authentications.get(presence.number)
        if found is None:
            raise CardRemoved
        return found

    def holders_of(self, uid: int) -> set[str]:
        """National identifiers of those whose sessions this user has open; empty ones of cards that name nobody."""
        return {
            "" if session.presence.professional is None else session.presence.professional.national_id
            for session in self._open.values()
            if session.owner_uid == uid and session.end_reason is None
        }

    def take_number(self) -> int:
        """A number for a session; never given twice, whatever the session rests on."""
        return next(self._numbers)

    def end_reason(self, number: int) -> EndReason | None:
        """Why the session of this number ended, None where no such session was remembered."""
        return self._ended.get(number)

    # -- what cardd.cards.roster tells -------------------------------------------------------------------------------

    def reader_added(self, reader: PresentReader) -> None:
        """A reader is plugged in."""
        self._told.reader_added(reader)

    def reader_changed(self, reader: PresentReader) -> None:
        """Its facts changed."""
        self._told.reader_changed(reader)

    def reader_removed(self, reader: PresentReader) -> None:
        """It is gone; its card went before."""
        self._told.reader_removed(reader)

    def card_inserted(self, card: PresentCard) -> None:
        """A card is in a reader; nothing is known of it yet."""
        presence = Presence(card, self._environment)
        self._presences[presence.number] = presence
        self._authentications[presence.number] = Authentication(presence, self.account, self._begin)
        self._told.card_added(presence)
        self.account.card_inserted(presence)

    def card_changed(self, card: PresentCard) -> None:
        """It named itself, or became free or held."""
        presence = self._presences.get(card.insertion.number)
        if presence is not None:
            before = presence.state
            presence.learn()
            self._told.card_changed(presence)
            if before is State.PRESENT and presence.state is not State.PRESENT:
                self.account.identified(presence)

    def card_departed(self, card: PresentCard) -> None:
        """It is gone; the watch thread has set its mark before."""
        presence = self._presences.pop(card.insertion.number, None)
        if presence is None:
            return
        del self._authentications[presence.number]
        reason = card.insertion.mark.reason
        if presence.session is not None:
            self.end(presence.session, EndReason.CARD_REMOVED if reason is None else EndReason(reason.value))
        presence.depart()
        self._told.card_removed(presence)
        self.account.card_departed(presence)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def end(self, session: Session, reason: EndReason) -> None:
        """End a session: the mark, the listener (`Ended`), its pending calls, the journal, the card's reset."""
        counted = session.close(reason)
        if counted is None:
            return
        del self._open[session.number]
        self._expiry.look()
        self._idle.look()
        self.remember(session.number, counted)
        self._told.session_ended(session, counted)
        log.info("session %d ended: %s, after %d uses", session.number, counted.value, session.uses)
        self.account.session_ended(session.presence, session.number, counted, session.uses)
        presence = self._presences.get(session.card.insertion.number)
        if presence is not None and presence.session is session:
            presence.session = None
            if presence.state is State.AUTHENTICATED:
                presence.happen(Event.SESSION_ENDED)
            self._later(self._give_back(presence))

    def changed(self, presence: Presence) -> None:
        """Something of the card changed outside the registry: its PIN, its tries."""
        if presence.state is not State.DEPARTED:
            self._told.card_changed(presence)

    def judge_again(self) -> None:
        """Other roots, CRLs, blocked cards: decide anew on every card; sessions of those not believed now end."""
        for presence in self.presences:
            presence.judge()
            reason = None if presence.trust is None else end_of(presence.trust)
            if presence.session is not None and reason is not None:
                self.end(presence.session, reason)
            self._told.card_changed(presence)

    def end_for(self, login: Login, reason: EndReason) -> None:
        """End every session that was authenticated in a login session."""
        for session in tuple(self._open.values()):
            if login.owns(session.owner_uid, session.owner_session):
                self.end(session, reason)

    def look_at_clocks(self) -> None:
        """The machine slept, and timers did not run: set them anew."""
        self._expiry.look()
        self._idle.look()

    def _expired(self, session: Session) -> None:
        self.end(session, EndReason.EXPIRED)

    def _unused(self, session: Session) -> None:
        self.end(session, EndReason.IDLE)

    async def stop(self) -> None:
        """End every session (daemon-stopped) and wait until the cards are reset."""
        self._expiry.stop()
        self._idle.stop()
        for session in tuple(self._open.values()):
            self.end(session, EndReason.DAEMON_STOPPED)
        if self._tasks and (stuck := (await asyncio.wait(self._tasks, timeout=STOP_SECONDS))[1]):
            log.error("%d cards did not let go within %g s", len(stuck), STOP_SECONDS)

    @property
    def _told(self) -> SessionsListener:
        if self._listener is None:
            raise RuntimeError("Sessions.listen comes before the readers are watched")
        return self._listener

    def _begin(self, presence: Presence, caller: Caller, login_session: str | None) -> Session:
        number = self.take_number()
        since = presence.clock()
        session = Session(
            number, presence, caller, login_session, since, presence.expires, self.account, self.end, self._asker
        )
        presence.session = session
        self._open[session.number] = session
        self._expiry.look()
        self._idle.look()
        log.info("session %d opened on card %d for uid %d", session.number, presence.number, caller.uid)
        self._told.session_opened(session)
        self._told.card_changed(presence)
        if self._desks.is_away(login_session):  # its user left while the PIN was with the card
            self.end(session, EndReason.LOCKED)
        return session

    async def _give_back(self, presence: Presence) -> None:
        """Reset the card, so that the verified PIN does not outlive the session, and look at its PIN's tries again."""
        async with presence.proving:
            if presence.session is not None or presence.state is State.DEPARTED:
                return
            with suppress(CardError):  # it may leave meanwhile; then there is nothing to give back
                await presence.card.release()
                presence.card.note_pin_status(await presence.card.run(lambda card: card.pin_status(), caller=""))
        self._judged(presence)

    def _judged(self, presence: Presence) -> None:
        if presence.state is not State.DEPARTED:
            presence.judge()
            self._told.card_changed(presence)

    def remember(self, number: int, reason: EndReason) -> None:
        """Keep why a session ended, for whoever calls its path later."""
        self._ended[number] = reason
        while len(self._ended) > REMEMBERED_ENDS:
            self._ended.popitem(last=False)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
