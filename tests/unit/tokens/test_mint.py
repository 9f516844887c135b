from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from cardd.errors import InvalidArgument, SessionEnded
from cardd.tokens.chain import x5c_of
from cardd.tokens.errors import ChainRefused, LifetimeRefused, RegistryUnavailable, SigningFailed, TokenTooLarge
from cardd.tokens.mint import Authenticated, MintRequest
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from cardd.tokens.rules import LifetimeRule, LifetimeRules
from tests.unit.pki import factory
from tests.unit.tokens import second_library
from tests.unit.tokens.support import (
    DAEMON,
    DOCTOR_EXTENSIONS,
    HOUR,
    NOW,
    Clock,
    Device,
    authenticated,
    b64,
    decoded,
    doctor_certificate,
    minter,
    subject,
)

DEVICE = Device()


async def test_what_a_token_says(registry: SqliteTokenRegistry) -> None:
    holder = authenticated()
    minted = await minter(registry).mint(holder, DEVICE.request(audience=("https://dossier.example",)))
    header, claims, _signature = minted.token.split(".")
    certificates = x5c_of((holder.certificate, factory.intermediate().certificate))
    assert decoded(header) == {"alg": "RS256", "typ": "cardd-token+jwt", "x5c": certificates}
    assert decoded(claims) == {
        "iss": DAEMON,
        "sub": "899900000011",
        "jti": minted.token_id,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + 8 * HOUR).timestamp()),
        "auth_time": int((NOW - HOUR).timestamp()),
        "acr": "urn:cardd:acr:card-pin",
        "amr": ["sc", "pin"],
        "aud": ["https://dossier.example"],
        "cnf": {"jkt": DEVICE.public.thumbprint},
        "token_kind": "device",
        "SubjectNameID": "899900000011",
        "given_name": "Grégoire",
        "family_name": "HOUSE-FICTIF",
        "SubjectRole": ["10^1.2.250.1.71.1.2.7"],
        "SubjectRefPro": {"exercices": [{"codeProfession": "10"}]},
        "authMode": "CARD",
        "card_id": "8025000001/2600000011",
        "card_type": "CPS",
        "card_category": "test",
        "x5t#S256": b64(hashlib.sha256(factory.der(holder.certificate)).digest()),
    }
    assert minted.expires_at == NOW + 8 * HOUR


async def test_another_library_verifies_it(registry: SqliteTokenRegistry) -> None:
    minted = await minter(registry).mint(authenticated(), DEVICE.request())
    other = second_library.jws.JWS()
    other.deserialize(minted.token, second_library.jwk.JWK.from_pyca(doctor_certificate().public_key()), alg="RS256")
    assert b'"sub":"899900000011"' in other.payload


async def test_it_is_registered_by_its_hash_alone(registry: SqliteTokenRegistry, tmp_path: Path) -> None:
    minted = await minter(registry).mint(authenticated(), DEVICE.request())
    record = await registry.get(minted.token_id)
    assert record.token_hash == hashlib.sha256(minted.token.encode()).digest()
    assert (record.subject, record.kind, record.issuer, record.audience) == (
        "899900000011",
        "device",
        DAEMON,
        (DAEMON,),
    )
    assert record.card_id == "8025000001/2600000011"
    assert record.certificate == factory.fingerprint(doctor_certificate())
    assert (record.issued_at, record.expires_at, record.thumbprint) == (NOW, NOW + 8 * HOUR, DEVICE.public.thumbprint)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert minted.token_id.encode() in stored
    assert not any(part.encode() in stored for part in minted.token.split("."))


async def test_every_token_has_its_own_id(registry: SqliteTokenRegistry) -> None:
    minting = minter(registry)
    ids = {(await minting.mint(authenticated(), DEVICE.request())).token_id for _ in range(5)}
    assert len(ids) == 5


async def test_lifetimes(registry: SqliteTokenRegistry) -> None:
    rules = LifetimeRules((LifetimeRule(HOUR, 2 * HOUR, kinds=frozenset({"device"})),))
    minting = minter(registry, rules=rules)
    for asked, lifetime in ((None, HOUR), (timedelta(minutes=5), timedelta(minutes=5)), (9 * HOUR, 2 * HOUR)):
        minted = await minting.mint(authenticated(), DEVICE.request(lifetime=asked))
        assert minted.expires_at == NOW + lifetime
    with pytest.raises(LifetimeRefused):
        await minting.mint(authenticated(), MintRequest(DEVICE.public, kind="phone"))


async def test_never_beyond_the_certificate(registry: SqliteTokenRegistry) -> None:
    minting = minter(registry)
    minted = await minting.mint(authenticated(ends=NOW + HOUR), DEVICE.request())
    assert minted.expires_at == NOW + HOUR
    with pytest.raises(LifetimeRefused, match="certificate"):
        await minting.mint(authenticated(ends=NOW), DEVICE.request())


async def test_a_clock_that_was_set_back_makes_no_contradiction(registry: SqliteTokenRegistry) -> None:
    minted = await minter(registry).mint(authenticated(since=NOW + HOUR), DEVICE.request())
    claims = decoded(minted.token.split(".")[1])
    assert claims["auth_time"] == claims["iat"]


@pytest.mark.parametrize("kind", ["", "Device", "a b", "x" * 33, "-a", "é"])
async def test_a_kind_that_is_none(registry: SqliteTokenRegistry, kind: str) -> None:
    with pytest.raises(InvalidArgument, match="kind"):
        await minter(registry).mint(authenticated(), MintRequest(DEVICE.public, kind=kind))


@pytest.mark.parametrize("audience", [("",), ("a b",), ("é",), ("x" * 257,), ("a\n",), ("a",) * 9])
async def test_an_audience_that_is_none(registry: SqliteTokenRegistry, audience: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument, match="audience"):
        await minter(registry).mint(authenticated(), DEVICE.request(audience=audience))


async def test_a_card_that_signs_something_else_mints_nothing(registry: SqliteTokenRegistry) -> None:
    with pytest.raises(SigningFailed):
        await minter(registry).mint(authenticated(key=factory.rsa_key("another")), DEVICE.request())
    assert await registry.list_tokens(limit=10) == ()


@pytest.mark.parametrize("signature", [b"", b"\x00" * 256, b"\xff" * 256, b"x" * 5000])
async def test_a_card_that_answers_garbage_mints_nothing(registry: SqliteTokenRegistry, signature: bytes) -> None:
    good = authenticated()

    async def garbage(_digest: bytes) -> bytes:
        return signature

    holder = Authenticated(
        good.professional, good.certificate, good.intermediates, good.certificate_ends, good.since, garbage
    )
    with pytest.raises(SigningFailed):
        await minter(registry).mint(holder, DEVICE.request())
    assert await registry.list_tokens(limit=10) == ()


async def test_a_session_that_ends_meanwhile_mints_nothing(registry: SqliteTokenRegistry) -> None:
    good = authenticated()

    async def ended(_digest: bytes) -> bytes:
        raise SessionEnded(reason="card-removed")

    holder = Authenticated(
        good.professional, good.certificate, good.intermediates, good.certificate_ends, good.since, ended
    )
    with pytest.raises(SessionEnded):
        await minter(registry).mint(holder, DEVICE.request())
    assert await registry.list_tokens(limit=10) == ()


async def test_without_a_registry_there_is_no_token(registry: SqliteTokenRegistry) -> None:
    await registry.close()
    with pytest.raises(RegistryUnavailable):
        await minter(registry).mint(authenticated(), DEVICE.request())


async def test_a_certificate_that_cannot_be_relied_on_mints_nothing(registry: SqliteTokenRegistry) -> None:
    small = factory.rsa_key("small", 1024)
    certificate = factory.holder(factory.intermediate(), key=small, subject=subject("899900000011"))
    with pytest.raises(ChainRefused, match="weak-key"):
        await minter(registry).mint(authenticated(certificate, key=small), DEVICE.request())


async def test_a_token_that_would_be_too_large_is_not_made(registry: SqliteTokenRegistry) -> None:
    padded = factory.holder(
        factory.intermediate(),
        subject=subject("899900000011"),
        extra=[
            *DOCTOR_EXTENSIONS,
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(9000)), False),
        ],
    )
    good = authenticated(padded)

    async def never(_digest: bytes) -> bytes:
        raise AssertionError("the card is not troubled")

    holder = Authenticated(good.professional, padded, good.intermediates, good.certificate_ends, good.since, never)
    with pytest.raises(TokenTooLarge):
        await minter(registry).mint(holder, DEVICE.request())
    assert await registry.list_tokens(limit=10) == ()


async def test_nothing_shows_the_token_or_its_holder(registry: SqliteTokenRegistry) -> None:
    holder = authenticated()
    minted = await minter(registry, Clock()).mint(holder, DEVICE.request())
    assert minted.token not in repr(minted)
    assert "899900000011" not in repr(holder)
