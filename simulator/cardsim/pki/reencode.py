"""Certificates that no ordinary builder makes: spoilt DER, T61String names."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from cardsim import tlv
from cardsim.pki.authorities import SHA256

SEQUENCE, BIT_STRING, UTF8_STRING, T61_STRING = 0x30, 0x03, 0x0C, 0x14
_CONSTRUCTED = 0x20
_SUBJECT = 5
"""Place of the subject in TBSCertificate: version, serial, algorithm, issuer, validity, subject."""


def spoil_length(certificate: x509.Certificate) -> bytes:
    """Make the length of TBSCertificate reach past the end; the outer length stays right."""
    der = bytearray(certificate.public_bytes(Encoding.DER))
    # 30 82 hh ll 30 82 hh ll: the second pair of length bytes.
    der[6] |= 0x7F
    return bytes(der)


def with_t61_subject(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> bytes:
    """Write the subject's UTF8Strings as T61String in Latin-1, and sign again.

    Args:
        certificate: what to change.
        key: the issuer's key.
    """
    fields = tlv.parse(tlv.parse(certificate.tbs_certificate_bytes)[0].value)
    fields[_SUBJECT] = _as_t61(fields[_SUBJECT])
    signed = tlv.encode(SEQUENCE, *(item.encode() for item in fields))
    algorithm = tlv.parse(tlv.parse(certificate.public_bytes(Encoding.DER))[0].value)[1]
    signature = key.sign(signed, padding.PKCS1v15(), SHA256)
    return tlv.encode(SEQUENCE, signed, algorithm.encode(), tlv.encode(BIT_STRING, b"\x00", signature))


def _as_t61(item: tlv.Tlv) -> tlv.Tlv:
    if item.tag & _CONSTRUCTED:
        return tlv.Tlv(item.tag, b"".join(_as_t61(inner).encode() for inner in tlv.parse(item.value)))
    if item.tag == UTF8_STRING:
        return tlv.Tlv(T61_STRING, item.value.decode("utf-8").encode("latin-1"))
    return item
