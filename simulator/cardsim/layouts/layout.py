"""What a layout is made of: the fixed part of a card, as data. ``build`` makes a file tree of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cardsim.behaviour import Behaviour
from cardsim.card import CardProtocol
from cardsim.ias_ecc.files import FileRules
from cardsim.ias_ecc.generation import Generation
from cardsim.ias_ecc.pins import PinPolicy
from cardsim.layouts.numbers import Numbers

EF_DIR, EF_ATR, EF_LAST_UPDATE = 0x2F00, 0x2F01, 0xD010
EF_ODF, EF_CIA_INFO = 0x5031, 0x5032
"""File identifiers that middlewares know without a directory; ISO 7816-4 and -15 fix all but D010."""


class KeyPurpose(enum.Enum):
    """Which of a card's two keys."""

    SIGNATURE = "signature"
    AUTHENTICATION = "authentication"


class ReferenceDataPurpose(enum.Enum):
    """Which of a card's two reference data."""

    PIN = "pin"
    PUK = "puk"


@dataclass(frozen=True, slots=True)
class Rules:
    """Access rules of the files.

    Args:
        administered: EF.DIR and EF.ATR.
        frozen: EF.SN.
        dedicated: the DFs.
        read_only: files under the application that anybody may read.
        updated_by_pin, read_by_pin: files that the PIN opens for writing, or for reading.
        certificate: the certificates.
    """

    administered: FileRules
    frozen: FileRules
    dedicated: FileRules
    read_only: FileRules
    updated_by_pin: FileRules
    read_by_pin: FileRules
    certificate: FileRules


@dataclass(frozen=True, slots=True)
class ApplicationEntry:
    """One entry of EF.DIR.

    Args:
        aid: application identifier.
        label: its label.
        contactless: it is the application that serves without contact; else the contact application.
        ddo_aid: AID in the discretionary data objects, or None without them.
    """

    aid: bytes
    label: str
    contactless: bool
    ddo_aid: bytes | None


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """A PIN or PUK: its directory entry and its object.

    Args:
        purpose: which.
        label: shown name.
        identifier: its authentication identifier in PKCS#15.
        authentication: identifier of what unblocks it, or None.
        object_flags: encoded common object flags.
        flags: encoded PIN flags.
        access_rules: encoded PKCS#15 access rules; none, and the entry has none.
        policy: which values it may have.
        stored_length, max_length: lengths that the directory tells.
        directory_pad: whether the directory names the pad character.
        directory_path: whether the directory gives the master file as its path.
        tries: maximum of the retry counter.
        uses: uses in the card's lifetime, or None where they are not counted.
        rule: compact access rule of the object.
        size_in_parameters: the object's control parameters tell its size too.
    """

    purpose: ReferenceDataPurpose
    label: str
    identifier: int
    authentication: int | None
    object_flags: bytes
    flags: bytes
    access_rules: tuple[bytes, ...]
    policy: PinPolicy
    stored_length: int
    max_length: int
    directory_pad: bool
    directory_path: bool
    tries: int
    uses: int | None
    rule: bytes
    size_in_parameters: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A private key: its directory entry, its certificate's, and its object.

    Args:
        purpose: which.
        label: shown name.
        identifier: PKCS#15 identifier that key and certificate share.
        object_flags, usage, access_flags: encoded BIT STRINGs.
        access_rules: encoded PKCS#15 access rules; none, and the entry has none.
        certificate_label: shown name of the certificate.
        rule: compact access rule of the object.
    """

    purpose: KeyPurpose
    label: str
    identifier: bytes
    object_flags: bytes
    usage: bytes
    access_flags: bytes
    access_rules: tuple[bytes, ...]
    certificate_label: str
    rule: bytes


@dataclass(frozen=True, slots=True)
class ContactlessFace:
    """What serves without contact: an answer to reset, and an application with one key that wants no PIN.

    Args:
        atr: answer to reset, as a PC/SC reader makes it of a card of ISO 14443-4.
        aid: DF name of its application.
        label: token label.
        key_label, certificate_label: shown names.
        identifier: PKCS#15 identifier that key and certificate share.
        object_flags, usage, access_flags: encoded BIT STRINGs.
        rules: of its files.
        key_rule, contactless_key_rule: compact access rules of the key object, for each interface.
    """

    atr: bytes
    aid: bytes
    label: str
    key_label: str
    certificate_label: str
    identifier: bytes
    object_flags: bytes
    usage: bytes
    access_flags: bytes
    rules: FileRules
    key_rule: bytes
    contactless_key_rule: bytes


@dataclass(frozen=True, slots=True)
class Environment:
    """A stored security environment: user authentication by a PIN or PUK, or templates as they stand.

    Args:
        number: 1 to 14.
        by: the reference data it asks for, or None.
        content: control reference templates where ``by`` is None.
    """

    number: int
    by: ReferenceDataPurpose | None
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything about a card that does not differ from holder to holder.

    Args:
        name: how a profile names it.
        generation: the commands it knows.
        atr: answer to reset.
        protocol: what it speaks.
        label: beginning of the token label, before the card number.
        numbers: its numbers, where a profile names no others.
        behaviour: its conduct, where a profile names no other.
        rules: access rules of the files.
        root_aid: DF name of the master file; empty where it has none.
        contact_aid: DF name of the contact application.
        ef_atr: content of EF.ATR.
        applications: entries of EF.DIR in their order.
        last_update: content of EF D010, or None without that file.
        manufacturer: of CIAInfo.
        info_flags: encoded card flags of CIAInfo.
        info_last_update: lastUpdate of CIAInfo as GeneralizedTime, or None without it.
        absolute_paths: whether the directories' paths begin at the master file; else they are empty or one identifier.
        object_flags: encoded common object flags of certificates and free data objects.
        certificate_access_rules: encoded PKCS#15 access rules of the certificates; none, and the entries have none.
        authority_label: shown name of the issuing authority's certificate, or None without it.
        reference_data: PIN and PUK in the order of their directory.
        keys: in the order of their directories.
        local_references: the key directory gives the keys' numbers with bit 8 set.
        environments: stored security environments.
        older_side: class A0 reaches the older side of the chip.
        contactless: its other interface, or None for a card with contacts only.
    """

    name: str
    generation: Generation
    atr: bytes
    protocol: CardProtocol
    label: str
    numbers: Numbers
    behaviour: Behaviour
    rules: Rules
    root_aid: bytes
    contact_aid: bytes
    ef_atr: bytes
    applications: tuple[ApplicationEntry, ...]
    last_update: bytes | None
    manufacturer: str
    info_flags: bytes
    info_last_update: str | None
    absolute_paths: bool
    object_flags: bytes
    certificate_access_rules: tuple[bytes, ...]
    authority_label: str | None
    reference_data: tuple[ReferenceData, ReferenceData]
    keys: tuple[Key, Key]
    local_references: bool
    environments: tuple[Environment, ...]
    older_side: bool
    contactless: ContactlessFace | None
