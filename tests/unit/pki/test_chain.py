"""From a holder's certificate to an accepted root."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.pki.authorities import Candidate, accept
from cardd.pki.certificates import load_certificate
from cardd.pki.chain import ChainVerifier
from cardd.pki.errors import UnreadableCertificates
from cardd.pki.revocation.finding import NOT_ASKED
from cardd.pki.trust import CertificateUse, Trust, TrustReason, TrustState
from tests.unit.pki import factory

AUTHENTICATION, SIGNATURE = CertificateUse.AUTHENTICATION, CertificateUse.SIGNATURE


def verifier(*issuers: factory.Issuer, simulator: bool = False) -> ChainVerifier:
    candidates = [Candidate(issuer.certificate, "", simulator) for issuer in issuers]
    unpinned = frozenset(factory.fingerprint(issuer.certificate) for issuer in issuers)
    outcome = accept(candidates, unpinned=unpinned, now=factory.NOW)
    assert len(outcome.authorities) == len(issuers)
    return ChainVerifier(outcome.authorities)


def judge(
    leaf: x509.Certificate,
    use: CertificateUse = AUTHENTICATION,
    issuers: Sequence[factory.Issuer] | None = None,
    at: datetime.datetime = factory.NOW,
) -> Trust:
    issuers = (factory.root(), factory.intermediate()) if issuers is None else issuers
    return verifier(*issuers).verify(leaf, use, at)


def test_a_holder_is_trusted() -> None:
    leaf = factory.holder(factory.intermediate())
    trust = judge(leaf)
    assert (trust.state, trust.reason, trust.use) == (TrustState.TRUSTED, TrustReason.OK, AUTHENTICATION)
    expected = [leaf, factory.intermediate().certificate, factory.root().certificate]
    assert [link.fingerprint for link in trust.chain] == [factory.fingerprint(c) for c in expected]
    assert trust.anchor == trust.chain[2]
    assert trust.anchor is not None
    assert trust.anchor.subject == "CN=AC RACINE FICTIVE FORT,O=EXEMPLE-SANTE,C=FR"
    assert trust.revocation is NOT_ASKED
    assert trust.checked_at == factory.NOW
    assert trust.expires == leaf.not_valid_after_utc
    assert not trust.simulator


def test_trust_expires_with_the_first_of_the_chain() -> None:
    soon = factory.authority("AC BIENTOT", factory.root(), end=factory.NOW + factory.DAY)
    trust = judge(factory.holder(soon), issuers=(factory.root(), soon))
    assert trust.expires == factory.NOW + factory.DAY


def test_a_chain_to_the_simulator_says_so() -> None:
    both = verifier(factory.root(), factory.intermediate(), simulator=True)
    assert both.verify(factory.holder(factory.intermediate()), AUTHENTICATION, factory.NOW).simulator


def test_another_time_zone_is_the_same_moment() -> None:
    moment = factory.NOW.astimezone(datetime.timezone(datetime.timedelta(hours=11)))
    assert judge(factory.holder(factory.intermediate(), end=factory.NOW), at=moment).state is TrustState.TRUSTED


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        judge(factory.holder(factory.intermediate()), at=factory.NOW.replace(tzinfo=None))


def by_stranger() -> x509.Certificate:
    return factory.holder(factory.authority("AC RACINE ETRANGERE"))


def by_forger() -> x509.Certificate:
    return factory.holder(factory.authority("AC FICTIVE FORT PERSONNES", key=factory.rsa_key("thief")))


def by_short_key() -> x509.Certificate:
    return factory.holder(factory.intermediate(), key=factory.rsa_key("short", 1024))


def by_sha1() -> x509.Certificate:
    return factory.signed_with_sha1(factory.holder(factory.intermediate()), factory.intermediate().key)


def by_sha1_pss() -> x509.Certificate:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    good = factory.holder(factory.intermediate(), rsa_padding=scheme)
    sha256, other = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040204")  # SHA-224
    der = factory.der(good).replace(sha256, other)
    return x509.load_der_x509_certificate(der)


def with_critical_unknown() -> x509.Certificate:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.250.1.71.9.9"), b"\x05\x00")
    return factory.holder(factory.intermediate(), extra=[(unknown, True)])


def with_malformed_extension() -> x509.Certificate:
    names = x509.SubjectAlternativeName([x509.DNSName("clair.invalid")])
    der = factory.der(factory.holder(factory.intermediate(), extra=[(names, False)]))
    return x509.load_der_x509_certificate(der.replace(b"\x82\x0dclair.invalid", b"\x82\x7fclair.invalid"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (by_stranger, TrustReason.UNKNOWN_ISSUER),
        (by_forger, TrustReason.BAD_SIGNATURE),
        (lambda: factory.flipped(factory.holder(factory.intermediate())), TrustReason.BAD_SIGNATURE),
        (lambda: factory.holder(factory.intermediate(), end=factory.NOW - factory.DAY / 24), TrustReason.EXPIRED),
        (
            lambda: factory.holder(factory.intermediate(), start=factory.NOW + factory.DAY / 24),
            TrustReason.NOT_YET_VALID,
        ),
        (by_short_key, TrustReason.WEAK_KEY),
        (by_sha1, TrustReason.WEAK_SIGNATURE),
        (by_sha1_pss, TrustReason.WEAK_SIGNATURE),
        (lambda: factory.holder(factory.intermediate(), key=factory.ec_key()), TrustReason.UNSUPPORTED_KEY),
        (with_critical_unknown, TrustReason.INVALID_PATH),
        (with_malformed_extension, TrustReason.MALFORMED),
        (lambda: factory.root().certificate, TrustReason.INVALID_PATH),
        (lambda: factory.intermediate().certificate, TrustReason.INVALID_PATH),
        (lambda: factory.authority("AC TROP BASSE", factory.intermediate()).certificate, TrustReason.INVALID_PATH),
    ],
)
def test_a_certificate_is_not_trusted(make: Callable[[], x509.Certificate], reason: TrustReason) -> None:
    for use in CertificateUse:
        trust = judge(make(), use)
        assert (trust.state, trust.reason) == (TrustState.UNTRUSTED, reason)
        assert trust.anchor is None
        assert trust.expires is None


def test_an_authority_that_expired_since_the_load_is_found() -> None:
    soon = factory.authority("AC BIENTOT", factory.root(), end=factory.NOW + factory.DAY)
    leaf = factory.holder(soon)
    trust = judge(leaf, issuers=(factory.root(), soon), at=factory.NOW + 2 * factory.DAY)
    assert trust.reason is TrustReason.EXPIRED
    assert len(trust.chain) == 3


def test_of_two_certificates_of_one_authority_the_valid_one_serves() -> None:
    old = factory.authority("AC RENOUVELEE", factory.root(), end=factory.NOW - factory.DAY)
    new = factory.authority("AC RENOUVELEE", factory.root())
    trust = judge(factory.holder(new), issuers=(factory.root(), old, new))
    assert trust.state is TrustState.TRUSTED


def test_a_holder_below_an_intermediate_that_may_have_no_further_authority_below() -> None:
    rogue = factory.authority("AC TROP BASSE", factory.intermediate())
    trust = judge(factory.holder(rogue))
    assert trust.reason is TrustReason.UNKNOWN_ISSUER


@pytest.mark.parametrize(("depth", "reason"), [(4, TrustReason.OK), (5, TrustReason.INVALID_PATH)])
def test_a_path_is_followed_over_four_intermediates(depth: int, reason: TrustReason) -> None:
    issuers = [factory.root()]
    for level in range(depth):
        issuers.append(factory.authority(f"AC NIVEAU {level}", issuers[-1]))
    trust = judge(factory.holder(issuers[-1]), issuers=issuers)
    assert (trust.reason, len(trust.chain)) == (reason, depth + 2)


def test_without_roots_nothing_is_trusted() -> None:
    trust = ChainVerifier(()).verify(factory.holder(factory.intermediate()), AUTHENTICATION, factory.NOW)
    assert (trust.state, trust.reason) == (TrustState.UNTRUSTED, TrustReason.NO_ROOTS)


@pytest.mark.parametrize(
    ("key_usage", "purposes", "allowed"),
    [
        (factory.usage("digital_signature"), [ExtendedKeyUsageOID.CLIENT_AUTH], {AUTHENTICATION}),
        (factory.usage("digital_signature"), [], {AUTHENTICATION}),
        (factory.usage("digital_signature"), [ExtendedKeyUsageOID.SMARTCARD_LOGON], set()),
        (factory.usage("content_commitment"), [ExtendedKeyUsageOID.EMAIL_PROTECTION], {SIGNATURE}),
        (factory.usage("content_commitment"), [ExtendedKeyUsageOID.CLIENT_AUTH], {SIGNATURE}),
        (factory.usage("key_encipherment"), [ExtendedKeyUsageOID.CLIENT_AUTH], set()),
        (None, [ExtendedKeyUsageOID.CLIENT_AUTH], set()),
    ],
)
def test_key_usages(
    key_usage: x509.KeyUsage | None, purposes: list[x509.ObjectIdentifier], allowed: set[CertificateUse]
) -> None:
    leaf = factory.holder(factory.intermediate(), key_usage=key_usage, purposes=purposes)
    for use in CertificateUse:
        trust = judge(leaf, use)
        assert trust.reason is (TrustReason.OK if use in allowed else TrustReason.WRONG_KEY_USAGE)
        assert len(trust.chain) == 3


def test_a_subject_that_the_library_cannot_read_is_judged_all_the_same() -> None:
    t61 = x509.NameAttribute(NameOID.COMMON_NAME, "899900000011", _type=x509.name._ASN1Type.T61String)
    surname = x509.NameAttribute(NameOID.SURNAME, "LEFEVRE", _type=x509.name._ASN1Type.T61String)
    leaf = factory.holder(factory.intermediate(), subject=x509.Name([t61, surname]))
    body = leaf.tbs_certificate_bytes.replace(b"LEFEVRE", b"LEF\xc8VRE")
    signature = factory.intermediate().key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    der = factory.der(leaf).replace(b"LEFEVRE", b"LEF\xc8VRE")
    trust = judge(x509.load_der_x509_certificate(der.replace(leaf.signature, signature)))
    assert (trust.reason, trust.chain[0].subject) == (TrustReason.OK, "")


def test_repr_tells_nobody() -> None:
    assert "899900000011" not in repr(judge(factory.holder(factory.intermediate())))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_certificate_is_never_trusted_and_never_an_exception(data: st.DataObject) -> None:
    der = bytearray(_SOUND)
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] ^= data.draw(st.integers(1, 255))
    try:
        damaged = load_certificate(bytes(der))
    except UnreadableCertificates:
        return  # never reaches the verifier
    assert _VERIFIER.verify(damaged, AUTHENTICATION, factory.NOW).state is TrustState.UNTRUSTED


_SOUND = factory.der(factory.holder(factory.intermediate()))
_VERIFIER = verifier(factory.root(), factory.intermediate())
