"""Every session that rests on a token, and how it ends: by time, by revocation, by its owner, with the daemon."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from cardd.access.caller import Caller
from cardd.access.desks import Desks
from cardd.access.ownership import Login
from cardd.sessions.account import Account
from cardd.sessions.believed import end_of
from cardd.sessions.idle import Idle
from cardd.sessions.registry import Sessions
from cardd.sessions.states import EndReason
from cardd.sessions.token_session import Clocks, Speak, TokenSession
from cardd.tokens.errors import TokenRevoked

if TYPE_CHECKING:
    from cardd.pki.trust import Trust
    from cardd.tokens.redeem import Redemption, TokenHolder

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = 60.0
"""Seconds between two looks at the clocks while a session is open: the loop's own clock stands still in suspend, and
does not follow the wall clock. A session that has expired serves nobody meanwhile; only `Ended` may come so late."""


class TokenSessionsListener(Protocol):
    """Who is told, on the loop and in the order in which things happen."""

    def token_session_opened(self, session: TokenSession) -> None:
        """A token was redeemed."""

    def token_session_ended(self, session: TokenSession, reason: EndReason) -> None:
        """It ended: told first of all."""


class TokenSessions:
    """The open ones: one for each token, user and login session, however often the user redeems it there.

    Args:
        sessions: the registry of the cards' sessions, which numbers all of them and remembers why each ended.
        account: what is told to the journal.
        clocks: tell the ends.
        idle: seconds without use after which a session ends; 0: never.
        desks: login sessions in which no session lasts, since nobody is there.
    """

    def __init__(
        self, sessions: Sessions, account: Account, clocks: Clocks, *, idle: float = 0, desks: Desks | None = None
    ) -> None:
        self._desks = desks or Desks()
        self._sessions = sessions
        self._account = account
        self._clocks = clocks
        self._listener: TokenSessionsListener | None = None
        self._open: dict[tuple[str, int, str | None], TokenSession] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._idle = Idle(idle, self._open.values, functools.partial(self.end, reason=EndReason.IDLE))

    def listen(self, listener: TokenSessionsListener) -> None:
        """Name who is told; before anything happens."""
        self._listener = listener

    def find(self, token_id: str, caller: Caller, login_session: str | None = None) -> TokenSession | None:
        """The session that a token has opened for this user in this login session."""
        return self._open.get((token_id, caller.uid, login_session))

    def holders_of(self, uid: int) -> set[str]:
        """National identifiers of those whose sessions this user has open."""
        return {
            session.whose.national_id
            for session in self._open.values()
            if session.owner_uid == uid and session.end_reason is None
        }

    def open(
        self, number: int, redemption: Redemption, caller: Caller, speak: Speak, login_session: str | None = None
    ) -> TokenSession:
        """Begin a session.

        Args:
            number: of `Sessions.take_number`.
            redemption: the token in use; closed with the session.
            caller: whose session it is.
            speak: makes its assertions.
            login_session: the caller's, None without one.

        Raises:
            TokenRevoked: meanwhile.
        """
        if redemption.end is not None:
            raise TokenRevoked
        session = TokenSession(number, redemption, caller, self._clocks, self._account, speak, login_session)
        self._open[redemption.holder.token_id, caller.uid, login_session] = session
        redemption.on_revoked(functools.partial(self.end, session, EndReason.REVOKED))
        log.info("session %d opened by a token for uid %d", number, caller.uid)
        self._told.token_session_opened(session)
        self._look(session)
        self._idle.look()
        if self._desks.is_away(login_session):
            self.end(session, EndReason.LOCKED)
        return session

    def end(self, session: TokenSession, reason: EndReason) -> None:
        """End a session: the mark, the listener (`Ended`), the journal."""
        counted = session.close(reason)
        if counted is None:
            return
        del self._open[session.holder.token_id, session.owner_uid, session.owner_session]
        self._sessions.remember(session.number, counted)
        self._told.token_session_ended(session, counted)
        session.redemption.close()
        if (timer := self._timers.pop(session.number, None)) is not None:
            timer.cancel()
        self._idle.look()
        log.info("session %d ended: %s, after %d uses", session.number, counted.value, session.uses)
        self._account.session_ended(session.whose, session.number, counted, session.uses)

    def judge_again(self, verdict: Callable[[TokenHolder], Trust]) -> None:
        """Other roots, CRLs or blocked cards: end what is not believed any more.

        Args:
            verdict: on the certificate behind a token, now.
        """
        for session in tuple(self._open.values()):
            if (reason := end_of(verdict(session.holder))) is not None:
                self.end(session, reason)

    def end_for(self, login: Login, reason: EndReason) -> None:
        """End every session that was opened in a login session."""
        for session in tuple(self._open.values()):
            if login.owns(session.owner_uid, session.owner_session):
                self.end(session, reason)

    def look_at_clocks(self) -> None:
        """The machine slept, and timers did not run: end what is over, by time or for want of use."""
        for session in tuple(self._open.values()):
            self._timers.pop(session.number).cancel()
            self._look(session)
        self._idle.look()

    def stop(self) -> None:
        """End every session (daemon-stopped)."""
        for session in tuple(self._open.values()):
            self.end(session, EndReason.DAEMON_STOPPED)

    @property
    def _told(self) -> TokenSessionsListener:
        if self._listener is None:
            raise RuntimeError("TokenSessions.listen comes before the first token")
        return self._listener

    def _look(self, session: TokenSession) -> None:
        """End it if its time is over, look again later if not."""
        remaining = session.remaining
        if remaining <= 0:
            self.end(session, EndReason.EXPIRED)
            return
        loop = asyncio.get_running_loop()
        self._timers[session.number] = loop.call_later(min(remaining, LOOK_AGAIN), self._look, session)
