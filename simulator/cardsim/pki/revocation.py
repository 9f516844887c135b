"""What the fictional PKI says of revoked certificates: base and delta CRLs (RFC 5280, 5), OCSP answers (RFC 6960)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardsim.pki.authorities import SHA256, Authority, key_usage

CRL_LIFETIME = datetime.timedelta(days=7)
ANSWER_LIFETIME = datetime.timedelta(hours=12)
RESPONDER_LIFETIME = datetime.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One revoked certificate.

    Args:
        serial: of the certificate.
        moment: when it was revoked, UTC.
        reason: why; None leaves it open (RFC 5280, 5.3.1: better than "unspecified").
    """

    serial: int
    moment: datetime.datetime
    reason: x509.ReasonFlags | None = None


Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def create_crl(
    authority: Authority,
    number: int,
    now: datetime.datetime,
    entries: Sequence[RevokedEntry] = (),
    *,
    base: int | None = None,
    lifetime: datetime.timedelta = CRL_LIFETIME,
    extensions: Extensions = (),
) -> x509.CertificateRevocationList:
    """A CRL by an authority.

    Args:
        authority: its issuer.
        number: CRL number.
        now: thisUpdate, UTC.
        entries: what stands on it; in a delta CRL, what changed.
        base: number of the base CRL that it is the difference to; None makes a base CRL.
        lifetime: until nextUpdate.
        extensions: further ones, with their criticality.
    """
    key_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now)
        .next_update(now + lifetime)
        .add_extension(key_identifier, critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    if base is not None:
        builder = builder.add_extension(x509.DeltaCRLIndicator(base), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for entry in entries:
        builder = builder.add_revoked_certificate(_crl_entry(entry))
    return builder.sign(authority.key, SHA256)


def _crl_entry(entry: RevokedEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.moment)
    if entry.reason is not None:
        builder = builder.add_extension(x509.CRLReason(entry.reason), critical=False)
    return builder.build()


def create_responder(
    issuer: Authority,
    key: rsa.RSAPrivateKey,
    now: datetime.datetime,
    *,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.OCSP_SIGNING,
    lifetime: datetime.timedelta = RESPONDER_LIFETIME,
) -> Authority:
    """A responder to which an authority delegates its answers (RFC 6960, 4.2.2.2).

    Args:
        issuer: the authority.
        key: the responder's.
        now: begin of validity, UTC.
        purpose: extended key usage; another one makes a responder that must not be believed.
        lifetime: of its certificate.
    """
    attributes = [*issuer.certificate.subject][:-1]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, "REPONDEUR OCSP FICTIF")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(issuer.key, SHA256)
    )
    return Authority(certificate, key)


def answer(
    request: ocsp.OCSPRequest,
    issuer: Authority,
    responder: Authority,
    entries: Sequence[RevokedEntry],
    now: datetime.datetime,
    *,
    lifetime: datetime.timedelta = ANSWER_LIFETIME,
) -> ocsp.OCSPResponse:
    """Answer for one certificate: revoked if it stands among the entries, good if not.

    Args:
        request: with one certificate; its nonce is repeated.
        issuer: the certificate's; a request about another one's is answered "unauthorized".
        responder: who signs: the issuer itself, or its delegate, whose certificate goes along.
        entries: what is revoked.
        now: thisUpdate, UTC.
        lifetime: until nextUpdate.
    """
    if not _is_about(request, issuer):
        return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    entry = next((one for one in entries if one.serial == request.serial_number), None)
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=request.issuer_name_hash,
        issuer_key_hash=request.issuer_key_hash,
        serial_number=request.serial_number,
        algorithm=request.hash_algorithm,
        cert_status=ocsp.OCSPCertStatus.GOOD if entry is None else ocsp.OCSPCertStatus.REVOKED,
        this_update=now,
        next_update=now + lifetime,
        revocation_time=None if entry is None else entry.moment,
        revocation_reason=None if entry is None else entry.reason,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    if responder.certificate != issuer.certificate:
        builder = builder.certificates([responder.certificate])
    for extension in request.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            builder = builder.add_extension(extension.value, critical=False)
    return builder.sign(responder.key, SHA256)


def _is_about(request: ocsp.OCSPRequest, issuer: Authority) -> bool:
    """Whether the certID (RFC 6960, 4.1.1) names this issuer, by name and by key."""
    # What the hash is over is the BIT STRING of the SubjectPublicKeyInfo: for RSA, PKCS #1's own form.
    key = issuer.key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    name = issuer.certificate.subject.public_bytes()
    return (_digest(request, name), _digest(request, key)) == (request.issuer_name_hash, request.issuer_key_hash)


def _digest(request: ocsp.OCSPRequest, data: bytes) -> bytes:
    digest = hashes.Hash(request.hash_algorithm)
    digest.update(data)
    return digest.finalize()
