"""OCSP requests and answers (RFC 6960; RFC 5019 for what servers take): one certificate each.

The library reads an answer; that its responder may speak for the issuer, and that it is about this certificate and this
moment, is ours to check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.revocation.crl import SKEW
from cardd.pki.revocation.faults import DataRefused, Fault
from cardd.pki.revocation.issuers import require_strong
from cardd.pki.strength import weakness

MAX_ANSWER_BYTES: Final = 64 * 1024
WITHOUT_NEXT_UPDATE: Final = timedelta(hours=1)
"""RFC 6960, 4.2.2.1: without nextUpdate there is newer data at any time. So long an answer counts as current."""
NONCE_BYTES: Final = 32

Vouched = Callable[[x509.Certificate], bool]
"""Whether data at hand says that a responder's certificate is not revoked."""


@dataclass(frozen=True, slots=True)
class OcspStatus:
    """What an answer says. Times are UTC.

    Args:
        serial: of the certificate.
        this_update, next_update: since when and until when it is so.
        revoked_at: None where it is not revoked.
        reason: None where it is not revoked, or no reason is said.
    """

    serial: int
    this_update: datetime
    next_update: datetime
    revoked_at: datetime | None
    reason: x509.ReasonFlags | None


def build_request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None = None) -> bytes:
    """A request in DER.

    Args:
        certificate: asked about.
        issuer: its issuer.
        nonce: asked to come back; None lets the server answer from its cache (RFC 5019, 4).
    """
    # SHA-1 names the issuer here and proves nothing: RFC 5019, 2.1.1, has servers know this one alone.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def read_answer(
    der: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: datetime,
    *,
    nonce: bytes | None = None,
    vouched: Vouched = lambda _: False,
) -> OcspStatus:
    """Verify an answer about one certificate. That it is old is no reason to refuse it: that is for the policy.

    Args:
        der: hostile bytes.
        certificate: that was asked about.
        issuer: its issuer, an accepted authority.
        now: aware.
        nonce: that was asked with; an answer without it, or with another one, is refused. None: none was.
        vouched: asked about a responder's certificate that does not bear id-pkix-ocsp-nocheck.

    Raises:
        DataRefused: with the fault.
    """
    if len(der) > MAX_ANSWER_BYTES:
        raise DataRefused(Fault.TOO_LARGE, f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    try:
        answer = ocsp.load_der_ocsp_response(der)
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise DataRefused(Fault.NOT_SUCCESSFUL, f"the responder says {answer.response_status.name.lower()}")
        _require_responder(answer, issuer, now, vouched)
        _require_understood(answer)
        _require_nonce(answer, nonce)
        return _status(_about(answer, certificate, issuer), certificate, now)
    except READ_ERRORS:
        raise DataRefused(Fault.MALFORMED, "not an OCSP answer in DER, or a broken one") from None


def _require_responder(answer: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime, vouched: Vouched) -> None:
    """RFC 6960, 4.2.2.2: the issuer itself, or whom it delegated by a certificate of its own."""
    require_strong(answer.signature_algorithm_oid, answer.signature_hash_algorithm)
    for candidate in (issuer, *answer.certificates):
        if _is_named(answer, candidate):
            if candidate != issuer:
                _require_delegate(candidate, issuer, now, vouched)
            _require_signature(answer, candidate)
            return
    raise DataRefused(Fault.WRONG_RESPONDER, "it is by neither the issuer nor a responder whose certificate it bears")


def _is_named(answer: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    if answer.responder_name is not None:
        return answer.responder_name == candidate.subject
    # KeyHash is SHA-1 of the key (RFC 6960, 4.2.1): a name, no proof.
    return answer.responder_key_hash == _key_hash(candidate, hashes.SHA1())  # noqa: S303


def _require_delegate(responder: x509.Certificate, issuer: x509.Certificate, now: datetime, vouched: Vouched) -> None:
    if weakness(responder) is not None:
        raise DataRefused(Fault.WRONG_RESPONDER, "the responder's certificate is weak or malformed")
    try:
        responder.verify_directly_issued_by(issuer)
    except (InvalidSignature, *READ_ERRORS):
        raise DataRefused(Fault.WRONG_RESPONDER, "the responder was not delegated by the issuer") from None
    if not responder.not_valid_before_utc <= now <= responder.not_valid_after_utc:
        raise DataRefused(Fault.WRONG_RESPONDER, "the responder's certificate is out of date")
    if not _has_purpose(responder):
        raise DataRefused(Fault.WRONG_RESPONDER, "the responder's certificate is not one for OCSP")
    if not _needs_no_check(responder) and not vouched(responder):
        raise DataRefused(Fault.WRONG_RESPONDER, "whether the responder's certificate is revoked is not known")


def _has_purpose(responder: x509.Certificate) -> bool:
    try:
        purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _needs_no_check(responder: x509.Certificate) -> bool:
    """RFC 6960, 4.2.2.2.1."""
    return any(isinstance(extension.value, x509.OCSPNoCheck) for extension in responder.extensions)


def _require_signature(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    key, used = signer.public_key(), answer.signature_hash_algorithm
    if not isinstance(key, rsa.RSAPublicKey) or used is None:
        raise DataRefused(Fault.WEAK_SIGNATURE, "it is not signed by RSA")
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if answer.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
        scheme = padding.PSS(padding.MGF1(used), padding.PSS.AUTO)
    try:
        key.verify(answer.signature, answer.tbs_response_bytes, scheme, used)
    except InvalidSignature:
        raise DataRefused(Fault.BAD_SIGNATURE, "its signature does not hold") from None


def _require_understood(answer: ocsp.OCSPResponse) -> None:
    for extension in answer.extensions:
        if extension.critical and not isinstance(extension.value, x509.OCSPNonce):
            oid = extension.oid.dotted_string
            raise DataRefused(Fault.UNKNOWN_CRITICAL_EXTENSION, f"it has the critical extension {oid}")


def _require_nonce(answer: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    if nonce is None:
        return
    found = [one.value.nonce for one in answer.extensions if isinstance(one.value, x509.OCSPNonce)]
    if found != [nonce]:
        raise DataRefused(Fault.WRONG_NONCE, "it does not repeat the nonce that it was asked with")


def _about(
    answer: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    for single in answer.responses:
        algorithm = single.hash_algorithm
        expected = (_digest(algorithm, issuer.subject.public_bytes()), _key_hash(issuer, algorithm))
        named = (single.issuer_name_hash, single.issuer_key_hash)
        if named == expected and single.serial_number == certificate.serial_number:
            return single
    raise DataRefused(Fault.WRONG_CERTIFICATE, "it is about another certificate")


def _status(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, now: datetime) -> OcspStatus:
    this_update = single.this_update_utc
    next_update = single.next_update_utc or this_update + WITHOUT_NEXT_UPDATE
    if this_update > now + SKEW:
        raise DataRefused(Fault.FUTURE, "it is from a time that has not come: is the clock right?")
    if next_update < this_update:
        raise DataRefused(Fault.MALFORMED, "its nextUpdate lies before its thisUpdate")
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise DataRefused(Fault.NOT_SUCCESSFUL, "the responder does not know the certificate")
    return OcspStatus(
        certificate.serial_number, this_update, next_update, single.revocation_time_utc, single.revocation_reason
    )


def _key_hash(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    """Over the BIT STRING of the SubjectPublicKeyInfo (RFC 6960, 4.1.1): for RSA, PKCS #1's own form."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return b""
    return _digest(algorithm, key.public_bytes(Encoding.DER, PublicFormat.PKCS1))


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
