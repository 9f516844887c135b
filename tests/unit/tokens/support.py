"""A fictional holder with a software key, a device, and a forger who can write any JWS."""

from __future__ import annotations

import functools
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

from cardd.access.caller import Caller
from cardd.holder.professional import professional_from
from cardd.pki.authorities import Candidate, accept
from cardd.pki.store import TrustStore
from cardd.tokens.chain import StoreJudge, x5c_of
from cardd.tokens.keys import PublicKey
from cardd.tokens.mint import Authenticated, Minter, MintRequest
from cardd.tokens.proof import proof_claims
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from cardd.tokens.rules import LifetimeRules
from cardd.tokens.verify import TokenVerifier
from tests.unit.pki import factory

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAEMON = "urn:example:daemon"
CALLER = Caller(":1.7", uid=1000)
STRANGER = Caller(":1.8", uid=1001)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time now."""
        return self.now


AT_NOON = Clock()
SHIPPED = LifetimeRules()


def subject(national_id: str, family_name: str = "HOUSE-FICTIF") -> x509.Name:
    """As IGC-Santé names people: the last RDN has several values."""
    named = {NameOID.GIVEN_NAME: "Grégoire", NameOID.COMMON_NAME: national_id, NameOID.SURNAME: family_name}
    attributes = [x509.NameAttribute(oid, text) for oid, text in named.items()]
    return x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "FR")]),
            x509.RelativeDistinguishedName(attributes),
        ]
    )


def private_extension(oid: str, der: bytes) -> tuple[x509.ExtensionType, bool]:
    """One of the card issuer's own extensions."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der), False


DOCTOR_EXTENSIONS = (
    private_extension("1.2.250.1.71.1.2.7", b"\x02\x01\x0a"),
    private_extension("1.2.250.1.71.1.2.3", b"\x13\x158025000001/2600000011"),
    private_extension("1.2.250.1.71.1.2.5", b"\x04\x01\x80"),
)


@functools.cache
def doctor_certificate(national_id: str = "899900000011") -> x509.Certificate:
    """A doctor's authentication certificate under the fictional PKI."""
    return factory.holder(factory.intermediate(), subject=subject(national_id), extra=DOCTOR_EXTENSIONS)


@functools.cache
def strange_root() -> factory.Issuer:
    """A root of the same name, by other hands."""
    return factory.authority("AC RACINE FICTIVE FORT", key=factory.rsa_key("strange root"))


def authenticated(
    certificate: x509.Certificate | None = None,
    *,
    key: rsa.RSAPrivateKey | None = None,
    intermediates: tuple[x509.Certificate, ...] | None = None,
    since: datetime = NOW - HOUR,
    ends: datetime | None = None,
) -> Authenticated:
    """A holder whose card is open; the card is a software key."""
    certificate = certificate or doctor_certificate()
    key = key or factory.rsa_key("holder")

    async def sign(digest: bytes) -> bytes:
        return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))

    return Authenticated(
        professional=professional_from(certificate),
        certificate=certificate,
        intermediates=(factory.intermediate().certificate,) if intermediates is None else intermediates,
        certificate_ends=ends or certificate.not_valid_after_utc,
        since=since,
        sign=sign,
    )


@functools.cache
def store(*authorities: x509.Certificate) -> TrustStore:
    """A trust store of the given authorities; of the fictional root alone where none are given."""
    chosen = authorities or (factory.root().certificate,)
    unpinned = frozenset(factory.fingerprint(one) for one in chosen)
    accepted = accept([Candidate(one, "test") for one in chosen], unpinned=unpinned, now=NOW)
    return TrustStore(accepted.authorities, accepted.problems)


def judge() -> StoreJudge:
    """Trusts the fictional root."""
    return StoreJudge(store)


def verifier(clock: Callable[[], datetime] = AT_NOON) -> TokenVerifier:
    """Of tokens under the fictional root."""
    return TokenVerifier(judge(), clock)


async def open_registry(folder: Path) -> SqliteTokenRegistry:
    """A new registry."""
    return await SqliteTokenRegistry.open(folder / "tokens.sqlite", clock=Clock())


def minter(
    registry: SqliteTokenRegistry, clock: Callable[[], datetime] = AT_NOON, rules: LifetimeRules = SHIPPED
) -> Minter:
    """A minter with the rules as shipped, or others."""
    return Minter(issuer=DAEMON, audience=DAEMON, rules=rules, registry=registry, clock=clock)


class Device:
    """What the holder carries: a P-256 key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.public = PublicKey.of(self.key.public_key())

    def request(self, *, audience: tuple[str, ...] = (), lifetime: timedelta | None = None) -> MintRequest:
        """Ask for a token bound to this device."""
        return MintRequest(self.public, audience=audience, lifetime=lifetime)

    def proof(self, challenge: bytes, token_hash: bytes, *, daemon: str = DAEMON, **header: object) -> str:
        """The answer to a challenge; members of the header may be set otherwise."""
        return self.sign(dict(proof_claims(daemon, challenge, token_hash)), **header)

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """Any claims under this device's key."""
        full = {"alg": "ES256", "typ": "cardd-proof+jwt", "jwk": self.public.jwk, **header}
        return forge(full, claims, self.key)


def b64(data: bytes) -> str:
    """Base64url without padding, made by other means than the code under test."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def forge(
    header: Mapping[str, object] | bytes,
    claims: Mapping[str, object] | bytes,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
) -> str:
    """Any JWS: what is given, as it is; signed by RS256 or ES256, or not at all."""
    parts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, claims)]
    signing_input = ".".join(b64(part) for part in parts)
    if key is None:
        return signing_input + "."
    data = signing_input.encode()
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{signing_input}.{b64(signature)}"


def header_of(holder: Authenticated, **members: object) -> dict[str, object]:
    """The header of a good token; members may be set otherwise."""
    chain = (holder.certificate, *holder.intermediates)
    return {"alg": "RS256", "typ": "cardd-token+jwt", "x5c": x5c_of(chain), **members}


def decoded(part: str) -> dict[str, object]:
    """One part of a JWS as JSON, by other means than the code under test."""
    value = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(value, dict)
    return value
