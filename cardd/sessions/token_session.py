"""A session that a token opened: who somebody is, without a card, until the token's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cardd.access.caller import Caller
from cardd.errors import CarddError, SessionEnded
from cardd.holder.activities import Activity
from cardd.journal import Detail, HolderRef, Kind, clipped
from cardd.sessions import idle
from cardd.sessions.account import Account, What
from cardd.sessions.activities import details_of, named
from cardd.sessions.states import EndReason

if TYPE_CHECKING:
    from cardd.tokens.redeem import Redemption, TokenHolder  # the JOSE library comes with the first token

Speak = Callable[["TokenHolder", str, bytes], str]
"""Makes an assertion for a token's holder: audience and nonce to a compact JWS by the daemon's key."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """What a token's end is told by.

    Args:
        wall: the time, UTC and aware.
        boot: seconds of a clock that is never set and goes on in suspend (CLOCK_BOOTTIME).
    """

    wall: Callable[[], datetime]
    boot: Callable[[], float]


class TokenSession:
    """Who a redeemed token stands for. Whom it serves is judged before a call comes here.

    Args:
        number: names it; never used again.
        redemption: the token in use.
        owner: who redeemed it.
        clocks: tell its end. A wall clock that is set back does not make it last.
        account: what is told to the journal before each reply.
        speak: makes assertions.
        login_session: logind's name of the owner's login session, None without one.
    """

    def __init__(
        self,
        number: int,
        redemption: Redemption,
        owner: Caller,
        clocks: Clocks,
        account: Account,
        speak: Speak,
        login_session: str | None = None,
    ) -> None:
        self.number = number
        self.redemption = redemption
        self.holder = redemption.holder
        self.owner_uid = owner.uid
        self.owner_session = login_session
        self.since = clocks.wall()
        self.uses = 0
        self.activity = idle.Activity(clocks.boot)
        self._clocks = clocks
        self._account = account
        self._speak = speak
        self._deadline = clocks.boot() + (self.holder.expires_at - self.since).total_seconds()
        self._reason: EndReason | None = None

    @property
    def expires_at(self) -> datetime:
        """When it ends at the latest, UTC."""
        return self.holder.expires_at

    @property
    def remaining(self) -> float:
        """Seconds until it expires, by the clock that is nearer to it; 0 or less once it has."""
        by_wall = (self.expires_at - self._clocks.wall()).total_seconds()
        return min(by_wall, self._deadline - self._clocks.boot())

    @property
    def whose(self) -> HolderRef:
        """The holder, as the journal keeps him."""
        return HolderRef(national_id=clipped(self.holder.professional.national_id, 64), card="")

    @property
    def end_reason(self) -> EndReason | None:
        """Why it has ended, None while it is open. Its time counts at once, however late a timer tells it."""
        if self._reason is None and self.remaining <= 0:
            return EndReason.EXPIRED
        return self._reason

    def guard(self) -> CarddError | None:
        """What to send instead of a result, should it be sent now."""
        reason = self.end_reason
        return None if reason is None else SessionEnded(reason=reason.value)

    def close(self, reason: EndReason) -> EndReason | None:
        """Mark the end. Gives the reason that counts, or None where it was closed before."""
        if self._reason is not None:
            return None
        self._reason = self.end_reason or reason
        return self._reason

    def require_open(self) -> None:
        """Let a call through while the session is open.

        Raises:
            SessionEnded.
        """
        if (error := self.guard()) is not None:
            raise error

    @property
    def situation(self) -> Activity | None:
        """The work situation in which the token was minted; no other can be chosen without the card."""
        return self.holder.activity

    def activities(self) -> tuple[Activity, ...]:
        """That one alone, or none.

        Raises:
            SessionEnded.
        """
        self.require_open()
        return () if self.situation is None else (self.situation,)

    def select_activity(self, activity_id: str) -> None:
        """Choose the one that is chosen.

        Raises:
            NoSuchActivity: another one, or none.
            SessionEnded.
        """
        named(self.activities(), activity_id)

    async def assert_to(self, caller: Caller, audience: str, nonce: bytes) -> str:
        """Tell one audience who the holder is, now, by the daemon's key.

        Args:
            caller: who asks.
            audience: to whom: an origin or another name.
            nonce: the audience's random bytes.

        Raises:
            InvalidArgument: audience or nonce.
            SessionEnded, JournalUnavailable.
        """
        self.require_open()
        assertion = self._speak(self.holder, audience, nonce)
        self.uses += 1
        what: What = {
            Detail.SESSION: str(self.number),
            Detail.LEVEL: "token",
            Detail.TOKEN: self.holder.token_id,
            Detail.AUDIENCE: clipped(audience),
            **details_of(self.situation),
        }
        with self.activity.use():
            await self._account.served(Kind.ASSERTED, self.whose, caller, what)
        if (error := self.guard()) is not None:
            self._account.dropped(self.number)
            raise error
        return assertion
