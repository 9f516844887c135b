"""PKCS#15 directories (ISO 7816-15) as a CPS3 holds them, odd bytes included.

Real cards carry BIT STRINGs that no strict DER reader takes (``03 01 08``, ``03 02 08 00``): eight unused bits. They
are written here as published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cardsim.tlv import encode

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_IDENTIFIER = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTF8_STRING, GENERALIZED_TIME, SEQUENCE = 0x0A, 0x0C, 0x18, 0x30
CONTEXT_0, CONTEXT_1, CONTEXT_2, CONTEXT_5 = 0xA0, 0xA1, 0xA2, 0xA5

NO_FLAGS_SHORT = bytes.fromhex("030108")
"""Common object flags of the PIN objects, as published: a BIT STRING of no byte with eight unused bits."""
NO_FLAGS = bytes.fromhex("03020800")
"""Common object flags of the certificates, as published: a zero byte with eight unused bits."""
PRIVATE = bytes.fromhex("03020780")
"""Common object flags: private."""

ACCESS_READ = bytes.fromhex("03020780")
ACCESS_UPDATE = bytes.fromhex("03020640")
ACCESS_READ_SHORT = bytes.fromhex("03020520")
"""Access mode of the PIN objects' first rule, as published."""
ACCESS_PIN_CHANGE = bytes.fromhex("03020308")
ACCESS_PSO_CDS = bytes.fromhex("03020204")
ACCESS_PSO_DECIPHER = bytes.fromhex("03020001")
ACCESS_INTERNAL_AUTHENTICATE = bytes.fromhex("0303060040")
ALWAYS = bytes.fromhex("0500")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One supported algorithm of CIAInfo: reference, PKCS#11 mechanism, operations, OID and card reference."""

    reference: int
    mechanism: int
    operations: bytes
    oid: bytes
    card_reference: int

    def encode(self) -> bytes:
        """SEQUENCE { reference, algorithm, parameters NULL, supportedOperations, objId, algRef }."""
        return encode(
            SEQUENCE,
            integer(self.reference),
            integer(self.mechanism),
            encode(NULL),
            self.operations,
            encode(OBJECT_IDENTIFIER, self.oid),
            integer(self.card_reference),
        )


_COMPUTE_SIGNATURE = bytes.fromhex("03020640")
_HASH = bytes.fromhex("03020102")
_DECIPHER = bytes.fromhex("03020204")

ALGORITHMS = (
    Algorithm(1, 0x0220, _HASH, bytes.fromhex("2B0E03021A"), 0x10),
    Algorithm(2, 0x0250, _HASH, bytes.fromhex("608648016503040201"), 0x40),
    Algorithm(3, 0x0006, _COMPUTE_SIGNATURE, bytes.fromhex("2A864886F70D010105"), 0x12),
    Algorithm(4, 0x0040, _COMPUTE_SIGNATURE, bytes.fromhex("2A864886F70D01010B"), 0x42),
    Algorithm(5, 0x0001, _COMPUTE_SIGNATURE, bytes.fromhex("2A864886F70D010101"), 0x02),
    Algorithm(6, 0x0001, _DECIPHER, bytes.fromhex("2A864886F70D010101"), 0x1A),
)
"""SHA-1, SHA-256, SHA-1 with RSA, SHA-256 with RSA, RSA signature, RSA decipherment.

GUESS: the card references of 5 and 6; the CIAInfo of a real card settles them.
"""


def integer(value: int) -> bytes:
    """A non-negative INTEGER: a leading zero byte where the highest bit is set."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def text(value: str) -> bytes:
    """UTF8String."""
    return encode(UTF8_STRING, value.encode("utf-8"))


def path(*fids: int) -> bytes:
    """Path: SEQUENCE of one OCTET STRING with the file identifiers; none is the empty path ``30 02 04 00``."""
    return encode(SEQUENCE, encode(OCTET_STRING, b"".join(fid.to_bytes(2, "big") for fid in fids)))


def access_rule(mode: bytes, condition: bytes) -> bytes:
    """AccessControlRule: modes as a BIT STRING, and NULL (always) or the identifier of an authentication object."""
    return encode(SEQUENCE, mode, condition)


def access_rules(rules: Iterable[bytes]) -> bytes:
    """The SEQUENCE of encoded access rules; nothing where there are none."""
    encoded = b"".join(rules)
    return encode(SEQUENCE, encoded) if encoded else b""


def by(identifier: int) -> bytes:
    """Security condition: the authentication object of that identifier."""
    return encode(OCTET_STRING, bytes([identifier]))


# EF.DIR


@dataclass(frozen=True, slots=True)
class Application:
    """One application template of EF.DIR.

    Args:
        aid: application identifier.
        label: its label.
        path: file identifiers from the MF.
        ddo_aid: AID inside the discretionary data objects, or None without them.
    """

    aid: bytes
    label: str
    path: tuple[int, ...]
    ddo_aid: bytes | None

    def encode(self) -> bytes:
        """Template 61 with 4F, 50, 51, 73 in that order, which OpenSC needs."""
        ddo = b"" if self.ddo_aid is None else encode(0x73, encode(0x4F, self.ddo_aid))
        where = b"".join(fid.to_bytes(2, "big") for fid in self.path)
        return encode(0x61, encode(0x4F, self.aid), encode(0x50, self.label.encode()), encode(0x51, where), ddo)


# ODF and CIAInfo


def object_directory(entries: Iterable[tuple[int, tuple[int, ...]]]) -> bytes:
    """EF.OD: for each context tag the path of a directory."""
    return b"".join(encode(tag, path(*where)) for tag, where in entries)


def cia_info(label: str, manufacturer: str, flags: bytes, last_update: str | None) -> bytes:
    """EF.CIAInfo: version 1, no serial number.

    Args:
        label: token label.
        manufacturer: manufacturer identifier.
        flags: card flags, an encoded BIT STRING.
        last_update: GeneralizedTime, as ``20100316110000Z``, or None without it.
    """
    updated = b"" if last_update is None else encode(CONTEXT_5, encode(GENERALIZED_TIME, last_update.encode()))
    return encode(
        SEQUENCE,
        integer(0),
        text(manufacturer),
        encode(0x80, label.encode()),
        flags,
        encode(CONTEXT_2, *(algorithm.encode() for algorithm in ALGORITHMS)),
        updated,
    )


# Authentication objects


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One entry of the PIN directory.

    Args:
        label: shown name.
        object_flags: common object flags, an encoded BIT STRING.
        authentication: identifier of the object that unblocks it, or None.
        rules: encoded access rules; none, and the entry has none.
        identifier: its authentication identifier.
        flags: PIN flags, an encoded BIT STRING.
        min_length, stored_length, max_length: in bytes.
        reference: P2 of VERIFY.
        pad: padding byte, or None.
        path: file identifiers of the DF it is known in, or None.
    """

    label: str
    object_flags: bytes
    authentication: int | None
    rules: tuple[bytes, ...]
    identifier: int
    flags: bytes
    min_length: int
    stored_length: int
    max_length: int
    reference: int
    pad: int | None
    path: tuple[int, ...] | None

    def encode(self) -> bytes:
        """AuthenticationObject { common, class, PIN attributes }."""
        authentication = b"" if self.authentication is None else by(self.authentication)
        attributes = encode(
            SEQUENCE,
            self.flags,
            encode(ENUMERATED, b"\x01"),
            integer(self.min_length),
            integer(self.stored_length),
            integer(self.max_length),
            encode(0x80, bytes([self.reference])),
            b"" if self.pad is None else encode(OCTET_STRING, bytes([self.pad])),
            b"" if self.path is None else path(*self.path),
        )
        common = encode(SEQUENCE, text(self.label), self.object_flags, authentication, access_rules(self.rules))
        return encode(SEQUENCE, common, encode(SEQUENCE, by(self.identifier)), encode(CONTEXT_1, attributes))


# Keys, certificates, data


@dataclass(frozen=True, slots=True)
class PrivateKeyEntry:
    """One entry of the private key directory.

    Args:
        label: shown name.
        flags: common object flags, an encoded BIT STRING.
        user: identifier of the PIN, or None where it needs none.
        rules: encoded access rules; none, and the entry has none.
        identifier: the key's identifier.
        usage: key usage, an encoded BIT STRING.
        native: access flags, an encoded BIT STRING.
        reference: value of the INTEGER that is the key reference.
        path: file identifiers of its DF; none is the empty path, as with the AID in EF.DIR's discretionary data.
        modulus_bits: size of the modulus.
    """

    label: str
    flags: bytes
    user: int | None
    rules: tuple[bytes, ...]
    identifier: bytes
    usage: bytes
    native: bytes
    reference: bytes
    path: tuple[int, ...]
    modulus_bits: int

    def encode(self) -> bytes:
        """PrivateKeyObject { common, class, RSA attributes }."""
        user = b"" if self.user is None else by(self.user)
        common = encode(SEQUENCE, text(self.label), self.flags, user, access_rules(self.rules))
        reference = encode(INTEGER, self.reference)
        key = encode(SEQUENCE, encode(OCTET_STRING, self.identifier), self.usage, self.native, reference)
        attributes = encode(CONTEXT_1, encode(SEQUENCE, path(*self.path), integer(self.modulus_bits)))
        return encode(SEQUENCE, common, key, attributes)


def certificate_entry(
    label: str, flags: bytes, rules: tuple[bytes, ...], identifier: bytes, where: tuple[int, ...]
) -> bytes:
    """CertificateObject of a holder's certificate.

    Args:
        label: shown name.
        flags: common object flags, an encoded BIT STRING.
        rules: encoded access rules; none, and the entry has none.
        identifier: that of its key.
        where: path of its file.
    """
    return encode(
        SEQUENCE,
        encode(SEQUENCE, text(label), flags, access_rules(rules)),
        encode(SEQUENCE, encode(OCTET_STRING, identifier)),
        encode(CONTEXT_1, encode(SEQUENCE, path(*where))),
    )


AUTHORITY_IDENTIFIER = b"\x0c"


def authority_entry(label: str, flags: bytes, where: tuple[int, ...]) -> bytes:
    """CertificateObject of an authority's certificate (authority TRUE); arguments as ``certificate_entry``."""
    return encode(
        SEQUENCE,
        encode(SEQUENCE, text(label), flags),
        encode(SEQUENCE, encode(OCTET_STRING, AUTHORITY_IDENTIFIER), encode(BOOLEAN, b"\xff")),
        encode(CONTEXT_1, encode(SEQUENCE, path(*where))),
    )


def data_entry(label: str, flags: bytes, application: str, where: tuple[int, ...]) -> bytes:
    """DataObject.

    Args:
        label: shown name.
        flags: encoded common object flags; a private object's are followed by the identifier of its PIN.
        application: application name.
        where: path of its file.
    """
    return encode(
        SEQUENCE,
        encode(SEQUENCE, text(label), flags),
        encode(SEQUENCE, text(application)),
        encode(CONTEXT_1, path(*where)),
    )
