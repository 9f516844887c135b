"""A simulated card mints a token; strangers verify it; it is redeemed without the card, asserted, and revoked."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from jwcrypto import jwk, jws

from cardd.client.assertions import AssertedBy, AssertionVerifier
from cardd.errors import SessionEnded
from cardd.pki.authorities import Candidate, accept
from cardd.pki.store import TrustStore
from cardd.sessions.presence import Presence
from cardd.sessions.session import Session
from cardd.tokens import errors
from cardd.tokens.assertion import assert_by_card, assert_by_daemon
from cardd.tokens.chain import StoreJudge
from cardd.tokens.challenges import Challenges
from cardd.tokens.daemon_key import DaemonKey, load_or_make
from cardd.tokens.jose import token_hash
from cardd.tokens.keys import PublicKey
from cardd.tokens.mint import Authenticated, MintedToken, Minter, MintRequest
from cardd.tokens.proof import proof_claims
from cardd.tokens.redeem import Redeemer, RedemptionEnd
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from cardd.tokens.rules import LifetimeRules
from cardd.tokens.verify import TokenVerifier
from tests.support.core import HOLDER, Core, card_of, pki_store, running_core
from tests.unit.tokens.support import Device

AUDIENCE = "https://dossier.example"
NONCE = b"nonce of a server, of 32 bytes.."


def now() -> datetime:
    return datetime.now(UTC)


def documented(language: str) -> str:
    """The last example in a language that docs/tokens.md has."""
    page = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text("utf-8")
    *_, example = re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
    return str(example)


def root_pem() -> bytes:
    return pki_store().root_certificate().read_bytes()


def root() -> x509.Certificate:
    content = root_pem()
    return (
        x509.load_pem_x509_certificate(content)
        if content.startswith(b"--")
        else x509.load_der_x509_certificate(content)
    )


def roots_only() -> TrustStore:
    """What a stranger has: the roots."""
    accepted = accept([Candidate(root(), "root", simulator=True)], unpinned=frozenset(), now=now())
    return TrustStore(accepted.authorities, accepted.problems)


def holder_of(presence: Presence, session: Session, authorities: TrustStore) -> Authenticated:
    assert presence.professional is not None
    assert presence.trust is not None

    async def sign(digest: bytes) -> bytes:
        return await session.sign(HOLDER, "authentication", "RS256", digest)

    return Authenticated.of(
        presence.professional,
        presence.certificate,
        trust=presence.trust,
        authorities=authorities.authorities,
        since=session.since,
        sign=sign,
    )


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    async with running_core() as running:
        yield running


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[SqliteTokenRegistry]:
    opened = await SqliteTokenRegistry.open(tmp_path / "tokens.sqlite", clock=now)
    yield opened
    await opened.close()


@pytest.fixture
def key(tmp_path: Path) -> DaemonKey:
    return load_or_make(tmp_path / "daemon.pem")


@pytest.fixture
def minter(registry: SqliteTokenRegistry, key: DaemonKey) -> Minter:
    name = key.public.urn
    return Minter(issuer=name, audience=name, rules=LifetimeRules(), registry=registry, clock=now)


async def opened(core: Core) -> Authenticated:
    """A card in its reader, its session open."""
    presence = await core.insert(card_of())
    session = await core.authenticate(presence)
    store = presence._environment.trust()
    return holder_of(presence, session, store)


async def minted_on(core: Core, minter: Minter, device: Device) -> MintedToken:
    return await minter.mint(await opened(core), MintRequest(device.public))


async def test_strangers_verify_it_with_their_own_tools(core: Core, minter: Minter, tmp_path: Path) -> None:
    minted = await minted_on(core, minter, Device())
    header = json.loads(base64.urlsafe_b64decode(minted.token.split(".")[0] + "=="))
    leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    stranger = jws.JWS()
    stranger.deserialize(minted.token, jwk.JWK.from_pyca(leaf.public_key()), alg="RS256")
    assert json.loads(stranger.payload)["jti"] == minted.token_id

    (tmp_path / "token").write_text(minted.token)
    (tmp_path / "roots.pem").write_bytes(root().public_bytes(Encoding.PEM))
    script = documented("sh")
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "certificate.0.pem: OK\n"), done.stderr


async def test_the_file_and_the_roots_suffice(core: Core, minter: Minter) -> None:
    minted = await minted_on(core, minter, Device())
    verified = TokenVerifier(StoreJudge(roots_only), now).verify(minted.token)
    assert verified.professional.national_id == "899900000011"
    assert verified.trust.simulator
    with pytest.raises(errors.ChainRefused, match="no-roots"):
        TokenVerifier(StoreJudge(lambda: TrustStore((), ())), now).verify(minted.token)


async def test_minted_with_the_card_good_without_it_until_it_is_revoked(
    core: Core, minter: Minter, registry: SqliteTokenRegistry, key: DaemonKey
) -> None:
    device = Device()
    minted = await minted_on(core, minter, device)
    core.reader.remove()
    await core.gone()

    challenges = Challenges(lambda: 0.0)
    redeemer = Redeemer(
        daemon=key.public.urn,
        audiences=frozenset({key.public.urn}),
        verifier=TokenVerifier(StoreJudge(roots_only), now),
        registry=registry,
        challenges=challenges,
        clock=now,
    )
    proof = device.proof(challenges.give(HOLDER), token_hash(minted.token), daemon=key.public.urn)
    redemption = await redeemer.redeem(minted.token, proof, HOLDER)
    assert redemption.holder.professional.profession_label == "Médecin"

    assertion = assert_by_daemon(redemption.holder, key, audience=AUDIENCE, nonce=NONCE, now=now())
    server = AssertionVerifier(AUDIENCE, roots=[root_pem()], daemons=[key.public.spki])
    verified = server.verify(assertion, nonce=NONCE, token=minted.token)
    assert (verified.by, verified.token_id) == (AssertedBy.TOKEN, minted.token_id)

    ended: list[RedemptionEnd | None] = []
    redemption.on_revoked(lambda: ended.append(redemption.end))
    await registry.revoke(minted.token_id, reason="lost", by="uid:0", at=now())
    assert ended == [RedemptionEnd.REVOKED]


async def test_a_card_in_its_reader_speaks_for_its_holder(
    core: Core,
    key: DaemonKey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holder = await opened(core)
    assertion = await assert_by_card(holder, issuer=key.public.urn, audience=AUDIENCE, nonce=NONCE, now=now())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "igc-sante-fort.pem").write_bytes(root_pem())
    exec(documented("python"), {"assertion": assertion, "nonce": NONCE})  # noqa: S102 - the documentation's own example
    assert capsys.readouterr().out == "899900000011 ['10^1.2.250.1.71.1.2.7']\n"


async def test_a_card_taken_out_signs_no_token(core: Core, minter: Minter, registry: SqliteTokenRegistry) -> None:
    holder = await opened(core)
    core.reader.remove()
    await core.gone()
    device = PublicKey.of(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(SessionEnded):
        await minter.mint(holder, MintRequest(device))
    assert await registry.list_tokens(limit=1) == ()


async def test_a_device_may_sign_with_any_library(core: Core, minter: Minter, registry: SqliteTokenRegistry) -> None:
    """The proof is plain JOSE: a device needs nothing of ours."""
    device = jwk.JWK.generate(kty="EC", crv="P-256")
    public = device.export_public(as_dict=True)
    minted = await minter.mint(await opened(core), MintRequest(PublicKey.from_jwk_text(json.dumps(public))))
    challenges = Challenges(lambda: 0.0)
    claims = proof_claims("urn:example:daemon", challenges.give(HOLDER), token_hash(minted.token))
    proof = jws.JWS(json.dumps(claims))
    header = {
        "alg": "ES256",
        "typ": "cardd-proof+jwt",
        "jwk": {name: public[name] for name in ("kty", "crv", "x", "y")},
    }
    proof.add_signature(device, protected=json.dumps(header))
    redeemer = Redeemer(
        daemon="urn:example:daemon",
        audiences=frozenset((await registry.get(minted.token_id)).audience),
        verifier=TokenVerifier(StoreJudge(roots_only), now),
        registry=registry,
        challenges=challenges,
        clock=now,
    )
    redemption = await redeemer.redeem(minted.token, proof.serialize(compact=True), HOLDER)
    assert redemption.holder.thumbprint == device.thumbprint()
