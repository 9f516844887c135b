"""Tokens, proofs and requests that are wrong: each is refused over the bus with its own error."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dbus_next.signature import Variant

from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import RemoteError
from cardd.bus.transport import RemoteMethod, Transport, connect
from cardd.bus.wire import variant
from cardd.client import CarddClient
from cardd.errors import InvalidArgument
from cardd.tokens import errors
from cardd.tokens.proof import prove
from tests.support.running import Running, emptied, running_cardd
from tests.support.tokens import (
    AUDIENCE,
    Holder,
    daemon_name,
    minted_by_card,
    proof_of,
    with_card,
)
from tests.unit.pki import factory
from tests.unit.tokens.support import Device, authenticated, b64, decoded, forge, header_of

MINT = RemoteMethod("org.cardd1.Session", "MintToken", "a{sv}", "ss")
REDEEM = RemoteMethod("org.cardd1.Manager", "RedeemToken", "ha{sv}", "o")
LIST = RemoteMethod("org.cardd1.Manager", "ListTokens", "a{sv}", "aa{sv}")


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        yield client


@pytest.fixture
async def raw(cardd: Running) -> AsyncIterator[Transport]:
    transport = await connect(cardd.bus.address)
    yield transport
    transport.close()


@pytest.fixture(autouse=True)
def empty_afterwards(cardd: Running) -> Iterator[None]:
    yield
    cardd.remove()


@pytest.fixture(scope="module")
def holder(cardd: Running) -> Holder:
    """One token for all attacks: none of them may do it harm."""

    async def mint() -> Holder:
        async with cardd.client() as client:
            return await minted_by_card(cardd, client)

    return asyncio.run(mint())


def with_claims(**claims: object) -> Callable[[str], str]:
    def change(token: str) -> str:
        header, payload, signature = token.split(".")
        return f"{header}.{b64(json.dumps({**decoded(payload), **claims}).encode())}.{signature}"

    return change


def with_header(**members: object) -> Callable[[str], str]:
    def change(token: str) -> str:
        header, rest = token.split(".", 1)
        return f"{b64(json.dumps({**decoded(header), **members}).encode())}.{rest}"

    return change


def with_duplicate_key(token: str) -> str:
    header, payload, signature = token.split(".")
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    twice = text[:-1] + ',"sub":"899900000029"}'
    return f"{header}.{b64(twice.encode())}.{signature}"


def minted_claims(**changes: object) -> dict[str, object]:
    """Claims of the right form, by a forger."""
    now = int(datetime.now(UTC).timestamp())
    return {
        "iss": "urn:example:daemon", "sub": "899900000011", "jti": "A" * 22, "iat": now, "exp": now + 60,
        "auth_time": now, "acr": "urn:cardd:acr:card-pin", "amr": ["sc", "pin"], "aud": "urn:example:daemon",
        "cnf": {"jkt": "A" * 43}, "token_kind": "device", **changes,
    }  # fmt: skip


def of_1_mb(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{b64(json.dumps(minted_claims(extra='x' * 1_000_000)).encode())}.{signature}"


def forged(**changes: object) -> Callable[[str], str]:
    """Times are looked at before the chain: a forger's own certificate gets that far."""
    return lambda _token: forge(header_of(authenticated()), minted_claims(**changes), factory.rsa_key("holder"))


NOW = int(datetime.now(UTC).timestamp())
ATTACKS: list[tuple[str, Callable[[str], str], type[errors.TokenError]]] = [
    ("another holder", with_claims(sub="899900000029"), errors.TokenAltered),
    ("a swapped cnf", with_claims(cnf={"jkt": Device().public.thumbprint}), errors.TokenAltered),
    ("alg none", with_header(alg="none"), errors.AlgorithmRefused),
    ("another algorithm", with_header(alg="HS256"), errors.AlgorithmRefused),
    ("another type", with_header(typ="JWT"), errors.TypeRefused),
    ("an x5c that is none", with_header(x5c=["AAAA"]), errors.TokenMalformed),
    ("a wrong x5c", with_header(x5c=header_of(authenticated())["x5c"]), errors.TokenAltered),
    ("for others", forged(aud=AUDIENCE), errors.AudienceRefused),
    ("expired", forged(iat=NOW - 200, auth_time=NOW - 200, exp=NOW - 100), errors.TokenExpired),
    ("not yet valid", forged(iat=NOW + 3600, exp=NOW + 7200), errors.TokenNotYetValid),
    ("before its nbf", forged(nbf=NOW + 3600), errors.TokenNotYetValid),
    ("for ever", forged(exp=NOW + 40 * 86400), errors.LifetimeRefused),
    ("bound to nothing", forged(cnf=None), errors.ConfirmationMissing),
    ("duplicate JSON keys", with_duplicate_key, errors.TokenMalformed),
    ("1 MB of claims", of_1_mb, errors.TokenTooLarge),
    ("no token at all", lambda _token: "é", errors.TokenMalformed),
    ("empty", lambda _token: "", errors.TokenMalformed),
]


@pytest.mark.parametrize(("attack", "error"), [one[1:] for one in ATTACKS], ids=[one[0] for one in ATTACKS])
async def test_a_wrong_token_is_refused_with_its_own_error(
    holder: Holder, client: CarddClient, attack: Callable[[str], str], error: type[errors.TokenError]
) -> None:
    good = await proof_of(client, holder.device, holder.token)
    with pytest.raises(error):
        await client.tokens.redeem(attack(holder.token), good)


async def test_another_pki_is_refused(holder: Holder, client: CarddClient) -> None:
    """A stranger's certificate that says all the same, addressed to this daemon."""
    name = await daemon_name(client)
    token = forge(header_of(authenticated()), minted_claims(aud=name), factory.rsa_key("holder"))
    with pytest.raises(errors.ChainRefused):
        await client.tokens.redeem(token, await proof_of(client, holder.device, token))


async def test_a_proof_serves_once(holder: Holder, client: CarddClient) -> None:
    once = await proof_of(client, holder.device, holder.token)
    session = await client.tokens.redeem(holder.token, once)
    await session.end()
    with pytest.raises(errors.ProofReplayed):
        await client.tokens.redeem(holder.token, once)


async def test_a_proof_by_another_device_for_another_token_or_daemon_is_refused(
    holder: Holder, client: CarddClient
) -> None:
    other = Device()
    with pytest.raises(errors.ProofWrong, match="another key"):
        await client.tokens.redeem(holder.token, await proof_of(client, other, holder.token))
    with pytest.raises(errors.ProofWrong, match="another token"):
        await client.tokens.redeem(holder.token, await proof_of(client, holder.device, "another"))
    challenge = await client.tokens.challenge()
    elsewhere = prove(holder.device.key, holder.token, daemon="urn:example:other", challenge=challenge)
    with pytest.raises(errors.ProofWrong, match="another daemon"):
        await client.tokens.redeem(holder.token, elsewhere)
    never = prove(holder.device.key, holder.token, daemon=await daemon_name(client), challenge=bytes(32))
    with pytest.raises(errors.ChallengeUnknown):
        await client.tokens.redeem(holder.token, never)
    with pytest.raises(errors.TokenTooLarge):
        await client.tokens.redeem(holder.token, "x" * 20_000)


async def test_a_token_that_this_registry_does_not_know_is_refused(holder: Holder, client: CarddClient) -> None:
    """Signed by a card, addressed to this daemon, and never registered here."""
    with running_cardd() as elsewhere:
        async with elsewhere.client() as other:
            session = await with_card(elsewhere, other)
            minted = await session.mint_token(holder.device.public.spki, audience=(await daemon_name(client),))
    with pytest.raises(errors.TokenUnknown):
        await client.tokens.redeem_with(minted.token, holder.device.key)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({}, "device-key"),
        ({"device-key": variant("ay", b""), "device-jwk": variant("s", "{}")}, "device-key"),
        ({"device-key": variant("s", "x")}, "device-key"),
        ({"device-key": variant("ay", Device().public.spki), "lifetime": variant("i", 5)}, "lifetime"),
        ({"device-key": variant("ay", Device().public.spki), "audience": variant("as", ["a b"])}, "audience"),
        ({"device-key": variant("ay", Device().public.spki), "kind": variant("s", "A B")}, "kind"),
        ({"device-key": variant("ay", Device().public.spki), "forever": variant("b", True)}, "forever"),
    ],
)
async def test_what_cannot_be_minted_is_named(
    cardd: Running, client: CarddClient, raw: Transport, options: dict[str, Variant], argument: str
) -> None:
    session = await with_card(cardd, client)
    with pytest.raises(RemoteError, match=argument) as caught:
        await raw.call("org.cardd1", session.path, MINT, (options,))
    assert caught.value.name in ("org.cardd1.Error.InvalidArgument", "org.cardd1.Error.UnknownOption")


async def test_a_device_key_that_is_none_and_a_nonce_that_is_short_are_refused(
    cardd: Running, client: CarddClient
) -> None:
    session = await with_card(cardd, client)
    with pytest.raises(errors.KeyRefused):
        await session.mint_token(b"no key")
    with pytest.raises(errors.LifetimeRefused):
        await session.mint_token(Device().public.spki, lifetime=timedelta())
    with pytest.raises(InvalidArgument, match="nonce"):
        await session.assert_to(AUDIENCE, b"short")


async def test_a_redemption_without_proof_and_pages_out_of_bounds_are_refused(
    cardd: Running, raw: Transport, client: CarddClient
) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(RemoteError, match="proof") as caught:
        await raw.call("org.cardd1", "/org/cardd1", REDEEM, (OwnedFd(reading), {}))
    assert caught.value.name == "org.cardd1.Error.InvalidArgument"
    with pytest.raises(InvalidArgument, match="limit"):
        await client.tokens.page(limit=65)
    with pytest.raises(InvalidArgument, match="limit"):
        await client.tokens.page(limit=0)
    with pytest.raises(errors.TokenUnknown):
        await client.tokens.page(after="nothing")
    both = {"id": variant("s", "x"), "limit": variant("u", 1)}
    with pytest.raises(RemoteError, match="one token"):
        await raw.call("org.cardd1", "/org/cardd1", LIST, (both,))
    with pytest.raises(errors.TokenUnknown):
        await client.tokens.revoke("nothing", "lost")


@pytest.mark.parametrize("reason", ["", "x" * 201, "a\x1b[2J"])
async def test_a_reason_that_does_not_print_revokes_nothing(holder: Holder, client: CarddClient, reason: str) -> None:
    with pytest.raises(InvalidArgument, match="reason"):
        await client.tokens.revoke(holder.minted.token_id, reason)
    assert (await client.tokens.get(holder.minted.token_id)).revoked_at is None
