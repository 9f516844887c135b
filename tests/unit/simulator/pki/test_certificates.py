"""Certificates of a card: the profile of the health PKI, and what each variant breaks."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardsim import PkiStore, profiles, tlv
from cardsim.pki import CardCredentials, Hierarchy
from cardsim.pki.sized import CertificateSizeError
from cardsim.profiles import CertificateVariant, Profile

NOW = datetime.datetime(2026, 3, 15, 10, 30, tzinfo=datetime.UTC)
PRIVATE_ARC = "1.2.250.1.71.1.2."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """A store with small authority keys and a fixed clock."""
    directory: Path = tmp_path_factory.mktemp("pki")
    return PkiStore(directory, now=lambda: NOW, authority_key_bits=2048)


def card_of(store: PkiStore, name: str, variant: CertificateVariant | None = None) -> tuple[Profile, CardCredentials]:
    """Credentials of a profile, with another variant if one is given."""
    profile = profiles.load(name)
    if variant is not None:
        profile = dataclasses.replace(profile, certificates=variant)
    return profile, store.card(profile)


def both(credentials: CardCredentials) -> tuple[x509.Certificate, x509.Certificate]:
    """Authentication and signature certificate."""
    return (
        x509.load_der_x509_certificate(credentials.authentication.certificate),
        x509.load_der_x509_certificate(credentials.signature.certificate),
    )


def private_extension(certificate: x509.Certificate, number: int) -> bytes | None:
    """DER inside a private extension."""
    oid = x509.ObjectIdentifier(f"{PRIVATE_ARC}{number}")
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(value, x509.UnrecognizedExtension)
    return value.value


def test_authorities(store: PkiStore) -> None:
    """Root and intermediate: path lengths, usages, end a day apart, names of their own, no address but .invalid."""
    root, intermediate = store.root().certificate, store.intermediate().certificate
    root.verify_directly_issued_by(root)
    intermediate.verify_directly_issued_by(root)
    constraints = [item.extensions.get_extension_for_class(x509.BasicConstraints) for item in (root, intermediate)]
    assert all(item.critical and item.value.ca for item in constraints)
    assert [item.value.path_length for item in constraints] == [None, 0]
    assert root.not_valid_after_utc - intermediate.not_valid_after_utc == datetime.timedelta(days=1)
    assert root.subject.rfc4514_string().startswith("CN=AC RACINE FICTIVE FORT,")
    usage = intermediate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature


def test_real_authority_keys_are_large(tmp_path: Path) -> None:
    """Without the tests' shortcut they are RSA-4096."""
    store = PkiStore(tmp_path)
    assert store.root().key.key_size == store.intermediate().key.key_size == 4096


def test_authentication_certificate(store: PkiStore) -> None:
    """digitalSignature critical; client authentication and smart card logon; UPN; three years to the day."""
    certificate, _ = both(card_of(store, "physician")[1])
    certificate.verify_directly_issued_by(store.intermediate().certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.content_commitment) == (True, False)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SMARTCARD_LOGON]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (False, False)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    upn = names.get_values_for_type(x509.OtherName)[0]
    assert upn.value[2:] == b"8.99900000011@carte.igc-fictive.invalid"
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    assert (end.year - start.year, end.month, end.day, end.hour) == (3, start.month, start.day, start.hour)
    assert start < NOW < end
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048


def test_signature_certificate(store: PkiStore) -> None:
    """nonRepudiation alone, critical; e-mail protection; no SAN; private key usage period as its validity."""
    _, certificate = both(card_of(store, "physician")[1])
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.content_commitment) == (False, True)
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    period = certificate.extensions.get_extension_for_class(x509.PrivateKeyUsagePeriod).value
    assert period.not_after is not None
    assert period.not_after.replace(tzinfo=datetime.UTC) == certificate.not_valid_after_utc


def test_addresses_lead_nowhere(store: PkiStore) -> None:
    """CRL by http and LDAP, delta CRL by LDAP alone, OCSP and issuer; all under .invalid."""
    for certificate in both(card_of(store, "physician")[1]):
        crl = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        delta = certificate.extensions.get_extension_for_class(x509.FreshestCRL).value
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        addresses = [name.value for point in (*crl, *delta) for name in point.full_name or ()]
        addresses += [item.access_location.value for item in access]
        assert [address.split(":")[0] for address in addresses] == ["http", "ldap", "ldap", "http", "http"]
        assert all(address.split("/")[2].endswith(".invalid") for address in addresses)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("physician", ("020100", "1315383032353030303030312F32363030303030303131", "040180", "02010A", None)),
        ("nurse", ("020100", "1315383032353030303030312F32363030303030303239", "040180", "02013C", None)),
        ("student", ("020101", "1315383032353030303030312F32363030303030303435", "040180", None, "02010A")),
        ("staff", ("020102", "1315383032353030303030312F32363030303030303532", "040180", None, None)),
    ],
)
def test_private_extensions(store: PkiStore, name: str, values: tuple[str | None, ...]) -> None:
    """Card type, card number, category of a test card, profession, profession in training."""
    for certificate in both(card_of(store, name)[1]):
        found = [private_extension(certificate, number) for number in (2, 3, 5, 7, 8)]
        assert [value.hex().upper() if value else None for value in found] == list(values)


def test_subject_of_a_professional(store: PkiStore) -> None:
    """C, title, and one last RDN with given name, identifier and surname."""
    certificate, other = both(card_of(store, "physician")[1])
    assert certificate.subject == other.subject
    rdns = certificate.subject.rdns
    assert [attribute.value for rdn in rdns[:2] for attribute in rdn] == ["FR", "Médecin"]
    assert len(rdns) == 3
    last = {attribute.oid: attribute.value for attribute in rdns[2]}
    assert last == {
        NameOID.GIVEN_NAME: "Éloïse",
        NameOID.COMMON_NAME: "899900000011",
        NameOID.SURNAME: "O'HARA-LEFÈVRE",
    }


def test_subject_of_staff(store: PkiStore) -> None:
    """Establishment, title, pseudonym, a CN with a slash; neither surname nor given name."""
    certificate, _ = both(card_of(store, "staff")[1])
    values = [str(attribute.value) for rdn in certificate.subject.rdns for attribute in rdn]
    assert values == [
        "FR",
        "Seine-Maritime (76)",
        "HOPITAL FICTIF DES TILLEULS",
        "1990000010",
        "Carte de service santé ou social",
        "EMPLOYE 0001",
        "3990000010/EMP0001",
    ]


def test_sizes_are_those_of_a_card(store: PkiStore) -> None:
    """About 1.9 KiB, below the 2,048 bytes of the largest known (the authorities' keys make 512 of them)."""
    large = PkiStore(store.directory / "large", now=lambda: NOW)
    card = large.card(profiles.load("physician"))
    sizes = [len(card.authentication.certificate), len(card.signature.certificate)]
    assert all(1750 < size < 2048 for size in sizes)


@pytest.mark.parametrize(
    ("variant", "valid_now"),
    [
        (CertificateVariant.VALID, True),
        (CertificateVariant.EXPIRED, False),
        (CertificateVariant.NOT_YET_VALID, False),
    ],
)
def test_validity_variants(store: PkiStore, variant: CertificateVariant, valid_now: bool) -> None:
    """Past, present, future; always within the authority's own validity."""
    authority = store.intermediate().certificate
    for certificate in both(card_of(store, "physician", variant)[1]):
        assert (certificate.not_valid_before_utc <= NOW <= certificate.not_valid_after_utc) is valid_now
        assert authority.not_valid_before_utc < certificate.not_valid_before_utc
        assert certificate.not_valid_after_utc < authority.not_valid_after_utc


def test_strange_issuer(store: PkiStore) -> None:
    """Another hierarchy, sound in itself."""
    certificate, _ = both(card_of(store, "physician", CertificateVariant.STRANGE_ISSUER)[1])
    certificate.verify_directly_issued_by(store.intermediate(Hierarchy.STRANGE).certificate)
    assert certificate.issuer != store.intermediate().certificate.subject


def test_impostor_issuer(store: PkiStore) -> None:
    """The right name and key identifier, another key."""
    certificate, _ = both(card_of(store, "physician", CertificateVariant.IMPOSTOR_ISSUER)[1])
    issuer = store.intermediate().certificate
    assert certificate.issuer == issuer.subject
    key_identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert key_identifier == subject_key.key_identifier
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(issuer)


def test_swapped_key_usage(store: PkiStore) -> None:
    """Each has the other's usages."""
    authentication, signature = both(card_of(store, "physician", CertificateVariant.SWAPPED_KEY_USAGE)[1])
    assert authentication.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    assert signature.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature


def test_malformed(store: PkiStore) -> None:
    """An outer length that holds, an inner one that reaches past the end."""
    _, credentials = card_of(store, "physician", CertificateVariant.MALFORMED)
    for der in (credentials.authentication.certificate, credentials.signature.certificate):
        outer = tlv.parse(der)
        assert len(outer) == 1
        with pytest.raises(tlv.TlvError):
            tlv.parse(outer[0].value)
        with pytest.raises(ValueError, match="error parsing"):
            x509.load_der_x509_certificate(der)


def test_rsa_1024(store: PkiStore) -> None:
    """A short key."""
    _, credentials = card_of(store, "physician", CertificateVariant.RSA_1024)
    assert credentials.authentication.key.key_size == credentials.signature.key.key_size == 1024


def test_missing_extensions(store: PkiStore) -> None:
    """None of the private ones; or no key usages."""
    certificate, _ = both(card_of(store, "physician", CertificateVariant.MISSING_EXTENSIONS)[1])
    assert [private_extension(certificate, number) for number in (2, 3, 5, 7, 8)] == [None] * 5
    certificate, _ = both(card_of(store, "physician", CertificateVariant.MISSING_KEY_USAGE)[1])
    for kind in (x509.KeyUsage, x509.ExtendedKeyUsage):
        with pytest.raises(x509.ExtensionNotFound):
            certificate.extensions.get_extension_for_class(kind)


def test_t61_names(store: PkiStore) -> None:
    """T61String in Latin-1 inside a subject whose signature still holds."""
    _, credentials = card_of(store, "physician", CertificateVariant.T61_NAMES)
    der = credentials.authentication.certificate
    assert b"\x14\x07M\xe9decin" in der
    signed, algorithm, signature = tlv.parse(tlv.parse(der)[0].value)
    assert algorithm.tag == 0x30
    key = store.intermediate().key.public_key()
    key.verify(signature.value[1:], signed.encode(), padding.PKCS1v15(), SHA256())


def test_wrong_check_digit_is_a_matter_of_the_profile(store: PkiStore) -> None:
    """Some official test numbers have one: any identifier is taken as it stands."""
    profile = profiles.load("physician")
    changed = dataclasses.replace(profile, holder=dataclasses.replace(profile.holder, identifier="899900000012"))
    certificate, _ = both(store.card(changed))
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "899900000012"


@pytest.mark.parametrize("size", [1200, 1279, 1280, 1536, 2047, 2048])
def test_a_certificate_of_a_wanted_size(store: PkiStore, size: int) -> None:
    """To the byte, issued as ever, with what names the holder."""
    credentials = store.card(dataclasses.replace(profiles.load("physician"), certificate_size=size))
    for each, certificate in zip((credentials.authentication, credentials.signature), both(credentials), strict=True):
        assert len(each.certificate) == size
        certificate.verify_directly_issued_by(store.intermediate().certificate)
        assert private_extension(certificate, 7) is not None


def test_a_certificate_that_cannot_be_so_small(store: PkiStore) -> None:
    """The least that this holder's takes is told."""
    with pytest.raises(CertificateSizeError, match=r"certificates.size: no certificate of 700 bytes: .* 1\d\d\d at"):
        store.card(dataclasses.replace(profiles.load("physician"), certificate_size=700))


@pytest.mark.parametrize(("name", "category"), [("physician", b"\x04\x01\x80"), ("unmarked", b"\x04\x01\x00")])
def test_the_category_tells_a_card_for_tests(store: PkiStore, name: str, category: bytes) -> None:
    """Bit 8."""
    for certificate in both(store.card(profiles.load(name))):
        assert private_extension(certificate, 5) == category


def test_authorised_staff(store: PkiStore) -> None:
    """Card type 3, named, with the structure, of no profession."""
    for certificate in both(store.card(profiles.load("authorised-staff"))):
        assert private_extension(certificate, 2) == b"\x02\x01\x03"
        assert private_extension(certificate, 7) is None
        assert certificate.subject.get_attributes_for_oid(NameOID.SURNAME)[0].value == "L'HÉRITIER"
        assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
