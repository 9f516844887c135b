"""`cardd.client.assertions`, and with it `cardd.tokens.assertion`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from cardd.client.assertions import AssertedBy, AssertionVerifier
from cardd.errors import InvalidArgument
from cardd.tokens import errors
from cardd.tokens.assertion import assert_by_card, assert_by_daemon
from cardd.tokens.daemon_key import DaemonKey, load_or_make
from cardd.tokens.jose import Type, token_hash
from cardd.tokens.redeem import TokenHolder
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from tests.unit.pki import factory
from tests.unit.tokens.support import (
    DAEMON,
    HOUR,
    NOW,
    Clock,
    Device,
    authenticated,
    decoded,
    forge,
    header_of,
    minter,
    strange_root,
    verifier,
)

AUDIENCE = "https://dossier.example"
NONCE = b"nonce of a server, of 32 bytes.."
HOLDER_KEY = factory.rsa_key("holder")
ROOT_PEM = factory.root().certificate.public_bytes(Encoding.PEM)


def server(key: DaemonKey | None = None, now: timedelta = timedelta(0), audience: str = AUDIENCE) -> AssertionVerifier:
    daemons = [] if key is None else [key.public.spki]
    return AssertionVerifier(audience, roots=[ROOT_PEM], daemons=daemons, clock=Clock(NOW + now))


async def card_assertion(nonce: bytes = NONCE, audience: str = AUDIENCE) -> str:
    return await assert_by_card(authenticated(), issuer=DAEMON, audience=audience, nonce=nonce, now=NOW)


def resigned(assertion: str, **changes: object) -> str:
    return resigned_by(HOLDER_KEY, assertion, **changes)


def resigned_by(key: rsa.RSAPrivateKey, assertion: str, **changes: object) -> str:
    header = header_of(authenticated(), typ="cardd-assertion+jwt")
    members = {**decoded(assertion.split(".")[1]), **changes}
    return forge(header, {name: value for name, value in members.items() if value is not None}, key)


async def test_a_card_speaks_for_its_holder() -> None:
    verified = server().verify(await card_assertion(), nonce=NONCE)
    assert verified.by is AssertedBy.CARD
    assert (verified.national_id, verified.issuer, verified.token_id) == ("899900000011", DAEMON, None)
    assert (verified.authenticated_at, verified.issued_at) == (NOW - HOUR, NOW)
    assert verified.claims["SubjectRole"] == ["10^1.2.250.1.71.1.2.7"]
    assert verified.claims["authMode"] == "CARD"
    assert "899900000011" not in repr(verified)


async def test_it_is_for_one_audience_one_nonce_and_one_minute() -> None:
    assertion = await card_assertion()
    with pytest.raises(errors.AudienceRefused):
        server(audience="https://another.example").verify(assertion, nonce=NONCE)
    with pytest.raises(errors.NonceRefused):
        server().verify(assertion, nonce=b"another nonce of this server....")
    server(now=timedelta(seconds=89)).verify(assertion, nonce=NONCE)
    with pytest.raises(errors.TokenExpired):
        server(now=timedelta(seconds=90)).verify(assertion, nonce=NONCE)
    with pytest.raises(errors.TokenNotYetValid):
        server(now=timedelta(seconds=-31)).verify(assertion, nonce=NONCE)


async def test_an_assertion_that_lives_longer_is_refused() -> None:
    long = resigned(await card_assertion(), exp=int((NOW + HOUR).timestamp()))
    with pytest.raises(errors.TokenMalformed, match="times"):
        server().verify(long, nonce=NONCE)


async def test_another_holders_name_under_ones_own_card() -> None:
    assertion = await card_assertion()
    for claim in ("sub", "SubjectNameID", "SubjectRole"):
        with pytest.raises(errors.HolderMismatch, match=claim):
            server().verify(resigned(assertion, **{claim: "899900000029"}), nonce=NONCE)


async def test_altered_by_another_key_or_under_another_pki() -> None:
    assertion = await card_assertion()
    with pytest.raises(errors.TokenAltered):
        server().verify(resigned_by(factory.rsa_key("mallory"), assertion), nonce=NONCE)
    strange = AssertionVerifier(AUDIENCE, roots=[strange_root().certificate.public_bytes(Encoding.DER)], clock=Clock())
    with pytest.raises(errors.ChainRefused):
        strange.verify(assertion, nonce=NONCE)


async def test_a_token_is_no_assertion_and_an_assertion_no_token(registry: SqliteTokenRegistry) -> None:
    minted = await minter(registry).mint(authenticated(), Device().request(audience=(AUDIENCE,)))
    with pytest.raises(errors.TypeRefused):
        server().verify(minted.token, nonce=NONCE)
    with pytest.raises(errors.TypeRefused):
        verifier().verify(await card_assertion())


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256"])
async def test_another_algorithm(algorithm: str) -> None:
    header = header_of(authenticated(), typ="cardd-assertion+jwt", alg=algorithm)
    with pytest.raises(errors.AlgorithmRefused):
        server().verify(forge(header, decoded((await card_assertion()).split(".")[1]), HOLDER_KEY), nonce=NONCE)


@given(st.text(max_size=100))
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(errors.TokenError):
        server().verify(text, nonce=NONCE)


@pytest.mark.parametrize("claim", ["sub", "aud", "nonce", "iat", "exp", "iss", "acr", "auth_time"])
async def test_none_may_be_missing(claim: str) -> None:
    with pytest.raises(errors.TokenMalformed):
        server().verify(resigned(await card_assertion(), **{claim: None}), nonce=NONCE)


@pytest.mark.parametrize("nonce", [b"", b"x" * 15, b"x" * 65])
async def test_a_nonce_that_proves_nothing_is_not_answered(nonce: bytes) -> None:
    with pytest.raises(InvalidArgument, match="nonce"):
        await card_assertion(nonce)


@pytest.mark.parametrize("audience", ["", "a b", "x" * 257, "é", "a\x1b"])
async def test_an_audience_that_is_none(audience: str) -> None:
    with pytest.raises(InvalidArgument, match="audience"):
        await card_assertion(audience=audience)


@pytest.fixture
def key(tmp_path: Path) -> DaemonKey:
    return load_or_make(tmp_path / "daemon.pem")


@pytest.fixture
async def redeemed(registry: SqliteTokenRegistry) -> tuple[TokenHolder, str]:
    """Whom a good token stands for, and the token."""
    device = Device()
    minted = await minter(registry).mint(authenticated(), device.request())
    verified = verifier().verify(minted.token)
    holder = TokenHolder(
        token_id=minted.token_id,
        token_hash=token_hash(minted.token),
        claims=verified.claims,
        professional=verified.professional,
        chain=verified.chain,
        thumbprint=device.public.thumbprint,
        expires_at=minted.expires_at,
    )
    return holder, minted.token


def spoken(holder: TokenHolder, key: DaemonKey, later: timedelta = timedelta(0)) -> str:
    return assert_by_daemon(holder, key, audience=AUDIENCE, nonce=NONCE, now=NOW + later)


def test_a_daemon_speaks_for_a_token(key: DaemonKey, redeemed: tuple[TokenHolder, str]) -> None:
    holder, token = redeemed
    verified = server(key).verify(spoken(holder, key), nonce=NONCE)
    assert verified.by is AssertedBy.TOKEN
    assert (verified.national_id, verified.token_id) == ("899900000011", holder.token_id)
    assert (verified.issuer, verified.authenticated_at) == (key.public.urn, NOW - HOUR)
    assert "authMode" not in verified.claims
    assert server(key).verify(spoken(holder, key), nonce=NONCE, token=token) == verified


def test_a_daemon_that_is_not_known_is_not_believed(
    key: DaemonKey, redeemed: tuple[TokenHolder, str], tmp_path: Path
) -> None:
    assertion = spoken(redeemed[0], key)
    with pytest.raises(errors.IssuerUnknown):
        server().verify(assertion, nonce=NONCE)
    with pytest.raises(errors.IssuerUnknown):
        server(load_or_make(tmp_path / "other.pem")).verify(assertion, nonce=NONCE)


def test_a_daemon_that_takes_anothers_name_is_not_believed(
    key: DaemonKey, redeemed: tuple[TokenHolder, str], tmp_path: Path
) -> None:
    other = load_or_make(tmp_path / "other.pem")
    claims = decoded(spoken(redeemed[0], key).split(".")[1])
    header, payload, signature = other.sign(Type.ASSERTION, claims).split(".")
    with pytest.raises(errors.IssuerUnknown):
        server(other).verify(f"{header}.{payload}.{signature}", nonce=NONCE)
    known = spoken(redeemed[0], key).split(".")[0]
    with pytest.raises(errors.TokenAltered):
        server(key).verify(f"{known}.{payload}.{signature}", nonce=NONCE)


def test_a_daemon_does_not_speak_for_a_card_nor_a_card_for_a_token(
    key: DaemonKey, redeemed: tuple[TokenHolder, str]
) -> None:
    claims = {**decoded(spoken(redeemed[0], key).split(".")[1]), "acr": "urn:cardd:acr:card-pin"}
    with pytest.raises(errors.TokenMalformed, match="acr"):
        server(key).verify(key.sign(Type.ASSERTION, claims), nonce=NONCE)


async def test_a_card_that_claims_a_token_is_refused() -> None:
    assertion = resigned(await card_assertion(), acr="urn:cardd:acr:token-key")
    with pytest.raises(errors.TokenMalformed, match="acr"):
        server().verify(assertion, nonce=NONCE)


async def test_another_token_than_the_one_referred_to(
    key: DaemonKey, redeemed: tuple[TokenHolder, str], registry: SqliteTokenRegistry
) -> None:
    holder, _token = redeemed
    other = await minter(registry).mint(authenticated(), Device().request())
    with pytest.raises(errors.TokenAltered):
        server(key).verify(spoken(holder, key), nonce=NONCE, token=other.token)
    with pytest.raises(errors.TokenMalformed, match="refers to no token"):
        server(key).verify(await card_assertion(), nonce=NONCE, token=other.token)


def test_it_lives_no_longer_than_its_session(key: DaemonKey, redeemed: tuple[TokenHolder, str]) -> None:
    short = replace(redeemed[0], expires_at=NOW + timedelta(seconds=10))
    claims = decoded(spoken(short, key).split(".")[1])
    assert claims["exp"] == int((NOW + timedelta(seconds=10)).timestamp())
    with pytest.raises(errors.TokenExpired):
        spoken(short, key, timedelta(seconds=10))


def test_a_root_that_cannot_be_used_is_said_at_once() -> None:
    leaf = factory.holder(factory.intermediate())
    for bad in (b"nonsense", b"-----BEGIN nonsense", leaf.public_bytes(Encoding.DER)):
        with pytest.raises(ValueError, match="root"):
            AssertionVerifier(AUDIENCE, roots=[bad])
    with pytest.raises(errors.KeyRefused):
        AssertionVerifier(AUDIENCE, roots=[ROOT_PEM], daemons=[b"x"])
