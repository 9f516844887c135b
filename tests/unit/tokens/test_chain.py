from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.pki import authorities as pki_authorities
from cardd.pki.trust import TrustReason, TrustState
from cardd.tokens.chain import MAX_CERTIFICATES, StoreJudge, issuers_of, read_x5c, rsa_key_of, x5c_of
from cardd.tokens.errors import ChainRefused, TokenMalformed
from tests.unit.pki import factory
from tests.unit.tokens.support import NOW, doctor_certificate, judge, store, strange_root

ROOT, INTERMEDIATE = factory.root().certificate, factory.intermediate().certificate


def test_the_root_suffices_where_the_intermediate_comes_along() -> None:
    assert judge().judge((doctor_certificate(), INTERMEDIATE), NOW).state is TrustState.TRUSTED
    assert judge().judge((doctor_certificate(),), NOW).reason is TrustReason.UNKNOWN_ISSUER


def test_an_intermediate_of_the_stores_own_needs_not_come() -> None:
    both = store(ROOT, INTERMEDIATE)
    trust = StoreJudge(lambda: both).judge((doctor_certificate(),), NOW)
    assert trust.state is TrustState.TRUSTED
    assert issuers_of(trust, both.authorities) == (INTERMEDIATE,)


def test_a_root_that_comes_along_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = strange_root()
    below = factory.authority("AC FICTIVE FORT PERSONNES", stranger, path_length=0, key=factory.rsa_key("strange"))
    leaf = factory.holder(below)
    pins: Mapping[str, str] = {factory.fingerprint(stranger.certificate): "a root that the project pins"}
    monkeypatch.setattr(pki_authorities, "PINNED_ROOTS", pins)
    trust = judge().judge((leaf, below.certificate, stranger.certificate), NOW)
    assert trust.state is TrustState.UNTRUSTED


def test_a_helper_that_is_no_authority_does_not_help() -> None:
    impostor = factory.Issuer(doctor_certificate(), factory.rsa_key("holder"))
    leaf = factory.holder(impostor, key=factory.rsa_key("victim"))
    assert judge().judge((leaf, impostor.certificate, INTERMEDIATE), NOW).state is TrustState.UNTRUSTED


def test_a_helper_with_a_weak_key_or_signature_does_not_help() -> None:
    weak = factory.authority("AC FAIBLE", factory.root(), path_length=0, key=factory.rsa_key("weak", 1024))
    sha1 = factory.signed_with_sha1(INTERMEDIATE, factory.root().key)
    assert judge().judge((factory.holder(weak), weak.certificate), NOW).state is TrustState.UNTRUSTED
    assert judge().judge((doctor_certificate(), sha1), NOW).state is TrustState.UNTRUSTED


def test_a_store_without_roots_trusts_nothing() -> None:
    empty = type(store())((), ())
    assert StoreJudge(lambda: empty).judge((doctor_certificate(), INTERMEDIATE), NOW).reason is TrustReason.NO_ROOTS


def test_x5c_reads_what_it_wrote() -> None:
    chain = (doctor_certificate(), INTERMEDIATE)
    assert read_x5c(x5c_of(chain), "token") == chain


@given(st.recursive(st.none() | st.text(max_size=20) | st.integers(), lambda inner: st.lists(inner, max_size=5)))
def test_anything_else_is_no_x5c(value: object) -> None:
    with pytest.raises(TokenMalformed):
        read_x5c(value, "token")


def test_too_many_certificates_are_refused() -> None:
    with pytest.raises(TokenMalformed):
        read_x5c(x5c_of([INTERMEDIATE] * (MAX_CERTIFICATES + 1)), "token")


def test_a_key_that_cannot_be_relied_on_is_refused() -> None:
    for certificate, reason in (
        (factory.holder(factory.intermediate(), key=factory.ec_key()), "unsupported-key"),
        (factory.holder(factory.intermediate(), key=factory.rsa_key("small", 1024)), "weak-key"),
        (factory.signed_with_sha1(doctor_certificate(), factory.intermediate().key), "weak-signature"),
    ):
        with pytest.raises(ChainRefused, match=reason):
            rsa_key_of(certificate, "token")
