"""The attack list: each refused with its own error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardd.tokens import errors
from cardd.tokens.chain import StoreJudge, x5c_of
from cardd.tokens.jose import MAX_LENGTH
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from cardd.tokens.rules import CEILING
from cardd.tokens.verify import TokenVerifier, VerificationPolicy
from tests.unit.pki import factory
from tests.unit.tokens.support import (
    DAEMON,
    HOUR,
    NOW,
    Clock,
    Device,
    authenticated,
    b64,
    decoded,
    doctor_certificate,
    forge,
    header_of,
    minter,
    store,
    strange_root,
    subject,
    verifier,
)

SECOND = timedelta(seconds=1)
HOLDER_KEY = factory.rsa_key("holder")


@pytest.fixture
async def token(registry: SqliteTokenRegistry) -> str:
    """A good token of eight hours."""
    return (await minter(registry).mint(authenticated(), Device().request())).token


def claims_of(token: str) -> dict[str, object]:
    return decoded(token.split(".")[1])


def resigned(token: str, key: rsa.RSAPrivateKey = HOLDER_KEY, **changes: object) -> str:
    """The token with claims changed, signed again; None takes a claim away."""
    claims = {name: value for name, value in {**claims_of(token), **changes}.items() if value is not None}
    return forge(header_of(authenticated()), claims, key)


def reheaded(token: str, key: rsa.RSAPrivateKey | None = HOLDER_KEY, **members: object) -> str:
    """The token with members of its header changed, signed again."""
    return forge(header_of(authenticated(), **members), claims_of(token), key)


def at(**later: float) -> Clock:
    return Clock(NOW + timedelta(**later))


def test_a_good_token_is_verified(token: str) -> None:
    verified = verifier().verify(token, audiences=frozenset({DAEMON, "another"}))
    assert verified.professional.national_id == "899900000011"
    assert verified.claims.expires_at == NOW + 8 * HOUR
    assert verified.certificate == doctor_certificate()
    assert verifier().verify(resigned(token)).claims == verified.claims


def test_its_times(token: str) -> None:
    for clock in (at(hours=8, seconds=29), at(seconds=-30)):
        verifier(clock).verify(token)
    with pytest.raises(errors.TokenExpired):
        verifier(at(hours=8, seconds=30)).verify(token)
    with pytest.raises(errors.TokenNotYetValid):
        verifier(at(seconds=-31)).verify(token)


def test_not_before(token: str) -> None:
    later = int((NOW + HOUR).timestamp())
    with pytest.raises(errors.TokenNotYetValid):
        verifier().verify(resigned(token, nbf=later))
    verifier(at(hours=1)).verify(resigned(token, nbf=later))
    with pytest.raises(errors.TokenMalformed):
        verifier().verify(resigned(token, nbf="soon"))


def test_a_lifetime_that_no_rule_gives_is_refused(token: str) -> None:
    long = resigned(token, exp=int((NOW + CEILING + SECOND).timestamp()))
    with pytest.raises(errors.LifetimeRefused):
        verifier().verify(long)
    strict = TokenVerifier(StoreJudge(store), Clock(), VerificationPolicy(longest=HOUR))
    with pytest.raises(errors.LifetimeRefused):
        strict.verify(token)


def test_altered(token: str) -> None:
    header, claims, signature = token.split(".")
    other = {**claims_of(token), "sub": "899900000029"}
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for changed in (
        f"{header}.{b64(json.dumps(other).encode())}.{signature}",
        f"{header}.{claims}.{flipped}",
        f"{header}.{claims}.{signature[:-6]}",
    ):
        with pytest.raises(errors.TokenAltered):
            verifier().verify(changed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_no_character_can_be_changed(token: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("ABab019_-.="))
    changed = token[:place] + character + token[place + 1 :]
    if changed == token:
        return
    with pytest.raises(errors.TokenError):
        verifier().verify(changed)


@pytest.mark.parametrize("algorithm", ["none", "NONE", "HS256", "PS256", "ES256", "RS384", "RS512"])
def test_another_algorithm(token: str, algorithm: str) -> None:
    with pytest.raises(errors.AlgorithmRefused):
        verifier().verify(reheaded(token, alg=algorithm))


def test_algorithm_none_without_a_signature(token: str) -> None:
    with pytest.raises(errors.AlgorithmRefused):
        verifier().verify(reheaded(token, None, alg="none"))


def test_a_public_key_is_no_shared_secret(token: str) -> None:
    """The classic confusion: HS256 with the public key as its secret."""
    unsigned = reheaded(token, None, alg="HS256")[:-1]
    public = HOLDER_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(unsigned.encode())
    with pytest.raises(errors.AlgorithmRefused):
        verifier().verify(f"{unsigned}.{b64(mac.finalize())}")


@pytest.mark.parametrize("typ", ["JWT", "cardd-assertion+jwt", "cardd-proof+jwt"])
def test_another_type(token: str, typ: str) -> None:
    with pytest.raises(errors.TypeRefused):
        verifier().verify(reheaded(token, typ=typ))


@pytest.mark.parametrize("member", [{"jku": "https://evil.example"}, {"crit": ["exp"]}, {"b64": False}, {"jwk": {}}])
def test_another_header_member(token: str, member: dict[str, object]) -> None:
    header = {**header_of(authenticated()), **member}
    with pytest.raises(errors.TokenMalformed):
        verifier().verify(forge(header, claims_of(token), HOLDER_KEY))


def other_doctor() -> x509.Certificate:
    return factory.holder(factory.intermediate(), key=factory.rsa_key("other doctor"), subject=subject("899900000029"))


def test_a_wrong_x5c(token: str) -> None:
    swapped = x5c_of((other_doctor(), factory.intermediate().certificate))
    with pytest.raises(errors.TokenAltered):
        verifier().verify(reheaded(token, x5c=swapped))
    upside_down = x5c_of((factory.intermediate().certificate, doctor_certificate()))
    with pytest.raises(errors.TokenAltered):
        verifier().verify(reheaded(token, x5c=upside_down))
    without_issuer = x5c_of((doctor_certificate(),))
    with pytest.raises(errors.ChainRefused, match="unknown-issuer"):
        verifier().verify(reheaded(token, x5c=without_issuer))
    nothings: Sequence[object] = ([], "x", ["x"], [""], [None], x5c_of([doctor_certificate()] * 5), {})
    for nothing in nothings:
        with pytest.raises(errors.TokenMalformed):
            verifier().verify(reheaded(token, x5c=nothing))


def test_another_pki(token: str) -> None:
    """All as it should be, under authorities of the same names by other hands."""
    root = strange_root()
    below = factory.authority("AC FICTIVE FORT PERSONNES", root, path_length=0, key=factory.rsa_key("strange"))
    mallory = factory.rsa_key("mallory")
    leaf = factory.holder(below, key=mallory, subject=subject("899900000011"))
    chain = x5c_of((leaf, below.certificate, root.certificate))
    with pytest.raises(errors.ChainRefused):
        verifier().verify(reheaded(token, mallory, x5c=chain))


def test_another_holders_name_under_ones_own_card(token: str) -> None:
    """Whoever has a card open can have it sign anything: the certificate says who it is."""
    for changes in (
        {"sub": "899900000029"},
        {"SubjectNameID": "899900000029"},
        {"SubjectRole": ["21^1.2.250.1.71.1.2.7"]},
        {"family_name": "AUTRE"},
        {"card_id": "8025000001/9999999999"},
        {"card_category": "real"},
        {"SubjectOrganizationID": "1990000010"},
        {"x5t#S256": "A" * 43},
    ):
        with pytest.raises(errors.HolderMismatch, match=next(iter(changes))):
            verifier().verify(resigned(token, **changes))


def test_a_certificate_for_something_else(token: str) -> None:
    signing = factory.holder(factory.intermediate(), key_usage=factory.SIGNATURE_USAGE, subject=subject("899900000011"))
    with pytest.raises(errors.ChainRefused, match="wrong-key-usage"):
        verifier().verify(reheaded(token, x5c=x5c_of((signing, factory.intermediate().certificate))))


def test_a_certificate_that_was_not_valid_when_it_signed(token: str) -> None:
    young = factory.holder(factory.intermediate(), start=NOW + HOUR, subject=subject("899900000011"))
    chain = x5c_of((young, factory.intermediate().certificate))
    with pytest.raises(errors.ChainRefused, match="not-yet-valid"):
        verifier(at(hours=2)).verify(reheaded(token, x5c=chain))


def test_a_certificate_that_has_expired_since(token: str) -> None:
    old = factory.holder(factory.intermediate(), end=NOW + HOUR, subject=subject("899900000011"))
    chain = x5c_of((old, factory.intermediate().certificate))
    with pytest.raises(errors.ChainRefused, match="expired"):
        verifier(at(hours=2)).verify(reheaded(token, x5c=chain))


def test_duplicate_members(token: str) -> None:
    claims = json.dumps(claims_of(token))
    doubled = claims[:-1] + ', "sub": "899900000029"}'
    with pytest.raises(errors.TokenMalformed, match="named twice"):
        verifier().verify(forge(header_of(authenticated()), doubled.encode(), HOLDER_KEY))
    header = json.dumps(header_of(authenticated(), alg="none"))
    doubled = header[:-1] + ', "alg": "RS256"}'
    with pytest.raises(errors.TokenMalformed, match="named twice"):
        verifier().verify(forge(doubled.encode(), claims.encode(), HOLDER_KEY))


def test_a_megabyte_of_claims(token: str) -> None:
    with pytest.raises(errors.TokenTooLarge):
        verifier().verify(resigned(token, padding="x" * (1 << 20)))
    with pytest.raises(errors.TokenTooLarge):
        verifier().verify("x" * (MAX_LENGTH + 1))


def test_depth(token: str) -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(errors.TokenMalformed, match="levels deep"):
        verifier().verify(resigned(token, deep=deep))


def test_no_key_of_a_device(token: str) -> None:
    with pytest.raises(errors.ConfirmationMissing):
        verifier().verify(resigned(token, cnf=None))


def test_another_audience(token: str) -> None:
    with pytest.raises(errors.AudienceRefused):
        verifier().verify(token, audiences=frozenset({"https://another.example"}))
    with pytest.raises(errors.AudienceRefused):
        verifier().verify(token, audiences=frozenset())


def test_a_key_or_signature_too_weak(token: str) -> None:
    small = factory.rsa_key("small", 1024)
    leaf = factory.holder(factory.intermediate(), key=small, subject=subject("899900000011"))
    chain = x5c_of((leaf, factory.intermediate().certificate))
    with pytest.raises(errors.ChainRefused, match="weak-key"):
        verifier().verify(reheaded(token, small, x5c=chain))


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(errors.TokenError):
        verifier().verify(text)


@given(
    st.dictionaries(st.sampled_from(["iss", "sub", "iat", "exp", "aud", "cnf"]), st.integers() | st.text(max_size=5))
)
def test_any_claims_under_a_good_signature_are_refused_by_name(claims: dict[str, object]) -> None:
    with pytest.raises(errors.TokenError):
        verifier().verify(forge(header_of(authenticated()), claims, HOLDER_KEY))
