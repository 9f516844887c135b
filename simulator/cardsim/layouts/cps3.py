"""The CPS3 on its contact interface: file numbers, rules, references and fixed contents as published from real cards.

Lines marked GUESS were never published; each would be settled by reading the named file of a real card.
"""

from __future__ import annotations

from cardsim import pkcs15
from cardsim.ias_ecc.files import MASTER_FILE, DedicatedFile, ElementaryFile, FileRules
from cardsim.ias_ecc.keys import PrivateKeyObject
from cardsim.ias_ecc.pins import Pin, PinPolicy
from cardsim.ias_ecc.security_environment import StoredEnvironment
from cardsim.identifiers import card_serial_value
from cardsim.layouts.content import CardContent

ATR = bytes.fromhex("3BAC00402A001225006480000310009000")
"""T=0 only, default speed, 12 historical bytes."""

ROOT_AID = bytes.fromhex("8025000001FF0100")
CONTACT_AID = bytes.fromhex("E828BD080F8025000001FF0010")
CONTACTLESS_AID = bytes.fromhex("E828BD080F8025000001FF0020")

EF_DIR, EF_ATR, EF_SN = 0x2F00, 0x2F01, 0xD003
CONTACT_DF, CONTACTLESS_DF = 0x0001, 0x0002
EF_ODF, EF_CIA_INFO, EF_CERTIFICATES = 0x5031, 0x5032, 0x7005
# GUESS: 7002 and 7006, by the numbering of OpenSC's IAS profiles; A002, next to the published A001. EF.ODF settles.
EF_PINS, EF_KEYS, EF_DATA = 0x7001, 0x7002, 0x7006
EF_SIGNATURE_CERTIFICATE, EF_AUTHENTICATION_CERTIFICATE = 0xA001, 0xA002

PIN_REFERENCE, PUK_REFERENCE = 0x01, 0x02
SIGNATURE_KEY, AUTHENTICATION_KEY = 0x01, 0x02
KEY_REFERENCE_LOCAL = 0x80

ATR_CONTENT = bytes.fromhex(
    "804301B8460404B0ECC147039401804F088025000001FF0100E01002020104020201040202010002020100780806062B8122F8780282029000"
)
"""EF.ATR, with its stray category byte 80 in front, tag 4F with the root AID, and the four sizes of tag E0."""

_ADMINISTERED = FileRules(bytes.fromhex("7B45FFFFFF4500"), bytes.fromhex("7BFFFFFFFFFF00"))
_FROZEN = FileRules(bytes.fromhex("7BFFFFFFFFFF00"), bytes.fromhex("7BFFFFFFFFFF00"))
_DF_RULES = FileRules(bytes.fromhex("7AFFFFFFFF45"))
# GUESS: the rules of the files below; their FCP settles them.
_CONTACT_ONLY = FileRules(bytes.fromhex("7B45FFFFFF4500"), bytes.fromhex("7BFFFFFFFFFFFF"))
_UPDATED_BY_PIN = FileRules(bytes.fromhex("7B45FFFFFF1100"), bytes.fromhex("7BFFFFFFFFFFFF"))
_READ_BY_PIN = FileRules(bytes.fromhex("7B45FFFFFF4511"), bytes.fromhex("7BFFFFFFFFFFFF"))

PIN_POLICY = PinPolicy(min_length=4, max_length=4, stored_length=8)
PUK_POLICY = PinPolicy(min_length=8, max_length=8, stored_length=8)
PIN_TRIES, PUK_TRIES, PUK_USES = 3, 10, 100

_PIN_ENTRY = pkcs15.PinEntry("Code porteur de la carte CPS", 1, 2, bytes.fromhex("0303040C10"), 4, 8, 4, 1, 0xFF)
_PUK_ENTRY = pkcs15.PinEntry(
    "Code de déblocage de la carte CPS", 4, None, bytes.fromhex("0303041D10"), 8, 8, 8, 2, None
)
_PUK_IDENTIFIER = 4

MANUFACTURER = "ASIP SANTE"
LAST_UPDATE = "20100316110000Z"


def master_file(content: CardContent) -> DedicatedFile:
    """The file tree of one card, as its contact interface shows it."""
    root = DedicatedFile(MASTER_FILE, ROOT_AID, _DF_RULES)
    root.add(
        ElementaryFile(EF_DIR, bytearray(_applications()), _ADMINISTERED, sfi=0x1E),
        ElementaryFile(EF_ATR, bytearray(ATR_CONTENT), _ADMINISTERED, sfi=0x1D),
        ElementaryFile(EF_SN, bytearray(card_serial_value(content.serial)), _FROZEN, sfi=0x1C),
        _contact_application(content),
        # Its files are for the contactless interface: from the contacts there is nothing in it.
        DedicatedFile(CONTACTLESS_DF, CONTACTLESS_AID, _DF_RULES),
    )
    root.install(*_pins(content), *_environments())
    return root


def _applications() -> bytes:
    """EF.DIR: the contactless entry first, and both with the contact AID in their DDO, as published."""
    contactless = pkcs15.Application(CONTACTLESS_AID, "CPX IAS CL", (MASTER_FILE, CONTACTLESS_DF), CONTACT_AID)
    contact = pkcs15.Application(CONTACT_AID, "CPX IAS", (MASTER_FILE, CONTACT_DF), CONTACT_AID)
    return contactless.encode() + contact.encode()


def _contact_application(content: CardContent) -> DedicatedFile:
    directory = DedicatedFile(CONTACT_DF, CONTACT_AID, _DF_RULES)
    odf = pkcs15.object_directory(((0xA8, EF_PINS), (0xA0, EF_KEYS), (0xA4, EF_CERTIFICATES), (0xA7, EF_DATA)))
    info = pkcs15.cia_info(content.label, MANUFACTURER, LAST_UPDATE)
    directory.add(
        ElementaryFile(EF_ODF, bytearray(odf), _CONTACT_ONLY),
        ElementaryFile(EF_CIA_INFO, bytearray(info), _CONTACT_ONLY),
        ElementaryFile(EF_PINS, bytearray(pin_directory()), _CONTACT_ONLY),
        ElementaryFile(EF_KEYS, bytearray(key_directory(content)), _CONTACT_ONLY),
        ElementaryFile(EF_CERTIFICATES, bytearray(certificate_directory()), _CONTACT_ONLY),
        ElementaryFile(EF_DATA, bytearray(data_directory(content)), _CONTACT_ONLY),
        ElementaryFile(EF_SIGNATURE_CERTIFICATE, bytearray(content.signature.certificate), _UPDATED_BY_PIN),
        ElementaryFile(EF_AUTHENTICATION_CERTIFICATE, bytearray(content.authentication.certificate), _UPDATED_BY_PIN),
    )
    for item in content.data_objects:
        rules = _READ_BY_PIN if item.private else _UPDATED_BY_PIN if item.writable else _CONTACT_ONLY
        directory.add(ElementaryFile(item.fid, bytearray(item.content), rules))
    # GUESS: the rules of the keys, from the uses that middlewares make of them; GET DATA A0 of each key settles them.
    directory.install(
        PrivateKeyObject(SIGNATURE_KEY, content.signature.key, bytes.fromhex("4311FF00")),
        PrivateKeyObject(AUTHENTICATION_KEY, content.authentication.key, bytes.fromhex("331111FF00")),
    )
    return directory


def _pins(content: CardContent) -> tuple[Pin, Pin]:
    return (
        Pin(
            PIN_REFERENCE,
            PIN_POLICY,
            PIN_POLICY.pad_digits(content.pin),
            PIN_TRIES,
            content.pin_tries_left,
            bytes.fromhex("F3000013FF00"),
        ),
        Pin(
            PUK_REFERENCE,
            PUK_POLICY,
            PUK_POLICY.pad_digits(content.puk),
            PUK_TRIES,
            content.puk_tries_left,
            bytes.fromhex("F3FF00FFFF00"),
            PUK_USES,
        ),
    )


def _environments() -> tuple[StoredEnvironment, ...]:
    """SE 1: by PIN; SE 3: by PUK; SE 5: mutual authentication with an administration key.

    GUESS: their contents; GET DATA 7B of each at the master file settles them.
    """
    return (
        StoredEnvironment(1, bytes.fromhex("A406950108830101")),
        StoredEnvironment(3, bytes.fromhex("A406950108830102")),
        StoredEnvironment(5, bytes.fromhex("A40983018180010C9501C0")),
    )


def pin_directory() -> bytes:
    """EF 7001, 189 bytes as published: the PIN's unblocking identifier (02) is not the PUK's (04)."""
    return _PIN_ENTRY.encode(changed_by=_PUK_IDENTIFIER) + _PUK_ENTRY.encode(changed_by=None)


def key_directory(content: CardContent) -> bytes:
    """EF 7002. GUESS: the encoding; the attributes are published, 7002 of a real card settles the bytes."""
    signature = pkcs15.PrivateKeyEntry(
        "CPS_PRIV_SIG",
        pkcs15.PRIVATE,
        PIN_REFERENCE,
        (pkcs15.access_rule(pkcs15.ACCESS_PSO_CDS, pkcs15.by(PIN_REFERENCE)),),
        CONTACT_AID + bytes([SIGNATURE_KEY]),
        bytes.fromhex("0303060040"),
        bytes.fromhex("030204B0"),
        KEY_REFERENCE_LOCAL | SIGNATURE_KEY,
        content.signature.key.size * 8,
    )
    authentication = pkcs15.PrivateKeyEntry(
        "CPS_PRIV_AUT",
        bytes.fromhex("030205E0"),
        PIN_REFERENCE,
        (
            pkcs15.access_rule(pkcs15.ACCESS_PSO_DECIPHER, pkcs15.by(PIN_REFERENCE)),
            pkcs15.access_rule(pkcs15.ACCESS_INTERNAL_AUTHENTICATE, pkcs15.by(PIN_REFERENCE)),
        ),
        CONTACT_AID + bytes([AUTHENTICATION_KEY]),
        bytes.fromhex("03020560"),
        bytes.fromhex("030204B0"),
        KEY_REFERENCE_LOCAL | AUTHENTICATION_KEY,
        content.authentication.key.size * 8,
    )
    return signature.encode() + authentication.encode()


def certificate_directory() -> bytes:
    """EF 7005: identifiers are the AID and the key's number."""
    entries = (
        ("Certificat de Signature CPS", SIGNATURE_KEY, EF_SIGNATURE_CERTIFICATE),
        ("Certificat d'Authentification CPS", AUTHENTICATION_KEY, EF_AUTHENTICATION_CERTIFICATE),
    )
    return b"".join(
        pkcs15.certificate_entry(label, PIN_REFERENCE, CONTACT_AID + bytes([number]), fid)
        for label, number, fid in entries
    )


def data_directory(content: CardContent) -> bytes:
    """EF 7006: the professional data objects, application name CPS."""
    return b"".join(
        pkcs15.data_entry(item.label, "CPS", item.fid, PIN_REFERENCE if item.private else None)
        for item in content.data_objects
    )
