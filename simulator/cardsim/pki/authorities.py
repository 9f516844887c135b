"""Roots and intermediates: names, addresses and certificates.

As the published authorities are: RSA-4096, SHA-256, a root of 20 years without path length, an intermediate with path
length 0 that ends a day earlier. Policies are under the arc for documentation (1.3.6.1.4.1.32473), hosts under
``.invalid`` (RFC 2606).
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

WEB = "http://igc-fictive.invalid"
OCSP = "http://ocsp.igc-fictive.invalid"
DIRECTORY = "ldap://annuaire.igc-fictive.invalid"
POLICY = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.1")
ANY_POLICY = x509.ObjectIdentifier("2.5.29.32.0")
SHA256 = hashes.SHA256()

ROOT_YEARS = 20
BEFORE_CREATION = datetime.timedelta(days=5 * 365)
"""Authorities are valid from before their creation, so that a certificate expired today was once within them."""


@dataclass(frozen=True, slots=True)
class AuthorityName:
    """An authority's common name, and its file name in addresses."""

    common_name: str
    file: str


@dataclass(frozen=True, slots=True)
class _Names:
    folder: str
    organisation: str
    unit: str
    root: AuthorityName
    intermediate: AuthorityName


class Hierarchy(enum.Enum):
    """A root with its intermediate for persons."""

    FORT = _Names(
        "fort",
        "EXEMPLE-SANTE",
        "IGC-FICTIVE TEST",
        AuthorityName("AC RACINE FICTIVE FORT", "ACR-FO"),
        AuthorityName("AC FICTIVE FORT PERSONNES", "ACI-FO-PP"),
    )
    STRANGE = _Names(
        "strange",
        "EXEMPLE-INCONNU",
        "IGC-ETRANGE TEST",
        AuthorityName("AC RACINE ETRANGE", "ACR-ET"),
        AuthorityName("AC ETRANGE PERSONNES", "ACI-ET-PP"),
    )
    """Nobody trusts this one."""

    @property
    def folder(self) -> str:
        """Name of its folder in the store."""
        return self.value.folder

    @property
    def root(self) -> AuthorityName:
        """Its root."""
        return self.value.root

    @property
    def intermediate(self) -> AuthorityName:
        """Its intermediate for persons."""
        return self.value.intermediate

    def subject(self, name: AuthorityName) -> x509.Name:
        """Subject of one of its authorities."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.value.organisation),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "0002 000000000"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.value.unit),
                x509.NameAttribute(NameOID.COMMON_NAME, name.common_name),
            ]
        )


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that can issue."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)


def create_root(hierarchy: Hierarchy, key: rsa.RSAPrivateKey, now: datetime.datetime) -> Authority:
    """A self-signed root.

    Args:
        hierarchy: whose root.
        key: its new key.
        now: time of creation, UTC.
    """
    start = _midnight(now) - BEFORE_CREATION
    subject = hierarchy.subject(hierarchy.root)
    builder = _authority_builder(subject, subject, key, key.public_key(), None)
    builder = builder.not_valid_before(start).not_valid_after(years_after(start, ROOT_YEARS))
    return Authority(builder.sign(key, SHA256), key)


def create_intermediate(
    hierarchy: Hierarchy, root: Authority, key: rsa.RSAPrivateKey, now: datetime.datetime
) -> Authority:
    """The intermediate for persons, issued by ``root``.

    Args:
        hierarchy: whose intermediate.
        root: its issuer.
        key: its new key.
        now: time of creation, UTC.
    """
    start = _midnight(now) - BEFORE_CREATION
    subject = hierarchy.subject(hierarchy.intermediate)
    builder = _authority_builder(subject, root.certificate.subject, key, root.key.public_key(), 0)
    builder = builder.not_valid_before(start).not_valid_after(
        years_after(start, ROOT_YEARS) - datetime.timedelta(days=1)
    )
    builder = builder.add_extension(crl_distribution_points(hierarchy.root), critical=False)
    return Authority(builder.sign(root.key, SHA256), key)


def _authority_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPublicKey,
    path_length: int | None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(sign_certificates=True), critical=True)
        .add_extension(certificate_policies(ANY_POLICY), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


# Extensions that authorities and cards share


def key_usage(
    *, digital_signature: bool = False, non_repudiation: bool = False, sign_certificates: bool = False
) -> x509.KeyUsage:
    """keyUsage with exactly the named bits; ``sign_certificates`` stands for keyCertSign and cRLSign."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=non_repudiation,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def certificate_policies(policy: x509.ObjectIdentifier) -> x509.CertificatePolicies:
    """One policy with the address of its text."""
    return x509.CertificatePolicies([x509.PolicyInformation(policy, [f"{WEB}/PC"])])


def crl_distribution_points(issuer: AuthorityName) -> x509.CRLDistributionPoints:
    """Base CRL by http and by LDAP, in one distribution point."""
    return x509.CRLDistributionPoints([_point(f"{WEB}/CRL/{issuer.file}.crl", _ldap(issuer, "certificate"))])


def freshest_crl(issuer: AuthorityName) -> x509.FreshestCRL:
    """Delta CRL, by LDAP only, as the real certificates have it."""
    return x509.FreshestCRL([_point(_ldap(issuer, "delta"))])


def authority_information(issuer: AuthorityName) -> x509.AuthorityInformationAccess:
    """OCSP responder and issuer's certificate."""
    return x509.AuthorityInformationAccess(
        [
            _access(AuthorityInformationAccessOID.OCSP, OCSP),
            _access(AuthorityInformationAccessOID.CA_ISSUERS, f"{WEB}/AC/{issuer.file}.cer"),
        ]
    )


def _access(method: x509.ObjectIdentifier, address: str) -> x509.AccessDescription:
    return x509.AccessDescription(method, x509.UniformResourceIdentifier(address))


def _point(*addresses: str) -> x509.DistributionPoint:
    names = [x509.UniformResourceIdentifier(address) for address in addresses]
    return x509.DistributionPoint(full_name=names, relative_name=None, reasons=None, crl_issuer=None)


def _ldap(issuer: AuthorityName, kind: str) -> str:
    return f"{DIRECTORY}/cn={quote(issuer.common_name)},c=FR?{kind}revocationlist;binary"


# Dates


def _midnight(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def years_after(start: datetime.datetime, years: int) -> datetime.datetime:
    """The same day and hour so many years later; 29 February becomes 28."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28)
