from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardd.tokens import errors
from cardd.tokens.challenges import LIFETIME, Challenges
from cardd.tokens.jose import token_hash
from cardd.tokens.mint import MintedToken
from cardd.tokens.proof import proof_claims
from cardd.tokens.redeem import Redeemer, Redemption, RedemptionEnd
from cardd.tokens.registry import Revocation, TokenRecord, TokenRegistry
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from tests.unit.pki import factory
from tests.unit.tokens.support import (
    CALLER,
    DAEMON,
    HOUR,
    NOW,
    STRANGER,
    Clock,
    Device,
    authenticated,
    decoded,
    doctor_certificate,
    forge,
    header_of,
    minter,
    verifier,
)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A daemon that redeems, a device, and a token bound to it."""

    redeemer: Redeemer
    challenges: Challenges
    registry: SqliteTokenRegistry
    clock: Clock
    seconds: Seconds
    device: Device
    minted: MintedToken

    @property
    def token(self) -> str:
        return self.minted.token

    def proof(self, device: Device | None = None, token: str | None = None, **changes: str) -> str:
        challenge = self.challenges.give(CALLER)
        return (device or self.device).proof(challenge, token_hash(token or self.token), **changes)

    async def redeem(self) -> Redemption:
        return await self.redeemer.redeem(self.token, self.proof(), CALLER)

    async def revoke(self) -> None:
        await self.registry.revoke(self.minted.token_id, reason="lost", by="uid:0", at=NOW)


def redeemer_of(registry: TokenRegistry, challenges: Challenges, clock: Clock) -> Redeemer:
    return Redeemer(
        daemon=DAEMON,
        audiences=frozenset({DAEMON}),
        verifier=verifier(clock),
        registry=registry,
        challenges=challenges,
        clock=clock,
    )


@pytest.fixture
async def desk(registry: SqliteTokenRegistry) -> Desk:
    clock, seconds, device = Clock(), Seconds(), Device()
    challenges = Challenges(seconds)
    minted = await minter(registry).mint(authenticated(), device.request())
    return Desk(redeemer_of(registry, challenges, clock), challenges, registry, clock, seconds, device, minted)


async def test_a_token_and_a_proof_say_who_it_is(desk: Desk) -> None:
    redemption = await desk.redeem()
    holder = redemption.holder
    assert redemption.end is None
    assert holder.professional.national_id == "899900000011"
    assert (holder.token_id, holder.expires_at) == (desk.minted.token_id, NOW + 8 * HOUR)
    assert holder.thumbprint == desk.device.public.thumbprint
    assert holder.token_hash == token_hash(desk.token)
    assert "899900000011" not in repr(holder)


async def test_it_can_be_redeemed_again_by_a_new_proof(desk: Desk) -> None:
    first, second = await desk.redeem(), await desk.redeem()
    assert first.end is second.end is None


async def test_a_replayed_proof(desk: Desk) -> None:
    proof = desk.proof()
    await desk.redeemer.redeem(desk.token, proof, CALLER)
    with pytest.raises(errors.ProofReplayed):
        await desk.redeemer.redeem(desk.token, proof, CALLER)
    desk.seconds.now += LIFETIME
    with pytest.raises(errors.ChallengeUnknown):
        await desk.redeemer.redeem(desk.token, proof, CALLER)


async def test_one_challenge_is_one_attempt(desk: Desk) -> None:
    challenge = desk.challenges.give(CALLER)
    wrong = Device().proof(challenge, token_hash(desk.token))
    right = desk.device.proof(challenge, token_hash(desk.token))
    with pytest.raises(errors.ProofWrong):
        await desk.redeemer.redeem(desk.token, wrong, CALLER)
    with pytest.raises(errors.ProofReplayed):
        await desk.redeemer.redeem(desk.token, right, CALLER)


async def test_a_challenge_of_somebody_else(desk: Desk) -> None:
    with pytest.raises(errors.ChallengeUnknown):
        await desk.redeemer.redeem(desk.token, desk.proof(), STRANGER)


async def test_a_challenge_of_ones_own(desk: Desk) -> None:
    with pytest.raises(errors.ChallengeUnknown):
        await desk.redeemer.redeem(desk.token, desk.device.proof(b"x" * 32, token_hash(desk.token)), CALLER)


async def test_a_challenge_that_ran_out(desk: Desk) -> None:
    proof = desk.proof()
    desk.seconds.now += LIFETIME
    with pytest.raises(errors.ChallengeUnknown):
        await desk.redeemer.redeem(desk.token, proof, CALLER)


async def test_another_device(desk: Desk) -> None:
    with pytest.raises(errors.ProofWrong, match="another key"):
        await desk.redeemer.redeem(desk.token, desk.proof(Device()), CALLER)


async def test_the_right_key_named_and_another_used(desk: Desk) -> None:
    thief = Device()
    challenge = desk.challenges.give(CALLER)
    proof = thief.proof(challenge, token_hash(desk.token), jwk=desk.device.public.jwk)
    with pytest.raises(errors.ProofWrong, match="signature"):
        await desk.redeemer.redeem(desk.token, proof, CALLER)


async def test_a_swapped_cnf(desk: Desk) -> None:
    """A thief puts his own key into the token: altered without the card, not registered with it."""
    thief = Device()
    header, claims, signature = desk.token.split(".")
    changed = {**decoded(claims), "cnf": {"jkt": thief.public.thumbprint}}
    altered = ".".join((header, forge({}, changed).split(".")[1], signature))
    with pytest.raises(errors.TokenAltered):
        await desk.redeemer.redeem(altered, desk.proof(thief, altered), CALLER)
    signed = forge(header_of(authenticated()), changed, factory.rsa_key("holder"))
    with pytest.raises(errors.TokenUnknown):
        await desk.redeemer.redeem(signed, desk.proof(thief, signed), CALLER)


async def test_a_proof_for_another_daemon(desk: Desk) -> None:
    with pytest.raises(errors.ProofWrong, match="daemon"):
        await desk.redeemer.redeem(desk.token, desk.proof(daemon="urn:example:evil"), CALLER)


async def test_a_proof_for_another_token(desk: Desk) -> None:
    other = await minter(desk.registry).mint(authenticated(), desk.device.request())
    with pytest.raises(errors.ProofWrong, match="another token"):
        await desk.redeemer.redeem(desk.token, desk.proof(token=other.token), CALLER)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"alg": "none"}, errors.AlgorithmRefused),
        ({"alg": "HS256"}, errors.AlgorithmRefused),
        ({"alg": "RS256"}, errors.AlgorithmRefused),
        ({"typ": "cardd-token+jwt"}, errors.TypeRefused),
        ({"typ": "dpop+jwt"}, errors.TypeRefused),
        ({"jwk": "x"}, errors.TokenMalformed),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, errors.TokenMalformed),
        ({"kid": "x"}, errors.TokenMalformed),
    ],
)
async def test_a_proof_with_another_header(
    desk: Desk, header: dict[str, object], error: type[errors.TokenError]
) -> None:
    claims = proof_claims(DAEMON, desk.challenges.give(CALLER), token_hash(desk.token))
    with pytest.raises(error):
        await desk.redeemer.redeem(desk.token, desk.device.sign(claims, **header), CALLER)


@pytest.mark.parametrize("change", [{"nonce": 1}, {"nonce": "A"}, {"extra": "x"}])
async def test_a_proof_with_other_claims(desk: Desk, change: dict[str, object]) -> None:
    claims = {**proof_claims(DAEMON, desk.challenges.give(CALLER), token_hash(desk.token)), **change}
    with pytest.raises(errors.TokenMalformed, match="proof"):
        await desk.redeemer.redeem(desk.token, desk.device.sign(claims), CALLER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(max_size=80) | st.text(alphabet="eyJhbGciOiJFUzI1NiJ9.", max_size=80))
async def test_any_text_is_no_proof(desk: Desk, text: str) -> None:
    with pytest.raises(errors.TokenError):
        await desk.redeemer.redeem(desk.token, text, CALLER)


async def test_an_expired_token_opens_nothing_whatever_the_skew(desk: Desk) -> None:
    desk.clock.now = NOW + 8 * HOUR - timedelta(seconds=1)
    await desk.redeem()
    desk.clock.now = NOW + 8 * HOUR
    with pytest.raises(errors.TokenExpired):
        await desk.redeem()


async def test_a_token_for_others(desk: Desk) -> None:
    minted = await minter(desk.registry).mint(authenticated(), desk.device.request(audience=("https://a.example",)))
    with pytest.raises(errors.AudienceRefused):
        await desk.redeemer.redeem(minted.token, desk.proof(token=minted.token), CALLER)


async def test_it_ends_with_the_chain(desk: Desk) -> None:
    """An authority that ends before the token does ends what it opened."""
    short = factory.authority(
        "AC FICTIVE COURTE", factory.root(), path_length=0, end=NOW + HOUR, key=factory.rsa_key("short")
    )
    leaf = factory.holder(short, subject=doctor_certificate().subject)
    holder = authenticated(leaf, intermediates=(short.certificate,), ends=NOW + 10 * HOUR)
    minted = await minter(desk.registry).mint(holder, desk.device.request())
    assert minted.expires_at == NOW + 8 * HOUR
    redemption = await desk.redeemer.redeem(minted.token, desk.proof(token=minted.token), CALLER)
    assert redemption.holder.expires_at == NOW + HOUR


async def test_a_token_that_is_not_registered(desk: Desk) -> None:
    forged = forge(
        header_of(authenticated()),
        {**decoded(desk.token.split(".")[1]), "jti": "B" * 21 + "A"},
        factory.rsa_key("holder"),
    )
    with pytest.raises(errors.TokenUnknown):
        await desk.redeemer.redeem(forged, desk.proof(token=forged), CALLER)


async def test_a_revoked_token_opens_nothing(desk: Desk) -> None:
    await desk.revoke()
    with pytest.raises(errors.TokenRevoked):
        await desk.redeem()


async def test_a_revocation_ends_at_once_what_the_token_opened(desk: Desk) -> None:
    first, second = await desk.redeem(), await desk.redeem()
    ended: list[str] = []
    first.on_revoked(lambda: ended.append("first"))
    second.on_revoked(lambda: ended.append("second"))
    await desk.revoke()
    assert ended == ["first", "second"]
    assert first.end is second.end is RedemptionEnd.REVOKED


async def test_a_revocation_leaves_other_tokens_alone(desk: Desk) -> None:
    redemption = await desk.redeem()
    other = await minter(desk.registry).mint(authenticated(), desk.device.request())
    await desk.registry.revoke(other.token_id, reason="lost", by="uid:0", at=NOW)
    assert redemption.end is None


async def test_who_observes_late_is_told_at_once(desk: Desk) -> None:
    redemption = await desk.redeem()
    await desk.revoke()
    ended: list[int] = []
    redemption.on_revoked(lambda: ended.append(1))
    assert ended == [1]


async def test_what_was_closed_is_told_nothing(desk: Desk) -> None:
    redemption = await desk.redeem()
    ended: list[int] = []
    redemption.on_revoked(lambda: ended.append(1))
    redemption.close()
    await desk.revoke()
    assert ended == []
    assert redemption.end is RedemptionEnd.CLOSED


async def test_nothing_is_kept_of_what_is_over(desk: Desk) -> None:
    first, second = await desk.redeem(), await desk.redeem()
    first.close()
    await desk.revoke()
    with pytest.raises(errors.TokenRevoked):
        await desk.redeem()
    assert second.end is RedemptionEnd.REVOKED
    assert desk.redeemer._live == {}


class SlowRegistry:
    """Answers with what it knew when it was asked, and only when it is let."""

    def __init__(self, record: TokenRecord) -> None:
        self._record = record
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.observers: list[Callable[[Revocation], None]] = []

    async def get(self, _token_id: str) -> TokenRecord:
        self.asked.set()
        await self.may_answer.wait()
        return self._record

    def on_revoked(self, observer: Callable[[Revocation], None]) -> Callable[[], None]:
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)


async def test_a_revocation_while_the_registry_answers_is_not_missed(desk: Desk) -> None:
    slow = SlowRegistry(await desk.registry.get(desk.minted.token_id))
    redeemer = redeemer_of(cast(TokenRegistry, slow), desk.challenges, desk.clock)
    redeeming = asyncio.create_task(redeemer.redeem(desk.token, desk.proof(), CALLER))
    await slow.asked.wait()
    for observer in slow.observers:
        observer(Revocation(desk.minted.token_id, "lost", "uid:0", NOW))
    slow.may_answer.set()
    with pytest.raises(errors.TokenRevoked):
        await redeeming


async def test_what_is_given_up_midway_is_not_kept(desk: Desk) -> None:
    slow = SlowRegistry(await desk.registry.get(desk.minted.token_id))
    redeemer = redeemer_of(cast(TokenRegistry, slow), desk.challenges, desk.clock)
    redeeming = asyncio.create_task(redeemer.redeem(desk.token, desk.proof(), CALLER))
    await slow.asked.wait()
    redeeming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await redeeming
    assert redeemer._live == {}
    redeemer.stop()
    assert slow.observers == []
