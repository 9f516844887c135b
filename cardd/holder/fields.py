"""Subject and extensions of a certificate, straight from its TBSCertificate (RFC 5280, 4.1).

A value that cannot be decoded is kept as absent, so that one hostile field hides no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cardd.holder import der
from cardd.holder.errors import DerError, MalformedCertificate

_VERSION_TAG: Final = 0xA0
_EXTENSIONS_TAG: Final = 0xA3


@dataclass(frozen=True, slots=True)
class NameAttribute:
    """One attribute of the subject.

    Args:
        oid: Dotted attribute type.
        text: Its value; None where the octets are no string that can be read.
    """

    oid: str
    text: str | None


@dataclass(frozen=True, slots=True)
class RawExtension:
    """One extension, undecoded.

    Args:
        oid: Dotted extension type.
        value: What its extnValue holds.
    """

    oid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class CertificateFields:
    """What names a holder in a certificate.

    Args:
        subject: Attributes in the order of the DER; those of a multi-valued RDN (a SET) follow one another.
        extensions: In the order of the DER.
        complete: False where the list of extensions breaks off at bytes that are not DER.
    """

    subject: tuple[NameAttribute, ...]
    extensions: tuple[RawExtension, ...]
    complete: bool


def read_fields(tbs_certificate: bytes) -> CertificateFields:
    """Subject and extensions of a TBSCertificate.

    Args:
        tbs_certificate: Its DER, tag and length included.

    Raises:
        MalformedCertificate: The structure or the subject cannot be read.
    """
    try:
        members = _tbs_members(tbs_certificate)
        subject = _subject(members[4])
    except DerError as error:
        raise MalformedCertificate(f"the subject cannot be read: {error}") from error
    extensions, complete = _extensions(members[6:])
    return CertificateFields(subject, extensions, complete)


def _tbs_members(tbs_certificate: bytes) -> list[der.Element]:
    """Serial number, signature, issuer, validity, subject, subjectPublicKeyInfo, then what is optional."""
    members = list(der.elements(der.single(tbs_certificate, der.SEQUENCE)))
    if members and members[0].tag == _VERSION_TAG:
        del members[0]
    if len(members) < 6:
        raise DerError("TBSCertificate too short", 0)
    return members


def _subject(name: der.Element) -> tuple[NameAttribute, ...]:
    attributes: list[NameAttribute] = []
    for rdn in der.elements(der.tagged(name, der.SEQUENCE)):
        for pair in der.elements(der.tagged(rdn, der.SET)):
            members = list(der.elements(der.tagged(pair, der.SEQUENCE)))
            if len(members) != 2:
                raise DerError("attribute is not a type and a value", pair.offset)
            oid = der.object_identifier(der.tagged(members[0], der.OBJECT_IDENTIFIER))
            attributes.append(NameAttribute(oid, _text(members[1])))
    return tuple(attributes)


def _text(value: der.Element) -> str | None:
    try:
        return der.string(value)
    except DerError:
        return None  # its field is reported as unreadable by whoever needs it


def _extensions(optional: Sequence[der.Element]) -> tuple[tuple[RawExtension, ...], bool]:
    found: list[RawExtension] = []
    try:
        for member in optional:
            if member.tag == _EXTENSIONS_TAG:
                for extension in der.elements(der.single(member.value, der.SEQUENCE)):
                    found.append(_extension(extension))
    except DerError:
        return tuple(found), False
    return tuple(found), True


def _extension(extension: der.Element) -> RawExtension:
    """One Extension: extnID, critical (left out when false), extnValue."""
    members = list(der.elements(der.tagged(extension, der.SEQUENCE)))
    if len(members) == 3:
        der.tagged(members.pop(1), der.BOOLEAN)
    if len(members) != 2:
        raise DerError("Extension is not an identifier and a value", extension.offset)
    oid = der.object_identifier(der.tagged(members[0], der.OBJECT_IDENTIFIER))
    return RawExtension(oid, der.tagged(members[1], der.OCTET_STRING))
