"""What the directories of the card hold: PKCS#15 objects as frozen dataclasses (ISO 7816-15)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cardd_drivers.ias_ecc.commands import MASTER_FILE


@dataclass(frozen=True, slots=True)
class Path:
    """Where an object lies (ISO 7816-15 8.2.3).

    Args:
        value: file identifiers, two bytes each; relative to the application unless it begins with 3F00; may be empty.
        index: first byte in the file.
        length: bytes from there, or None for all.
    """

    value: bytes
    index: int = 0
    length: int | None = None

    @property
    def absolute(self) -> bool:
        """It begins at the MF."""
        return self.value.startswith(MASTER_FILE)


@dataclass(frozen=True, slots=True)
class Application:
    """An application template of EF.DIR (ISO 7816-15 9.4).

    Args:
        aid: DF name.
        label: for people; possibly empty.
        path: of its DF, from 3F00, or None where EF.DIR has none.
    """

    aid: bytes
    label: str
    path: bytes | None


class Directory(enum.IntEnum):
    """Kinds of directory that the ODF points to, by their tag (ISO 7816-15 8.3)."""

    PRIVATE_KEYS = 0xA0
    CERTIFICATES = 0xA4
    DATA_OBJECTS = 0xA7
    AUTHENTICATION_OBJECTS = 0xA8


@dataclass(frozen=True, slots=True)
class ObjectAttributes:
    """What every object has (ISO 7816-15 8.2.8).

    Args:
        label: for people; possibly empty.
        auth_id: identifier of the PIN that protects it (or of what unblocks it, for a PIN), or None.
        user_consent: uses that one presentation of the PIN is good for, or None for no limit.
    """

    label: str
    auth_id: bytes | None
    user_consent: int | None


class PinFlag(enum.IntEnum):
    """Bits of pinFlags (ISO 7816-15 8.9.3)."""

    LOCAL = 1
    NEEDS_PADDING = 5
    UNBLOCKING_PIN = 6
    SO_PIN = 7


class PinType(enum.IntEnum):
    """How the characters are coded (ISO 7816-15 8.9.3)."""

    BCD = 0
    ASCII_NUMERIC = 1
    UTF8 = 2
    HALF_NIBBLE_BCD = 3
    ISO_9564_1 = 4


@dataclass(frozen=True, slots=True)
class PinObject:
    """An entry of the AODF: a PIN or a PUK (ISO 7816-15 8.9.3).

    Args:
        attributes: label; `auth_id` names what unblocks it.
        identifier: its own authId.
        flags: the pinFlags that are set.
        type: coding of the characters.
        minimum, maximum: number of characters.
        stored: length of the padded block in bytes.
        reference: number for VERIFY; the card keeps a global one unless bit 8 is set.
        pad: pad character, or None.
        path: DF in which a local one is known, or None.
    """

    attributes: ObjectAttributes
    identifier: bytes
    flags: frozenset[int]
    type: PinType
    minimum: int
    maximum: int
    stored: int
    reference: int
    pad: int | None
    path: Path | None

    @property
    def unblocks(self) -> bool:
        """It is flagged as what unblocks others, or as the issuer's own."""
        return bool(self.flags & {PinFlag.UNBLOCKING_PIN, PinFlag.SO_PIN})

    @property
    def local(self) -> bool:
        """It is known in one DF only (bit 8 of the reference: ISO 7816-4 table 93)."""
        return PinFlag.LOCAL in self.flags or bool(self.reference & 0x80)


class KeyUsage(enum.IntEnum):
    """Bits of usage (ISO 7816-15 8.2.9)."""

    DECIPHER = 1
    SIGN = 2
    UNWRAP = 5
    NON_REPUDIATION = 9


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA entry of the PrKDF (ISO 7816-15 8.4).

    Args:
        attributes: label, PIN, consent.
        identifier: shared with its certificate.
        usage: the usage bits that are set.
        reference: number for MSE SET, or None.
        path: DF in which it is known; empty for the application's.
        modulus_bits: size of the modulus in bits.
    """

    attributes: ObjectAttributes
    identifier: bytes
    usage: frozenset[int]
    reference: int | None
    path: Path
    modulus_bits: int

    @property
    def modulus_size(self) -> int:
        """Size of the modulus in bytes."""
        return (self.modulus_bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 entry of the CDF (ISO 7816-15 8.7): label, identifier shared with its key, path of the DER file."""

    attributes: ObjectAttributes
    identifier: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class DataObject:
    """An opaque entry of the DODF (ISO 7816-15 8.8): label, protection, path of its file."""

    attributes: ObjectAttributes
    path: Path


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An entry of supportedAlgorithms (ISO 7816-15 8.10).

    Args:
        operations: bits of what it does.
        oid: dotted, or None.
        reference: number for MSE SET, or None.
    """

    operations: frozenset[int]
    oid: str | None
    reference: int | None


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """EF.TokenInfo, alias EF.CIAInfo (ISO 7816-15 8.10): label of the card and what it computes."""

    label: str
    algorithms: tuple[Algorithm, ...]
