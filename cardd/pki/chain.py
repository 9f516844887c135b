"""From a holder's certificate to an accepted root.

The path is the library's (cryptography.x509.verification): signatures, dates, basic constraints, path length, critical
extensions. Its client policy demands a subjectAltName, which these certificates lack, hence extension policies of our
own; key usages and strength are then checked here. Revocation is a step of its own behind this one, on paths that hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from cardd.pki.authorities import Authority, AuthorityRole
from cardd.pki.certificates import READ_ERRORS
from cardd.pki.fingerprints import fingerprint_of
from cardd.pki.strength import weakness
from cardd.pki.trust import CertificateUse, ChainLink, Trust, TrustReason, TrustState

_MAX_DEPTH: Final = 4
"""Intermediates between a holder and a root; the health PKI has one."""


class RevocationStep(Protocol):
    """What is asked about a path that holds: `cardd.pki.revocation.book.RevocationBook` is one."""

    def judge(self, trust: Trust, chain: Sequence[x509.Certificate]) -> Trust:
        """Add what is known of revocation to a trusted verdict, or refuse for it; see there."""


class ChainVerifier:
    """Verifies holders' certificates under accepted authorities; made once, used at each card.

    Args:
        authorities: Accepted roots and intermediates.
        revocation: Asked behind the path; None: nobody is (`NOT_ASKED`).
    """

    def __init__(self, authorities: Sequence[Authority], revocation: RevocationStep | None = None) -> None:
        self._revocation = revocation
        self._authorities = tuple(authorities)
        self._roots = {a.fingerprint: a for a in authorities if a.role is AuthorityRole.ROOT}
        self._intermediates = [a.certificate for a in authorities if a.role is AuthorityRole.INTERMEDIATE]
        # The library refuses a store without a root.
        self._store = Store([root.certificate for root in self._roots.values()]) if self._roots else None

    def verify(self, leaf: x509.Certificate, use: CertificateUse, at: datetime) -> Trust:
        """Judge a holder's certificate. Total: whatever the certificate is, the verdict is a `Trust`.

        Args:
            leaf: The certificate.
            use: What it is shown for.
            at: The moment to judge at, aware.

        Raises:
            ValueError: `at` is naive.
        """
        if at.tzinfo is None:
            raise ValueError("the moment to judge at must be aware")
        at = at.astimezone(UTC)
        weak = weakness(leaf)
        if weak is not None:
            return self._verdict(weak, use, () if weak is TrustReason.MALFORMED else (leaf,), at)
        if self._store is None:
            return self._verdict(TrustReason.NO_ROOTS, use, (leaf,), at)
        try:
            chain = self._path(self._store, leaf, at)
        except (VerificationError, *READ_ERRORS):
            # The library's text holds the holder's name, and no reason that a program can read.
            reason, chain = self._why_not(leaf, at)
            return self._verdict(reason, use, chain, at)
        if not _fits(leaf, use):
            return self._verdict(TrustReason.WRONG_KEY_USAGE, use, chain, at)
        trust = self._verdict(TrustReason.OK, use, chain, at)
        return trust if self._revocation is None else self._revocation.judge(trust, chain)

    def _path(self, store: Store, leaf: x509.Certificate, at: datetime) -> Sequence[x509.Certificate]:
        verifier = (
            PolicyBuilder()
            .store(store)
            .time(at)
            .max_chain_depth(_MAX_DEPTH)
            .extension_policies(ca_policy=_AUTHORITY_POLICY, ee_policy=_HOLDER_POLICY)
            .build_client_verifier()
        )
        return verifier.verify(leaf, self._intermediates).chain

    def _why_not(self, leaf: x509.Certificate, at: datetime) -> tuple[TrustReason, Sequence[x509.Certificate]]:
        """Name the reason of a refusal; never turns one into an acceptance."""
        chain = [leaf]
        while fingerprint_of(chain[-1]) not in self._roots:
            issuer, reason = self._issuer(chain[-1])
            if issuer is None:
                return reason, chain
            chain.append(issuer)
            if len(chain) > _MAX_DEPTH + 2:
                return TrustReason.INVALID_PATH, chain
        if any(at > certificate.not_valid_after_utc for certificate in chain):
            return TrustReason.EXPIRED, chain
        if any(at < certificate.not_valid_before_utc for certificate in chain):
            return TrustReason.NOT_YET_VALID, chain
        return TrustReason.INVALID_PATH, chain

    def _issuer(self, certificate: x509.Certificate) -> tuple[x509.Certificate | None, TrustReason]:
        """The accepted authority behind a certificate, the latest to expire where there are several."""
        reason = TrustReason.UNKNOWN_ISSUER
        found: list[x509.Certificate] = []
        for authority in self._authorities:
            try:
                certificate.verify_directly_issued_by(authority.certificate)
            except InvalidSignature:
                reason = TrustReason.BAD_SIGNATURE  # the name fits, the key does not
            except READ_ERRORS:
                continue  # another name
            else:
                found.append(authority.certificate)
        return max(found, key=lambda issuer: issuer.not_valid_after_utc, default=None), reason

    def _verdict(
        self, reason: TrustReason, use: CertificateUse, chain: Sequence[x509.Certificate], at: datetime
    ) -> Trust:
        links = tuple(_link(certificate) for certificate in chain)
        root = self._roots.get(links[-1].fingerprint) if links else None
        return Trust(
            state=TrustState.TRUSTED if reason is TrustReason.OK else TrustState.UNTRUSTED,
            reason=reason,
            use=use,
            chain=links,
            simulator=root is not None and root.simulator,
            checked_at=at,
        )


def _link(certificate: x509.Certificate) -> ChainLink:
    try:
        subject = certificate.subject.rfc4514_string()
    except READ_ERRORS:  # a T61String with accents, which the library does not read
        subject = ""
    return ChainLink(
        subject, fingerprint_of(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def _fits(leaf: x509.Certificate, use: CertificateUse) -> bool:
    """Whether the certificate's key usages (RFC 5280, 4.2.1.3 and 4.2.1.12) allow the use."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False  # every certificate of the health PKI has one
    if use is CertificateUse.SIGNATURE:
        return usage.content_commitment  # X.509's later name of nonRepudiation
    return usage.digital_signature and _client_authentication(leaf)


def _client_authentication(leaf: x509.Certificate) -> bool:
    try:
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in purposes


def _require_authority(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("not an authority")


def _require_certificate_signing(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("may not sign certificates")


def _refuse_authority(
    _policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("an authority in a holder's place")


_AUTHORITY_POLICY: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.CRITICAL, _require_authority)
    .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_certificate_signing)
)
# basicConstraints of the health PKI's holders are not critical, which RFC 5280 leaves open.
_HOLDER_POLICY: Final = ExtensionPolicy.permit_all().may_be_present(
    x509.BasicConstraints, Criticality.AGNOSTIC, _refuse_authority
)
