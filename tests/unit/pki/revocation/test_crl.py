"""Which CRLs are believed."""

from __future__ import annotations

import datetime
import functools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.pki.revocation import crl as crl_module
from cardd.pki.revocation.crl import read_crl
from cardd.pki.revocation.faults import DataRefused, Fault
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW


def fault_of(der: bytes, at: datetime.datetime = NOW) -> Fault:
    with pytest.raises(DataRefused) as refused:
        read_crl(der, support.authorities(), at)
    return refused.value.fault


def test_what_a_crl_says() -> None:
    leaf = factory.holder(factory.intermediate())
    revoked = support.entry(leaf, x509.ReasonFlags.key_compromise)
    found = support.verified(support.crl(factory.intermediate(), revoked, number=7))
    facts = found.facts
    assert (facts.number, facts.base, facts.this_update, facts.next_update) == (7, None, NOW, NOW + 7 * DAY)
    assert facts.issuer_name.startswith("CN=AC FICTIVE FORT PERSONNES")
    [entry] = found.entries
    assert (entry.serial, entry.moment) == (leaf.serial_number, NOW - DAY)
    assert entry.reason is x509.ReasonFlags.key_compromise


def test_an_old_one_is_still_read() -> None:
    """How old it may be is the policy's word."""
    old = support.crl(factory.intermediate(), at=NOW - 300 * DAY)
    assert support.verified(old).facts.next_update == NOW - 293 * DAY


def test_another_key_under_the_issuers_name() -> None:
    impostor = factory.authority("AC FICTIVE FORT PERSONNES", factory.root(), key=factory.rsa_key("impostor"))
    assert fault_of(support.crl(impostor)) is Fault.BAD_SIGNATURE


def test_an_issuer_that_is_not_accepted() -> None:
    assert fault_of(support.crl(factory.authority("AC INCONNUE"))) is Fault.UNKNOWN_ISSUER


def test_an_authority_that_may_not_sign_crls() -> None:
    """keyCertSign without cRLSign (RFC 5280, 6.3.3 f)."""
    silent = factory.authority("AC MUETTE", factory.root(), key_usage=factory.usage("key_cert_sign"))
    with pytest.raises(DataRefused) as refused:
        read_crl(support.crl(silent), [*support.authorities(), silent.certificate], NOW)
    assert refused.value.fault is Fault.UNKNOWN_ISSUER


def test_a_flipped_bit() -> None:
    der = bytearray(support.crl(factory.intermediate()))
    der[-1] ^= 1
    assert fault_of(bytes(der)) is Fault.BAD_SIGNATURE


def test_another_serial_number_than_was_signed() -> None:
    leaf = factory.holder(factory.intermediate())
    serial = leaf.serial_number.to_bytes(20, "big").lstrip(b"\0")
    der = support.crl(factory.intermediate(), support.entry(leaf))
    assert fault_of(support.changed(der, serial, serial[:-1] + bytes([serial[-1] ^ 1]))) is Fault.BAD_SIGNATURE


def test_sha_1() -> None:
    """The library signs nothing with SHA-1 any more; an old list says so in its algorithm."""
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    assert fault_of(support.changed(support.crl(factory.intermediate()), sha256, sha1)) is Fault.WEAK_SIGNATURE


def test_the_future() -> None:
    """A few minutes are the skew of two clocks; more is a wrong clock, or a wrong list."""
    ahead = support.crl(factory.intermediate(), at=NOW + datetime.timedelta(minutes=4))
    assert support.verified(ahead).facts.this_update > NOW
    assert fault_of(support.crl(factory.intermediate(), at=NOW + datetime.timedelta(minutes=6))) is Fault.FUTURE


def point(**what: object) -> x509.IssuingDistributionPoint:
    fields: dict[str, object] = {
        "full_name": [x509.UniformResourceIdentifier("http://igc-fictive.invalid/CRL/a.crl")],
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**fields, **what})  # type: ignore[arg-type]  # each as its name asks for


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ({"indirect_crl": True}, Fault.INDIRECT),
        ({"only_some_reasons": frozenset({x509.ReasonFlags.key_compromise})}, Fault.PARTIAL),
        ({"only_contains_attribute_certs": True}, Fault.PARTIAL),
    ],
)
def test_lists_that_speak_of_less_or_of_others(what: dict[str, object], fault: Fault) -> None:
    der = support.crl(factory.intermediate(), extensions=[(point(**what), True)])
    assert fault_of(der) is fault


def test_the_scope() -> None:
    der = support.crl(factory.intermediate(), extensions=[(point(only_contains_user_certs=True), True)])
    scope = support.verified(der).facts.scope
    assert scope.users_only
    assert scope.points == {"UniformResourceIdentifier:http://igc-fictive.invalid/CRL/a.crl"}


def test_an_unknown_critical_extension() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.7"), b"\x05\x00")
    assert fault_of(support.crl(factory.intermediate(), extensions=[(unknown, True)])) is (
        Fault.UNKNOWN_CRITICAL_EXTENSION
    )
    assert support.verified(support.crl(factory.intermediate(), extensions=[(unknown, False)])).entries == ()


def with_entry(extension: x509.ExtensionType, *, critical: bool) -> bytes:
    """A CRL with one entry that bears an extension."""
    issuer = factory.intermediate()
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(5)
        .revocation_date(NOW)
        .add_extension(extension, critical)
        .build()
    )
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + DAY).add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_an_entry_of_another_issuer() -> None:
    other = x509.CertificateIssuer([x509.DirectoryName(factory.name("AC AUTRE"))])
    assert fault_of(with_entry(other, critical=True)) is Fault.INDIRECT


def test_a_critical_extension_of_an_entry() -> None:
    """Known or not, it changes what the entry says (RFC 5280, 5.3)."""
    moment = x509.InvalidityDate(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert fault_of(with_entry(moment, critical=True)) is Fault.UNKNOWN_CRITICAL_EXTENSION
    assert support.verified(with_entry(moment, critical=False)).entries[0].serial == 5


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crl_module, "MAX_CRL_BYTES", 100)
    assert fault_of(support.crl(factory.intermediate())) is Fault.TOO_LARGE


def test_nothing_but_a_crl() -> None:
    whole = support.crl(factory.intermediate())
    for der in (b"", b"<html>", b"\x30\x80", whole[:-1], whole + b"\0", factory.der(factory.root().certificate)):
        assert fault_of(der) is Fault.MALFORMED


@functools.cache
def whole_list() -> bytes:
    """The same bytes for each example."""
    return support.crl(factory.intermediate(), support.entry(factory.holder(factory.intermediate())))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_hostile_bytes_are_refused_or_left_as_they_were(data: st.DataObject) -> None:
    """Whatever is changed, the list is refused, or what it says is what was signed."""
    whole = whole_list()
    der = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = support.verified(bytes(der))
    except DataRefused:
        return
    assert found == support.verified(whole)


def test_newer() -> None:
    """By number; by date where numbers say nothing."""
    first = support.verified(support.crl(factory.root(), number=1, at=NOW)).facts
    second = support.verified(support.crl(factory.root(), number=2, at=NOW - DAY)).facts
    again = support.verified(support.crl(factory.root(), number=1, at=NOW + DAY), NOW + DAY).facts
    assert second.newer_than(first)
    assert not first.newer_than(second)
    assert again.newer_than(first)
    assert not first.newer_than(first)
