"""Certificates of a card: authentication and signature, with the private extensions of the health PKI, right or wrong.

RSA-2048, SHA-256 with RSA, three years to the day; basicConstraints CA:FALSE not critical; the subject's last RDN holds
given name, national identifier (CN) and surname together.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardsim.identifiers import ISSUER
from cardsim.pkcs15 import integer
from cardsim.pki import authorities
from cardsim.pki.authorities import SHA256, Authority, AuthorityName, years_after
from cardsim.pki.reencode import spoil_length, with_t61_subject
from cardsim.pki.sized import Extensions, sized
from cardsim.profiles.model import CardType, CertificateVariant, Profile
from cardsim.tlv import encode

YEARS = 3
UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
UPN_DOMAIN = "carte.igc-fictive.invalid"

_PRIVATE_ARC = "1.2.250.1.71.1.2"
CARD_TYPE = x509.ObjectIdentifier(f"{_PRIVATE_ARC}.2")
CARD_NUMBER = x509.ObjectIdentifier(f"{_PRIVATE_ARC}.3")
CARD_CATEGORY = x509.ObjectIdentifier(f"{_PRIVATE_ARC}.5")
PROFESSION = x509.ObjectIdentifier(f"{_PRIVATE_ARC}.7")
FUTURE_PROFESSION = x509.ObjectIdentifier(f"{_PRIVATE_ARC}.8")

CATEGORY_CARD, CATEGORY_TEST_CARD = b"\x00", b"\x80"
UTF8_STRING, PRINTABLE_STRING, OCTET_STRING = 0x0C, 0x13, 0x04


class Purpose(enum.Enum):
    """Which of a card's certificates."""

    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"
    TECHNICAL = "technical"
    """Of the key that serves without contact: it names the card, and nobody."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues, and under which name its addresses go.

    Args:
        authority: the intermediate.
        name: its names in addresses.
    """

    authority: Authority
    name: AuthorityName


def issue(
    profile: Profile,
    purpose: Purpose,
    key: rsa.RSAPublicKey,
    issuer: Issuer,
    now: datetime.datetime,
    *,
    forged_issuer: x509.Certificate | None = None,
) -> bytes:
    """Issue one certificate of a card, as the profile's variant wants it.

    Args:
        profile: the card.
        purpose: which certificate.
        key: the card's public key.
        issuer: the intermediate that signs.
        now: time of issue, UTC.
        forged_issuer: take name and key identifier of this authority instead, whatever key signs.

    Returns:
        DER; or no quite DER, for the malformed variant.

    Raises:
        CertificateSizeError: the profile wants a size that this holder's certificate cannot have.
    """
    variant = profile.certificates
    start = _start(variant, now)
    end = years_after(start, YEARS)
    named = forged_issuer or issuer.authority.certificate
    extensions = _extensions(profile, purpose, key, named, issuer.name, (start, end))
    builder = (
        x509.CertificateBuilder()
        .subject_name(card_subject(profile) if purpose is Purpose.TECHNICAL else subject(profile))
        .issuer_name(named.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    certificate = _signed(builder, extensions, issuer, profile.certificate_size)
    if variant is CertificateVariant.MALFORMED:
        return spoil_length(certificate)
    if variant is CertificateVariant.T61_NAMES:
        return with_t61_subject(certificate, issuer.authority.key)
    return certificate.public_bytes(Encoding.DER)


def _signed(
    builder: x509.CertificateBuilder, extensions: Extensions, issuer: Issuer, size: int | None
) -> x509.Certificate:
    """Sign; of exactly ``size`` bytes where it is given, by what ``sized`` leaves out or fills in."""

    def sign(chosen: Extensions) -> x509.Certificate:
        complete = builder
        for extension, critical in chosen:
            complete = complete.add_extension(extension, critical=critical)
        return complete.sign(issuer.authority.key, SHA256)

    return sign(extensions) if size is None else sized(sign, extensions, size)


def _start(variant: CertificateVariant, now: datetime.datetime) -> datetime.datetime:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if variant is CertificateVariant.EXPIRED:
        return today - datetime.timedelta(days=(YEARS + 1) * 365 + 2)
    if variant is CertificateVariant.NOT_YET_VALID:
        return years_after(today, 5)
    return today - datetime.timedelta(days=30)


def subject(profile: Profile) -> x509.Name:
    """C, then for staff ST, O, OU; title; pseudonym; and {GN + CN + SN} as one RDN, or CN alone."""
    holder = profile.holder
    single = (
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, holder.region),
        (NameOID.ORGANIZATION_NAME, holder.structure_name),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, holder.structure_identifier),
        (NameOID.TITLE, holder.title),
        (NameOID.PSEUDONYM, holder.pseudonym),
    )
    last = (
        (NameOID.GIVEN_NAME, holder.given_name),
        (NameOID.COMMON_NAME, holder.identifier),
        (NameOID.SURNAME, holder.surname),
    )
    rdns = [x509.RelativeDistinguishedName([x509.NameAttribute(oid, value)]) for oid, value in single if value]
    rdns.append(x509.RelativeDistinguishedName([x509.NameAttribute(oid, value) for oid, value in last if value]))
    return x509.Name(rdns)


def card_subject(profile: Profile) -> x509.Name:
    """C, O and the card's issuer and number as CN.

    GUESS: no real technical certificate was published: that it is about the card alone, without the extensions that
    tell of its holder. One of a real card settles it.
    """
    names = (
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.ORGANIZATION_NAME, authorities.Hierarchy.FORT.value.organisation),
        (NameOID.COMMON_NAME, f"{ISSUER}/{profile.card.number}"),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in names])


def _extensions(
    profile: Profile,
    purpose: Purpose,
    key: rsa.RSAPublicKey,
    issuer: x509.Certificate,
    issuer_name: AuthorityName,
    validity: tuple[datetime.datetime, datetime.datetime],
) -> Extensions:
    """All extensions in the order of the decoded certificates, each with its criticality."""
    swapped = profile.certificates is CertificateVariant.SWAPPED_KEY_USAGE
    extensions = _usages(_SWAPPED.get(purpose, purpose) if swapped else purpose)
    if profile.certificates is CertificateVariant.MISSING_KEY_USAGE:
        extensions = []
    issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    extensions += [
        (x509.BasicConstraints(ca=False, path_length=None), False),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), False),
        (authorities.certificate_policies(authorities.POLICY), False),
        (authorities.crl_distribution_points(issuer_name), False),
        (authorities.freshest_crl(issuer_name), False),
        (authorities.authority_information(issuer_name), False),
    ]
    if purpose is Purpose.AUTHENTICATION:
        extensions.append((x509.SubjectAlternativeName([_upn(profile)]), False))
    elif purpose is Purpose.SIGNATURE:
        extensions.append((x509.PrivateKeyUsagePeriod(*validity), False))
    if profile.certificates is not CertificateVariant.MISSING_EXTENSIONS and purpose is not Purpose.TECHNICAL:
        extensions += _private_extensions(profile)
    return extensions


_SWAPPED = {Purpose.AUTHENTICATION: Purpose.SIGNATURE, Purpose.SIGNATURE: Purpose.AUTHENTICATION}


def _usages(purpose: Purpose) -> Extensions:
    if purpose is Purpose.AUTHENTICATION:
        extended = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SMARTCARD_LOGON]
        return [
            (authorities.key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage(extended), False),
        ]
    if purpose is Purpose.TECHNICAL:
        return [
            (authorities.key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        ]
    return [
        (authorities.key_usage(non_repudiation=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
    ]


def _upn(profile: Profile) -> x509.OtherName:
    """otherName: type digit, dot, identifier, at the card's domain."""
    identifier = profile.holder.identifier
    name = f"{identifier[0]}.{identifier[1:]}@{UPN_DOMAIN}"
    return x509.OtherName(UPN, encode(UTF8_STRING, name.encode("ascii")))


def _private_extensions(profile: Profile) -> Extensions:
    """Card type, card number, category (bit 8: test), profession and profession in training."""
    holder = profile.holder
    number = f"{ISSUER}/{profile.card.number}".encode("ascii")
    values = [
        (CARD_TYPE, integer(CardType(holder.card_type))),
        (CARD_NUMBER, encode(PRINTABLE_STRING, number)),
        (CARD_CATEGORY, encode(OCTET_STRING, CATEGORY_TEST_CARD if profile.card.test else CATEGORY_CARD)),
    ]
    if holder.profession is not None:
        values.append((PROFESSION, integer(holder.profession)))
    if holder.future_profession is not None:
        values.append((FUTURE_PROFESSION, integer(holder.future_profession)))
    return [(x509.UnrecognizedExtension(oid, value), False) for oid, value in values]
