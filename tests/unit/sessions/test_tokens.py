"""Tokens above a simulated card, without a bus: what must hold when clocks, journal and callers misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cardd.access.caller import Caller
from cardd.access.ownership import Login
from cardd.errors import JournalUnavailable, NotAuthorized, NotTrusted, SessionEnded
from cardd.journal import Event, Kind, Trouble
from cardd.pki.store import TrustStore
from cardd.sessions import token_sessions
from cardd.sessions.presence import Environment
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardd.sessions.token_session import TokenSession
from cardd.sessions.token_settings import MintOrder, TokenSettings
from cardd.sessions.tokens import Tokens
from cardd.tokens.errors import ChainRefused, RegistryUnavailable, TokenRevoked
from cardd.tokens.keys import PublicKey
from cardd.tokens.mint import MintedToken
from cardd.tokens.proof import prove
from tests.support.core import HOLDER, PATIENCE, STRANGER, Core, card_of, running_core
from tests.unit.tokens.support import Device

ROOT = Caller(":1.9", uid=0)
AUDIENCE = "https://dossier.example"
NONCE = bytes(16)


async def permitted() -> None:
    """Polkit's word for whoever manages tokens."""


async def refusing() -> None:
    """Polkit's word for everybody else."""
    raise NotAuthorized(reason="polkit refuses")


class FalseClocks:
    """The time of day and the time since boot, moved by hand."""

    def __init__(self) -> None:
        self.off = timedelta()
        self.boot = 1000.0

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.off


@dataclass
class Room:
    """Tokens over a core, and what they told."""

    core: Core
    tokens: Tokens
    clocks: FalseClocks
    trusted: bool = True
    news: list[object] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def token_session_opened(self, session: TokenSession) -> None:
        """See TokenSessionsListener."""
        self.news.append(session.number)

    def token_session_ended(self, session: TokenSession, reason: EndReason) -> None:
        """See TokenSessionsListener."""
        assert session.end_reason is reason, "the mark comes first"
        assert Kind.SESSION_ENDED not in self.core.journal.kinds(), "the journal comes last"
        self.news.append(reason)
        self.changed.set()

    async def session(self) -> Session:
        """A card's session."""
        return await self.core.authenticated(card_of())

    async def redeem(self, device: Device, minted: MintedToken, caller: Caller = HOLDER) -> TokenSession:
        """Redeem a token by its device."""
        daemon = PublicKey.from_spki(await self.tokens.public_key()).urn
        proof = prove(device.key, minted.token, daemon=daemon, challenge=await self.tokens.challenge(caller))
        return await self.tokens.redeem(caller, minted.token, proof)

    async def opened(self, lifetime: timedelta | None = None) -> TokenSession:
        """A token's session; the card is still in."""
        device = Device()
        order = MintOrder(device.public.spki, lifetime=lifetime)
        return await self.redeem(device, await self.tokens.mint(await self.session(), HOLDER, order))

    async def until_ended(self) -> None:
        """Wait for the news of an end."""
        async with asyncio.timeout(PATIENCE):
            await self.changed.wait()

    def events(self, kind: Kind) -> list[Event]:
        """What the journal has of a kind."""
        return [event for event in self.core.journal.events if event.kind is kind]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    clocks = FalseClocks()
    async with running_core(clock=clocks.wall) as core:
        trust = core.sessions._environment.trust
        environment = Environment(lambda: trust() if made.trusted else TrustStore((), ()), clocks.wall)
        settings = TokenSettings(tmp_path / "tokens.sqlite", tmp_path / "key.pem")
        tokens = Tokens(settings, environment, core.sessions, core.sessions.account, boot=lambda: clocks.boot)
        made = Room(core, tokens, clocks)
        tokens.listen(made)
        yield made
        tokens.stop()
        await tokens.close()


def order() -> MintOrder:
    return MintOrder(Device().public.spki)


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suspended", [False, True])
async def test_it_serves_nobody_once_its_time_is_over_and_says_so(
    room: Room, monkeypatch: pytest.MonkeyPatch, *, suspended: bool
) -> None:
    """By the time of day, or, where that was set back, by the time since boot."""
    monkeypatch.setattr(token_sessions, "LOOK_AGAIN", 0.01)
    session = await room.opened(timedelta(hours=1))
    assert await session.assert_to(HOLDER, AUDIENCE, NONCE)
    if suspended:
        room.clocks.off = -timedelta(days=1)
        room.clocks.boot += 3600
    else:
        room.clocks.off = timedelta(hours=1)
    with pytest.raises(SessionEnded, match="expired"):
        await session.assert_to(HOLDER, AUDIENCE, NONCE)
    await room.until_ended()
    assert room.news == [session.number, EndReason.EXPIRED]
    assert room.core.sessions.end_reason(session.number) is EndReason.EXPIRED


async def test_a_clock_set_back_does_not_make_it_last(room: Room) -> None:
    session = await room.opened(timedelta(hours=1))
    room.clocks.off = -timedelta(days=1)
    room.clocks.boot += 3000  # minting took its time too
    assert session.end_reason is None
    room.clocks.boot += 600
    assert session.end_reason is EndReason.EXPIRED


async def test_nothing_waits_for_it_any_more_once_it_has_ended(room: Room) -> None:
    session = await room.opened()
    room.tokens.end(session, EndReason.ENDED_BY_USER)
    assert room.tokens._opened._timers == {}
    assert room.tokens._opened.find(session.holder.token_id, HOLDER) is None
    assert session.redemption.end is not None
    room.tokens.end(session, EndReason.REVOKED)
    assert room.news == [session.number, EndReason.ENDED_BY_USER], "an end is told once"


async def test_it_ends_with_the_login_session_in_which_it_was_opened(room: Room) -> None:
    session = await room.opened()
    room.tokens.end_for(Login("7", HOLDER.uid + 1), EndReason.LOCKED)
    assert session.end_reason is None
    room.tokens.end_for(Login("7", HOLDER.uid), EndReason.LOCKED)
    assert room.news == [session.number, EndReason.LOCKED]


async def test_the_time_that_the_machine_slept_counts_when_it_wakes(room: Room) -> None:
    session = await room.opened(timedelta(hours=1))
    room.clocks.boot += 3000  # minting took its time too
    room.tokens.look_at_clocks()
    assert session.end_reason is None
    room.clocks.boot += 600
    room.tokens.look_at_clocks()
    assert room.news == [session.number, EndReason.EXPIRED]


# -- the journal ------------------------------------------------------------------------------------------------------


async def test_no_journal_no_token(room: Room) -> None:
    session = await room.session()
    await room.tokens.public_key()
    room.core.journal.broken = Trouble.FULL
    with pytest.raises(JournalUnavailable):
        await room.tokens.mint(session, HOLDER, order())
    with pytest.raises(JournalUnavailable):
        await room.tokens.assert_by_card(session, HOLDER, AUDIENCE, NONCE)
    room.core.journal.broken = None
    (left,) = await room.tokens.list_tokens(ROOT, permitted, limit=10, everyone=True)
    assert left.revocation is not None, "what nobody was handed is good for nobody"


async def test_no_journal_no_session_and_no_assertion(room: Room) -> None:
    device = Device()
    minted = await room.tokens.mint(await room.session(), HOLDER, MintOrder(device.public.spki))
    room.core.journal.broken = Trouble.FULL
    with pytest.raises(JournalUnavailable):
        await room.redeem(device, minted)
    assert room.news == []
    room.core.journal.broken = None
    session = await room.redeem(device, minted)
    room.core.journal.broken = Trouble.FULL
    with pytest.raises(JournalUnavailable):
        await session.assert_to(HOLDER, AUDIENCE, NONCE)


async def test_a_revocation_ends_the_session_even_without_a_journal(room: Room) -> None:
    session = await room.opened()
    room.core.journal.broken = Trouble.FULL
    with pytest.raises(JournalUnavailable):
        await room.tokens.revoke(HOLDER, refusing, session.holder.token_id, "lost")
    assert session.end_reason is EndReason.REVOKED


async def test_what_is_signed_for_a_token_is_no_signature_of_the_caller_s(room: Room) -> None:
    session = await room.session()
    await room.tokens.mint(session, HOLDER, order())
    await room.tokens.assert_by_card(session, HOLDER, AUDIENCE, NONCE)
    kinds = room.core.journal.kinds()
    assert kinds[-2:] == [Kind.TOKEN_MINTED, Kind.ASSERTED]
    assert Kind.SIGNED not in kinds
    assert session.uses == 2


# -- ends that come in between ----------------------------------------------------------------------------------------


async def test_a_token_revoked_while_it_is_redeemed_opens_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    minted = await room.tokens.mint(await room.session(), HOLDER, MintOrder(device.public.spki))
    record = room.core.journal.record

    async def revoking(event: Event) -> None:
        await record(event)
        if event.kind is Kind.TOKEN_REDEEMED:
            await room.tokens.revoke(HOLDER, refusing, minted.token_id, "lost")

    monkeypatch.setattr(room.core.journal, "record", revoking)
    with pytest.raises(TokenRevoked):
        await room.redeem(device, minted)
    assert room.news == []


async def test_a_session_revoked_while_it_asserts_gives_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await room.opened()
    record = room.core.journal.record

    async def revoking(event: Event) -> None:
        await record(event)
        if event.kind is Kind.ASSERTED:
            await room.tokens.revoke(HOLDER, refusing, session.holder.token_id, "lost")

    monkeypatch.setattr(room.core.journal, "record", revoking)
    with pytest.raises(SessionEnded, match="revoked"):
        await session.assert_to(HOLDER, AUDIENCE, NONCE)
    assert room.events(Kind.DROPPED_RESULT)


async def test_a_card_that_leaves_while_a_token_is_written_down_leaves_none(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await room.session()
    record = room.core.journal.record

    async def removing(event: Event) -> None:
        await record(event)
        if event.kind is Kind.TOKEN_MINTED:
            room.core.reader.remove()
            await room.core.gone()

    monkeypatch.setattr(room.core.journal, "record", removing)
    with pytest.raises(SessionEnded, match="card-removed"):
        await room.tokens.mint(session, HOLDER, order())
    (left,) = await room.tokens.list_tokens(ROOT, permitted, limit=10, everyone=True)
    assert left.revocation is not None


async def test_redeemed_twice_at_once_it_opens_one_session(room: Room) -> None:
    device = Device()
    minted = await room.tokens.mint(await room.session(), HOLDER, MintOrder(device.public.spki))
    one, two = await asyncio.gather(room.redeem(device, minted), room.redeem(device, minted))
    assert one is two
    other = await room.redeem(device, minted, STRANGER)
    assert other is not one, "another user has one of his own"
    await room.tokens.revoke(ROOT, permitted, minted.token_id, "lost")
    assert {one.end_reason, other.end_reason} == {EndReason.REVOKED}


# -- who may ----------------------------------------------------------------------------------------------------------


async def test_others_list_and_revoke_nothing(room: Room) -> None:
    session = await room.session()
    minted = await room.tokens.mint(session, HOLDER, order())
    with pytest.raises(NotAuthorized):
        await room.tokens.revoke(STRANGER, refusing, minted.token_id, "mine")
    with pytest.raises(NotAuthorized):
        await room.tokens.list_tokens(STRANGER, refusing, limit=1, token_id=minted.token_id)
    with pytest.raises(NotAuthorized):
        await room.tokens.list_tokens(STRANGER, refusing, limit=10, everyone=True)
    assert await room.tokens.list_tokens(STRANGER, refusing, limit=10) == ()
    assert len(await room.tokens.list_tokens(HOLDER, refusing, limit=10)) == 1
    assert len(await room.tokens.list_tokens(HOLDER, refusing, limit=1, token_id=minted.token_id)) == 1
    await room.tokens.revoke(HOLDER, refusing, minted.token_id, "lost")


async def test_whoever_manages_tokens_lists_and_revokes_all_of_them(room: Room) -> None:
    minted = await room.tokens.mint(await room.session(), HOLDER, order())
    assert await room.tokens.list_tokens(ROOT, permitted, limit=10) == (), "their own: none"
    (found,) = await room.tokens.list_tokens(ROOT, permitted, limit=10, everyone=True)
    assert found.token_id == minted.token_id
    assert len(await room.tokens.list_tokens(STRANGER, permitted, limit=1, token_id=minted.token_id)) == 1
    await room.tokens.revoke(STRANGER, permitted, minted.token_id, "lost")
    (revoked,) = await room.tokens.list_tokens(HOLDER, refusing, limit=10)
    assert revoked.revocation is not None
    assert revoked.revocation.by == f"uid:{STRANGER.uid}"


async def test_a_certificate_that_is_trusted_no_more_signs_no_token(room: Room) -> None:
    session = await room.session()
    room.trusted = False
    with pytest.raises(ChainRefused, match="no-roots"):
        await room.tokens.mint(session, HOLDER, order())
    with pytest.raises(ChainRefused, match="no-roots"):
        await room.tokens.assert_by_card(session, HOLDER, AUDIENCE, NONCE)


async def test_a_certificate_that_names_nobody_mints_nothing(room: Room) -> None:
    session = await room.session()
    session.presence.professional = None
    with pytest.raises(NotTrusted, match="malformed"):
        await room.tokens.mint(session, HOLDER, order())


# -- the room ---------------------------------------------------------------------------------------------------------


async def test_what_failed_to_open_is_tried_again(room: Room, tmp_path: Path) -> None:
    (tmp_path / "tokens.sqlite").mkdir()
    with pytest.raises(RegistryUnavailable):
        await room.tokens.public_key()
    (tmp_path / "tokens.sqlite").rmdir()
    assert await room.tokens.public_key()


async def test_closed_it_opens_no_more(room: Room) -> None:
    await room.tokens.close()
    with pytest.raises(RegistryUnavailable, match="closed"):
        await room.tokens.challenge(HOLDER)


async def test_a_statement_is_signed_while_the_card_is_in(room: Room) -> None:
    session = await room.session()
    assert len(await session.sign_statement(HOLDER, bytes(32))) == 256
    room.core.reader.remove()
    await room.core.gone()
    with pytest.raises(SessionEnded):
        await session.sign_statement(HOLDER, bytes(32))
