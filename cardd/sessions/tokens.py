"""What callers do with tokens: mint, redeem, list, revoke; each told to the journal before its reply.

The room behind it is opened by the first that needs it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cardd.access.caller import Caller
from cardd.access.desks import Desks
from cardd.access.ownership import Login
from cardd.journal import Detail, HolderRef, Kind, clipped
from cardd.sessions.account import Account
from cardd.sessions.activities import details_of
from cardd.sessions.presence import Environment
from cardd.sessions.registry import Sessions
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardd.sessions.token_session import Clocks, TokenSession
from cardd.sessions.token_sessions import TokenSessions, TokenSessionsListener
from cardd.sessions.token_settings import MintOrder, TokenSettings, who
from cardd.tokens.errors import RegistryUnavailable

if TYPE_CHECKING:
    from cardd.sessions.token_room import TokenRoom
    from cardd.tokens.mint import MintedToken
    from cardd.tokens.redeem import Redemption
    from cardd.tokens.registry import TokenRecord

log = logging.getLogger(__name__)

RequireManager = Callable[[], Awaitable[object]]
"""Lets pass whoever may manage the tokens of others; raises NotAuthorized and its like."""


class Tokens:
    """The face of the room.

    Args:
        settings: what the configuration says.
        environment: trust store and clock.
        sessions: the registry of the cards' sessions.
        account: what is told to the journal.
        journal_head: tells where the journal stands (``JOURNAL:LINE:SHA256``), "" while it does not know.
        boot: as `Clocks.boot`.
        idle, desks: as `TokenSessions` takes them.
    """

    def __init__(
        self,
        settings: TokenSettings,
        environment: Environment,
        sessions: Sessions,
        account: Account,
        *,
        journal_head: Callable[[], str] = lambda: "",
        boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        idle: float = 0,
        desks: Desks | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._sessions = sessions
        self._account = account
        self._journal_head = journal_head
        self._clocks = Clocks(environment.clock, boot)
        self._opened = TokenSessions(sessions, account, self._clocks, idle=idle, desks=desks)
        self._room: TokenRoom | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    def listen(self, listener: TokenSessionsListener) -> None:
        """Name who is told of token sessions; before the first call."""
        self._opened.listen(listener)

    def holders_of(self, uid: int) -> set[str]:
        """As `TokenSessions.holders_of`."""
        return self._opened.holders_of(uid)

    async def challenge(self, caller: Caller) -> bytes:
        """A challenge for a token's device: 32 bytes, for this user, once, for 30 seconds."""
        return (await self._in_room()).challenges.give(caller)

    async def public_key(self) -> bytes:
        """The daemon's own public key: SubjectPublicKeyInfo in DER."""
        return (await self._in_room()).key.public.spki

    async def mint(self, session: Session, caller: Caller, order: MintOrder) -> MintedToken:
        """Mint a token for the session's holder, signed by the card.

        Raises:
            CarddError: as `TokenRoom.mint`; LevelTooLow; the journal.
        """
        session.require_open()
        session.require_card()
        room = await self._in_room()
        activity = session.situation  # the one that is in the token, whatever is chosen while the card signs
        minted = await room.mint(session, caller, order, self._journal_head())
        what = {
            Detail.TOKEN: minted.token_id,
            Detail.EXPIRES: minted.expires_at.isoformat(),
            Detail.AUDIENCE: clipped(" ".join(order.audience)),
            **details_of(activity),
        }
        try:
            await session.tell(Kind.TOKEN_MINTED, caller, what)
        except BaseException:
            await _withdraw(room, minted.token_id)
            raise
        return minted

    async def assert_by_card(
        self, session: Session, caller: Caller, audience: str, nonce: bytes, *, interactive: bool = True
    ) -> str:
        """Tell one audience who the session's holder is, now, signed by the card.

        Raises:
            CarddError: as `TokenRoom.assert_by_card`; the journal.
        """
        session.require_open()
        session.require_card()
        room = await self._in_room()
        activity = session.situation
        assertion = await room.assert_by_card(session, caller, audience, nonce, interactive=interactive)
        what = {Detail.LEVEL: "card", Detail.AUDIENCE: clipped(audience), **details_of(activity)}
        await session.tell(Kind.ASSERTED, caller, what)
        return assertion

    async def redeem(self, caller: Caller, token: str, proof: str, login_session: str | None = None) -> TokenSession:
        """Open a session with a token, or join the one that it has opened for this user.

        Args:
            caller: whose session it will be.
            token: its text.
            proof: the device's answer to a challenge.
            login_session: the caller's, None without one.

        Raises:
            TokenError: as `cardd.tokens.redeem.Redeemer.redeem`.
            JournalUnavailable.
        """
        room = await self._in_room()
        redemption = await room.redeemer.redeem(token, proof, caller)
        try:
            return await self._begin(room, redemption, caller, login_session)
        except BaseException:
            redemption.close()
            raise

    async def list_tokens(
        self,
        caller: Caller,
        manager: RequireManager,
        *,
        limit: int,
        after: str | None = None,
        token_id: str | None = None,
        everyone: bool = False,
    ) -> tuple[TokenRecord, ...]:
        """Registered tokens: those that were minted for the caller's user, or everyone's.

        Args:
            caller: who asks.
            manager: asked where tokens of others are wanted.
            limit: records at most.
            after: id of the last one of the page before.
            token_id: that one alone, whosever it is.
            everyone: those of all users.

        Raises:
            InvalidArgument, TokenUnknown, NotAuthorized, RegistryUnavailable.
        """
        room = await self._in_room()
        if token_id is not None:
            record = await room.registry.get(token_id)
            await _require_own(caller, record, manager)
            return (record,)
        if everyone:
            await manager()
        own = None if everyone else who(caller)
        return await room.registry.list_tokens(limit=limit, after=after, minted_by=own)

    async def revoke(self, caller: Caller, manager: RequireManager, token_id: str, reason: str) -> None:
        """Revoke a token; what it opened ends at once.

        Args:
            caller: who asks.
            manager: asked where it was minted for another user.
            token_id: `jti`.
            reason: for people.

        Raises:
            InvalidArgument, TokenUnknown, NotAuthorized, RegistryUnavailable.
            JournalUnavailable: it is revoked all the same.
        """
        room = await self._in_room()
        record = await room.registry.get(token_id)
        await _require_own(caller, record, manager)
        at = self._environment.clock()
        await room.registry.revoke(token_id, reason=reason, by=who(caller), at=at)
        whose = HolderRef(national_id=clipped(record.subject, 64), card="")
        what = {Detail.TOKEN: token_id, Detail.REASON: clipped(reason)}
        await self._account.served(Kind.TOKEN_REVOKED, whose, caller, what)

    def end(self, session: TokenSession, reason: EndReason) -> None:
        """End a session."""
        self._opened.end(session, reason)

    def judge_again(self) -> None:
        """Other roots, CRLs or blocked cards: end the sessions whose tokens are not believed any more."""
        if self._room is not None:
            self._opened.judge_again(self._room.verdict)

    def end_for(self, login: Login, reason: EndReason) -> None:
        """As `TokenSessions.end_for`."""
        self._opened.end_for(login, reason)

    def look_at_clocks(self) -> None:
        """As `TokenSessions.look_at_clocks`."""
        self._opened.look_at_clocks()

    def stop(self) -> None:
        """End every session that rests on a token (daemon-stopped)."""
        self._opened.stop()

    async def close(self) -> None:
        """Give registry and key back; after the last call has been answered."""
        async with self._opening:
            self._closed = True
            if self._room is not None:
                await self._room.close()

    async def _begin(
        self, room: TokenRoom, redemption: Redemption, caller: Caller, login_session: str | None
    ) -> TokenSession:
        token_id = redemption.holder.token_id
        before = self._opened.find(token_id, caller, login_session)
        number = self._sessions.take_number() if before is None else before.number
        what = {
            Detail.SESSION: str(number),
            Detail.LEVEL: "token",
            Detail.TOKEN: token_id,
            Detail.EXPIRES: redemption.holder.expires_at.isoformat(),
        }
        whose = HolderRef(national_id=clipped(redemption.holder.professional.national_id, 64), card="")
        await self._account.served(Kind.TOKEN_REDEEMED, whose, caller, what)
        found = before or self._opened.find(token_id, caller, login_session)
        if found is not None:  # should it have ended meanwhile, its guard says so at the reply
            redemption.close()
            return found
        session = self._opened.open(number, redemption, caller, room.speak, login_session)
        self.judge_again()  # what was learnt while the journal was written
        return session

    async def _in_room(self) -> TokenRoom:
        async with self._opening:
            if self._closed:
                raise RegistryUnavailable(reason="it is closed")
            if self._room is None:
                room = await asyncio.to_thread(_room_class)
                self._room = await room.open(self._settings, self._environment, self._clocks)
            return self._room


def _room_class() -> type[TokenRoom]:
    from cardd.sessions.token_room import TokenRoom  # noqa: PLC0415  # the JOSE library: not before it is needed

    return TokenRoom


async def _withdraw(room: TokenRoom, token_id: str) -> None:
    """Revoke what was not handed out. Where that fails, nobody has its text all the same."""
    try:
        await room.withdraw(token_id)
    except RegistryUnavailable as error:
        log.warning("a token that nobody was given stays unrevoked: %s", error)


async def _require_own(caller: Caller, record: TokenRecord, manager: RequireManager) -> None:
    """Let pass whom a token was minted for, and whoever may manage those of others.

    Raises:
        NotAuthorized and its like: as `manager`.
    """
    if record.minted_by != who(caller):
        await manager()
