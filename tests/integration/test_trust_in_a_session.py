"""What is learnt about a card while its session is open: it was revoked, it was blocked, its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from cardd.access.caller import Caller
from cardd.errors import NotTrusted, SessionEnded
from cardd.journal import Detail, Kind
from cardd.pki.blocklist import BlockEntry, BlockList
from cardd.pki.clock import MonotoneClock
from cardd.pki.revocation.finding import Revocation, RevocationFinding
from cardd.pki.store import TrustStore
from cardd.pki.trust import Trust, TrustReason, refused
from cardd.sessions import expiry
from cardd.sessions.pin import PinQuestion
from cardd.sessions.presence import Environment
from cardd.sessions.secret import Secret
from cardd.sessions.states import EndReason, State
from tests.support.core import HOLDER, PIN, Core, Typed, card_of, running_core

DIGEST = bytes(32)


@dataclass
class Judging:
    """A step behind the path, a block list and a clock that a test sets."""

    reason: TrustReason = TrustReason.OK
    blocks: BlockList = field(default_factory=BlockList)
    wall: datetime = field(default_factory=lambda: datetime.now(UTC))
    boot: float = 0.0
    store: TrustStore | None = None

    def __post_init__(self) -> None:
        self.clock = MonotoneClock(lambda: self.wall, lambda: self.boot)

    def judge(self, trust: Trust, _chain: Sequence[x509.Certificate]) -> Trust:
        """See `cardd.pki.chain.RevocationStep`."""
        if self.reason is TrustReason.OK:
            return trust
        return refused(replace(trust, revocation=RevocationFinding(Revocation.REVOKED)), self.reason)

    def environment(self, store: TrustStore) -> Environment:
        self.store = store.asking(self)
        return Environment(lambda: self.store or store, self.clock, lambda: self.blocks)


@asynccontextmanager
async def judged() -> AsyncIterator[tuple[Core, Judging]]:
    judging = Judging()
    async with running_core(judged_by=judging.environment) as core:
        yield core, judging


async def test_a_card_that_turns_out_revoked_loses_its_session() -> None:
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        judging.reason = TrustReason.REVOKED
        core.sessions.judge_again()
        assert core.heard.ends() == [EndReason.REVOKED]
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        presence = session.presence
        await core.until(lambda: presence.state is State.UNTRUSTED)
        assert presence.trust is not None
        assert presence.trust.reason is TrustReason.REVOKED
        with pytest.raises(NotTrusted):
            await core.authenticate(presence)
        [ended] = [event for event in core.journal.events if event.kind is Kind.SESSION_ENDED]
        assert ended.what[Detail.REASON] == "revoked"


async def test_a_call_that_is_being_served_ends_with_the_session() -> None:
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        signing = asyncio.create_task(session.sign(HOLDER, "signature", "RS256", DIGEST))
        await asyncio.sleep(0)
        judging.reason = TrustReason.REVOKED
        core.sessions.judge_again()
        with pytest.raises(SessionEnded):
            await signing
        assert session.uses == 0


@pytest.mark.parametrize(
    "entry",
    [
        BlockEntry(card="2600000011"),
        BlockEntry(holder="899900000011"),
    ],
)
async def test_a_blocked_card_loses_its_session_and_opens_no_other(entry: BlockEntry) -> None:
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        judging.blocks = BlockList([entry])
        core.sessions.judge_again()
        assert core.heard.ends() == [EndReason.REVOKED]
        await core.until(lambda: session.presence.state is State.UNTRUSTED)
        with pytest.raises(NotTrusted) as refusal:
            await core.authenticate(session.presence)
        assert refusal.value.fields["reason"] == "blocked"


async def test_a_card_is_blocked_by_the_serial_that_it_gives() -> None:
    async with judged() as (core, judging):
        presence = await core.insert(card_of())
        assert presence.card.identity is not None
        judging.blocks = BlockList([BlockEntry(card=presence.card.identity.serial)])
        core.sessions.judge_again()
        assert presence.state is State.UNTRUSTED


async def test_another_card_is_left_alone() -> None:
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        judging.blocks = BlockList([BlockEntry(card="2600000029"), BlockEntry(holder="899900000029")])
        core.sessions.judge_again()
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


@pytest.mark.parametrize("reason", [TrustReason.REVOCATION_UNKNOWN, TrustReason.NOT_YET_VALID])
async def test_data_that_grow_old_end_no_session_but_open_none(reason: TrustReason) -> None:
    """The doctor who is at work goes on; nothing was learnt about his card."""
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        judging.reason = reason
        core.sessions.judge_again()
        assert core.heard.ends() == []
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)
        core.sessions.end(session, EndReason.ENDED_BY_USER)
        await core.until(lambda: session.presence.state is State.UNTRUSTED)


async def test_a_root_that_is_taken_away_ends_what_rests_on_it() -> None:
    async with judged() as (core, judging):
        await core.authenticated(card_of())
        judging.store = TrustStore((), ())
        core.sessions.judge_again()
        assert core.heard.ends() == [EndReason.REVOKED]


class Revoking(Typed):
    """A user during whose typing the card is found revoked."""

    def __init__(self, judging: Judging, core: Core) -> None:
        super().__init__(PIN)
        self._judging = judging
        self._core = core

    async def answer(self, question: PinQuestion) -> Secret:
        """See `cardd.sessions.pin.PinSource`."""
        self._judging.reason = TrustReason.REVOKED
        return await super().answer(question)


async def test_what_is_learnt_while_the_user_types_counts() -> None:
    async with judged() as (core, judging):
        card = card_of()
        presence = await core.insert(card)
        with pytest.raises(NotTrusted):
            await core.sessions.authentication(presence).authenticate(HOLDER, Revoking(judging, core))
        assert presence.session is None


async def test_what_is_learnt_while_the_card_proves_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with judged() as (core, judging):
        presence = await core.insert(card_of())
        authentication = core.sessions.authentication(presence)
        prove = authentication._prove

        async def prove_then_learn(caller: Caller, pin: Secret, *, may_be_last: bool) -> None:
            await prove(caller, pin, may_be_last=may_be_last)
            judging.reason = TrustReason.REVOKED
            core.sessions.judge_again()

        monkeypatch.setattr(authentication, "_prove", prove_then_learn)
        with pytest.raises(NotTrusted):
            await authentication.authenticate(HOLDER, Typed(PIN))
        assert (presence.session, core.heard.ends()) == (None, [])
        assert presence.state is State.UNTRUSTED


async def test_an_expired_certificate_serves_nobody_and_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "LOOK_AGAIN", 0.05)
    async with judged() as (core, judging):
        session = await core.authenticated(card_of())
        judging.wall = session.expires
        assert session.end_reason is None
        judging.wall = session.expires + timedelta(seconds=1)
        # At once, before any timer.
        with pytest.raises(SessionEnded) as ended:
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert ended.value.fields["reason"] == "expired"
        await core.until(lambda: core.heard.ends() == [EndReason.EXPIRED])
        judging.wall = session.since  # set back
        presence = session.presence
        await core.until(lambda: presence.state is State.UNTRUSTED)
        with pytest.raises(NotTrusted) as refusal:
            await core.authenticate(presence)
        assert refusal.value.fields["reason"] == "expired"


async def test_one_timer_for_the_first_to_expire_and_none_without_a_session() -> None:
    async with judged() as (core, judging):
        timer = core.sessions._expiry
        assert timer._timer is None
        session = await core.authenticated(card_of())
        assert timer._timer is not None
        judging.wall = session.expires - timedelta(seconds=2)
        timer.look()
        assert 1.5 < timer._timer.when() - asyncio.get_running_loop().time() < 2.1
        core.sessions.end(session, EndReason.ENDED_BY_USER)
        assert timer._timer is None
