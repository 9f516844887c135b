"""CRLs and OCSP answers of the fictional PKI, and the profile whose card is revoked."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from cardsim import PkiStore, profiles
from cardsim.pki import Hierarchy, export
from cardsim.pki.revocation import RevokedEntry, create_crl

NOW = datetime.datetime(2026, 3, 15, 10, 30, tzinfo=datetime.UTC)


@pytest.fixture
def store(tmp_path: Path) -> PkiStore:
    return PkiStore(tmp_path / "pki", now=lambda: NOW, authority_key_bits=2048)


def crl_of(store: PkiStore) -> x509.CertificateRevocationList:
    """The intermediate's."""
    return x509.load_der_x509_crl(store.crls()[1].read_bytes())


def certificate_of(store: PkiStore, profile: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(store.card(profiles.load(profile)).authentication.certificate)


def listed(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> x509.ReasonFlags | None:
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return None if entry is None else entry.extensions.get_extension_for_class(x509.CRLReason).value.reason


def test_a_revoked_certificate_is_listed_at_once(store: PkiStore) -> None:
    """With its reason, under the next number, beside what was revoked before."""
    physician, nurse = certificate_of(store, "physician"), certificate_of(store, "nurse")
    assert listed(crl_of(store), physician) is None
    store.revoke(physician.public_bytes(Encoding.DER), x509.ReasonFlags.superseded)
    store.revoke(nurse.public_bytes(Encoding.DER))
    crl = crl_of(store)
    assert listed(crl, physician) is x509.ReasonFlags.superseded
    assert listed(crl, nurse) is x509.ReasonFlags.key_compromise
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert crl.is_signature_valid(store.intermediate().key.public_key())
    store.revoke(nurse.public_bytes(Encoding.DER), x509.ReasonFlags.certificate_hold)
    assert listed(crl_of(store), nurse) is x509.ReasonFlags.certificate_hold
    assert len(crl_of(store)) == 2


def test_the_list_outlives_its_next_update(store: PkiStore, tmp_path: Path) -> None:
    """A CRL that is made anew because it is stale lists the same."""
    physician = certificate_of(store, "physician")
    store.revoke(physician.public_bytes(Encoding.DER))
    later = PkiStore(tmp_path / "pki", now=lambda: NOW + datetime.timedelta(days=8), authority_key_bits=2048)
    crl = crl_of(later)
    assert crl.last_update_utc > NOW
    assert listed(crl, physician) is x509.ReasonFlags.key_compromise


def test_the_revoked_profile_is_revoked_before_its_card_is_put_in(store: PkiStore, tmp_path: Path) -> None:
    """Both its certificates stand on the CRL that goes out with the authorities."""
    written = export(store, tmp_path / "out")
    assert [path.name for path in written] == [
        f"{Hierarchy.FORT.folder}-{name}" for name in ("root.cer", "intermediate.cer", "root.crl", "intermediate.crl")
    ]
    crl = x509.load_der_x509_crl(written[3].read_bytes())
    card = store.card(profiles.load("revoked"))
    for credentials in (card.authentication, card.signature):
        assert listed(crl, x509.load_der_x509_certificate(credentials.certificate)) is x509.ReasonFlags.key_compromise
    assert len(crl) == 2


def test_a_delta_names_its_base(store: PkiStore) -> None:
    entry = RevokedEntry(7, NOW, x509.ReasonFlags.remove_from_crl)
    delta = create_crl(store.intermediate(), 5, NOW, [entry], base=3)
    indicator = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert (indicator.critical, indicator.value.crl_number) == (True, 3)
    assert next(iter(delta)).serial_number == 7


def ask(store: PkiStore, certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPResponse:
    nonce = x509.OCSPNonce(b"sixteen  octets.")
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1()).add_extension(nonce, False).build()  # noqa: S303  # RFC 5019: what certIDs are made with
    return ocsp.load_der_ocsp_response(store.answer(request.public_bytes(Encoding.DER)))


def test_ocsp_answers(store: PkiStore) -> None:
    """Good, then revoked; signed by a delegate of the authority; the nonce comes back."""
    physician, issuer = certificate_of(store, "physician"), store.intermediate().certificate
    good = ask(store, physician, issuer)
    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert good.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"sixteen  octets."
    [responder] = good.certificates
    responder.verify_directly_issued_by(issuer)
    assert ExtendedKeyUsageOID.OCSP_SIGNING in responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    key = responder.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(good.signature, good.tbs_response_bytes, padding.PKCS1v15(), SHA256())
    store.revoke(physician.public_bytes(Encoding.DER))
    revoked = ask(store, physician, issuer)
    assert revoked.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert revoked.revocation_reason is x509.ReasonFlags.key_compromise


def test_no_answer_about_a_strange_issuer(store: PkiStore) -> None:
    refused = ask(store, certificate_of(store, "physician"), store.root().certificate)
    assert refused.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
