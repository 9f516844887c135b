"""Which certificates a CRL speaks for: issuingDistributionPoint against the certificate (RFC 5280, 5.2.5 and 6.3.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from cardd.pki.revocation.faults import DataRefused, Fault


@dataclass(frozen=True, slots=True)
class Scope:
    """What a CRL covers, beside its issuer.

    Args:
        users_only: holders' certificates alone.
        authorities_only: authorities' certificates alone.
        points: names of its distribution point, each as `point_names` writes it; empty: wherever the certificate says
            that its CRL is.
    """

    users_only: bool = False
    authorities_only: bool = False
    points: frozenset[str] = frozenset()

    def covers(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate, by the same issuer, is among those that the CRL speaks for."""
        authority = _is_authority(certificate)
        if (self.users_only and authority) or (self.authorities_only and not authority):
            return False
        return not self.points or any(not self.points.isdisjoint(names) for names in _points_of(certificate))


def scope_of(crl: x509.CertificateRevocationList) -> Scope:
    """What a CRL says of its scope.

    Raises:
        DataRefused: it is indirect, for some reasons alone, or for attribute certificates.
    """
    try:
        point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return Scope()
    if point.indirect_crl:
        raise DataRefused(Fault.INDIRECT, "an indirect CRL, which speaks of other issuers' certificates, is not used")
    if point.only_some_reasons is not None or point.only_contains_attribute_certs:
        raise DataRefused(Fault.PARTIAL, "a CRL for some reasons only, or for attribute certificates, is not used")
    names = point_names(point.full_name, point.relative_name, crl.issuer)
    return Scope(point.only_contains_user_certs, point.only_contains_ca_certs, names)


def point_names(
    full: Iterable[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, issuer: x509.Name
) -> frozenset[str]:
    """The names of a distribution point, in one form for certificates and CRLs.

    Args:
        full: fullName.
        relative: nameRelativeToCRLIssuer.
        issuer: to whose name the relative one is added.
    """
    names = {_text(name) for name in full or ()}
    if relative is not None:
        names.add(_text(x509.DirectoryName(x509.Name([*issuer.rdns, relative]))))
    return frozenset(names)


def _text(name: x509.GeneralName) -> str:
    value = name.value
    shown = value.public_bytes().hex() if isinstance(value, x509.Name) else str(value)
    return f"{type(name).__name__}:{shown}"


def _points_of(certificate: x509.Certificate) -> list[frozenset[str]]:
    """Names of each distribution point at which the certificate's own issuer publishes."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [point_names(one.full_name, one.relative_name, certificate.issuer) for one in points if not one.crl_issuer]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
