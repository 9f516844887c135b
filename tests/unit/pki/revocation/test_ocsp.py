"""Which OCSP answers are believed."""

from __future__ import annotations

import datetime
import functools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.pki.revocation.faults import DataRefused, Fault
from cardd.pki.revocation.ocsp import MAX_ANSWER_BYTES, OcspStatus, build_request, read_answer
from cardsim.pki.authorities import Authority
from cardsim.pki.revocation import RevokedEntry, answer, create_responder
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW

NONCE = b"0123456789abcdef"


@functools.cache
def leaf() -> x509.Certificate:
    return factory.holder(factory.intermediate())


@functools.cache
def responder() -> Authority:
    return create_responder(support.authority(factory.intermediate()), factory.rsa_key("responder"), NOW - DAY)


def answered(
    *entries: RevokedEntry,
    by: Authority | None = None,
    nonce: bytes | None = None,
    at: datetime.datetime = NOW,
    about: x509.Certificate | None = None,
) -> bytes:
    """An answer in DER, by the delegated responder."""
    issuer = factory.intermediate()
    request = ocsp.load_der_ocsp_request(build_request(about or leaf(), issuer.certificate, nonce))
    made = answer(request, support.authority(issuer), by or responder(), entries, at)
    return made.public_bytes(Encoding.DER)


def read(der: bytes, nonce: bytes | None = None, at: datetime.datetime = NOW, *, vouched: bool = False) -> OcspStatus:
    return read_answer(der, leaf(), factory.intermediate().certificate, at, nonce=nonce, vouched=lambda _: vouched)


def fault_of(der: bytes, nonce: bytes | None = None, at: datetime.datetime = NOW) -> Fault:
    with pytest.raises(DataRefused) as refused:
        read(der, nonce, at)
    return refused.value.fault


def test_good_and_revoked() -> None:
    good = read(answered())
    assert (good.revoked_at, good.this_update, good.next_update) == (None, NOW, NOW + datetime.timedelta(hours=12))
    revoked = read(answered(support.entry(leaf(), x509.ReasonFlags.superseded)))
    assert (revoked.revoked_at, revoked.reason) == (NOW - DAY, x509.ReasonFlags.superseded)


def test_the_issuer_may_answer_itself() -> None:
    assert read(answered(by=support.authority(factory.intermediate()))).revoked_at is None


def test_the_nonce() -> None:
    assert read(answered(nonce=NONCE), NONCE).revoked_at is None
    assert fault_of(answered(), NONCE) is Fault.WRONG_NONCE
    assert fault_of(answered(nonce=b"another nonce..."), NONCE) is Fault.WRONG_NONCE


def test_another_certificate() -> None:
    other = factory.holder(factory.intermediate())
    assert fault_of(answered(about=other)) is Fault.WRONG_CERTIFICATE


def delegated(
    by: factory.Issuer | None = None,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.OCSP_SIGNING,
    start: datetime.datetime = NOW - DAY,
    lifetime: datetime.timedelta = 10 * DAY,
) -> Authority:
    issuer = support.authority(by or factory.intermediate())
    return create_responder(issuer, factory.rsa_key("responder"), start, purpose=purpose, lifetime=lifetime)


@pytest.mark.parametrize(
    "stranger",
    [
        functools.partial(delegated, purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
        functools.partial(delegated, lifetime=DAY / 2),
        functools.partial(delegated, start=NOW + DAY),
        lambda: delegated(by=factory.root()),
        lambda: delegated(by=factory.authority("AC INCONNUE")),
        lambda: Authority(leaf(), factory.rsa_key("holder")),
    ],
    ids=["purpose", "expired", "not-yet-valid", "delegated-by-root", "delegated-by-stranger", "a-holder"],
)
def test_who_may_not_answer(stranger: functools.partial[Authority]) -> None:
    assert fault_of(answered(by=stranger())) is Fault.WRONG_RESPONDER


def test_in_the_issuers_name_but_not_by_its_key() -> None:
    der = bytearray(answered(by=support.authority(factory.intermediate())))
    der[-1] ^= 1  # of the signature: no certificate goes along
    assert fault_of(bytes(der)) is Fault.BAD_SIGNATURE


def test_a_responder_that_may_be_revoked() -> None:
    """Without id-pkix-ocsp-nocheck, other data must speak for it (RFC 6960, 4.2.2.2.1)."""
    issuer = factory.intermediate()
    certificate = factory.holder(issuer, key=factory.rsa_key("responder"), purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,))
    der = answered(by=Authority(certificate, factory.rsa_key("responder")))
    assert fault_of(der) is Fault.WRONG_RESPONDER
    assert read(der, vouched=True).revoked_at is None


def test_times() -> None:
    """Old is for the policy; from the future is wrong."""
    assert fault_of(answered(at=NOW + datetime.timedelta(minutes=6))) is Fault.FUTURE
    assert read(answered(at=NOW + datetime.timedelta(minutes=4))).revoked_at is None
    old = read(answered(at=NOW), at=NOW + 5 * DAY)
    assert old.next_update < NOW + 5 * DAY


@pytest.mark.parametrize("status", [one for one in ocsp.OCSPResponseStatus if one.name != "SUCCESSFUL"])
def test_no_answer(status: ocsp.OCSPResponseStatus) -> None:
    der = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    assert fault_of(der) is Fault.NOT_SUCCESSFUL


def built(
    status: ocsp.OCSPCertStatus, next_update: datetime.datetime | None, named: factory.Issuer | None = None
) -> bytes:
    """An answer with the library's builder, for what the simulator's responder never says."""
    issuer = factory.intermediate()
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf(), (named or issuer).certificate, hashes.SHA256(), status, NOW, next_update, None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer.certificate)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_the_same_serial_number_of_another_issuer() -> None:
    other = built(ocsp.OCSPCertStatus.GOOD, NOW + DAY, factory.root())
    assert fault_of(other) is Fault.WRONG_CERTIFICATE
    assert read(built(ocsp.OCSPCertStatus.GOOD, NOW + DAY)).revoked_at is None


def test_unknown_is_no_answer() -> None:
    assert fault_of(built(ocsp.OCSPCertStatus.UNKNOWN, NOW + DAY)) is Fault.NOT_SUCCESSFUL


def test_without_next_update() -> None:
    """There may be newer data at any time: an hour."""
    found = read(built(ocsp.OCSPCertStatus.GOOD, None))
    assert found.next_update == NOW + datetime.timedelta(hours=1)


def test_other_bytes() -> None:
    whole = answered()
    for der in (b"", b"<html>", whole[:-1], whole + b"\0"):
        assert fault_of(der) is Fault.MALFORMED
    assert fault_of(whole + bytes(MAX_ANSWER_BYTES)) is Fault.TOO_LARGE


@functools.cache
def whole_answer() -> bytes:
    """The same bytes for each example."""
    return answered(support.entry(leaf()))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_hostile_bytes_are_refused_or_left_as_they_were(data: st.DataObject) -> None:
    whole = whole_answer()
    der = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(der))
    except DataRefused:
        return
    assert found == read(whole)
