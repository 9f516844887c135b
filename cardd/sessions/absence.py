"""Nobody is at the machine: it goes to sleep, or a login session is locked or switched away. What that ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cardd.access.desks import Away, Desks
from cardd.access.logins import Logins
from cardd.access.ownership import Login
from cardd.journal import Kind
from cardd.sessions.account import Account
from cardd.sessions.states import EndReason

RESET_SECONDS: Final = 2.0
"""For the cards' last reset before the machine sleeps; one that does not come back from the library gets no more."""
WRITTEN_SECONDS: Final = 2.0
"""For the journal after that. Both together stay below logind's own patience (InhibitDelayMaxSec=, 5 s)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AbsencePolicy:
    """Which absences end sessions. That the machine sleeps always does.

    Args:
        end_on_lock: the login session was locked.
        end_on_seat_switch: another login session came to the front.
    """

    end_on_lock: bool = False
    end_on_seat_switch: bool = False

    @property
    def minds_desks(self) -> bool:
        """Whether it matters at all what becomes of login sessions."""
        return self.end_on_lock or self.end_on_seat_switch


class SleepingCards(Protocol):
    """What this needs of the cards (`cardd.cards.roster.Roster` has it)."""

    async def suspend(self, timeout: float) -> bool:
        """Let every card go, reset."""

    def resume(self) -> None:
        """Look at everything anew."""


class Ending(Protocol):
    """What has sessions (`cardd.sessions.registry.Sessions` and `cardd.sessions.tokens.Tokens`)."""

    def end_for(self, login: Login, reason: EndReason) -> None:
        """End every session of a login session."""

    def look_at_clocks(self) -> None:
        """The machine slept, and timers did not run."""


class Absence:
    """Ends what an absence ends; told by the login manager, on the loop.

    Args:
        policy: which absences count.
        cards: those in readers.
        account: what is told to the journal.
        endings: who has sessions.
        logins: knows whose a login session is.
        desks: told who is away; no session is opened there meanwhile.
    """

    def __init__(
        self,
        policy: AbsencePolicy,
        cards: SleepingCards,
        account: Account,
        endings: Sequence[Ending],
        logins: Logins,
        desks: Desks,
    ) -> None:
        self.policy = policy
        self._cards = cards
        self._account = account
        self._endings = endings
        self._logins = logins
        self._desks = desks

    async def falls_asleep(self) -> None:
        """The machine is about to sleep: every card's session ends (suspend), every card is reset, and then it is
        written down. Returns within `RESET_SECONDS` and `WRITTEN_SECONDS`, whatever hangs.

        Sessions that rest on a token go on: what they rest on is not here, and their time passes in sleep too.
        """
        if not await self._cards.suspend(RESET_SECONDS):
            log.error("not every card was reset before the machine sleeps")
        try:
            await asyncio.wait_for(self._account.machine_suspended(), WRITTEN_SECONDS)
        except TimeoutError:
            log.error("the journal was not written before the machine sleeps; it is when it wakes")

    def awakes(self) -> None:
        """The machine is awake, or did not fall asleep after all: everything is looked at anew."""
        self._account.noted(Kind.MACHINE_RESUMED)
        for ending in self._endings:
            ending.look_at_clocks()
        self._cards.resume()

    def lock_wanted(self, session_id: str) -> None:
        """A login session shall be locked."""
        if self.policy.end_on_lock:
            self._end_for(session_id)

    def locked(self, session_id: str) -> None:
        """A login session was locked."""
        if self.policy.end_on_lock:
            self._desks.leave(session_id, Away.LOCKED)
            self._end_for(session_id)

    def unlocked(self, session_id: str) -> None:
        """It is no longer locked."""
        self._desks.come_back(session_id, Away.LOCKED)

    def switched_away(self, session_id: str) -> None:
        """A login session is no longer the one in front."""
        if self.policy.end_on_seat_switch:
            self._desks.leave(session_id, Away.SWITCHED)
            self._end_for(session_id)

    def switched_to(self, session_id: str) -> None:
        """It is in front again."""
        self._desks.come_back(session_id, Away.SWITCHED)

    def nobody_known(self) -> None:
        """Nobody tells who comes back any more."""
        self._desks.forget_all()

    def _end_for(self, session_id: str) -> None:
        known = self._logins.session(session_id)
        login = Login(session_id, None if known is None else known.uid)
        for ending in self._endings:
            ending.end_for(login, EndReason.LOCKED)
