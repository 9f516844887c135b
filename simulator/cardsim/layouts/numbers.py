"""The numbers of a layout that were never published, or that cards may have otherwise: files, keys, PINs.

A driver finds every one of them in the card's directories, and fails on a card of other numbers if it does not look.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from cardsim.ias_ecc.keys import LOCAL


class KeyReferenceForm(enum.Enum):
    """How the key directory writes a reference whose highest bit is set."""

    TWO_BYTES = "two-bytes"
    """``02 02 00 81``: a non-negative INTEGER."""
    NEGATIVE = "negative"
    """``02 01 81``: a negative one, as some personalisations write it."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """File identifiers, key numbers and PIN references of one card.

    Args:
        application, contactless_application: DFs of the two applications, directly under the master file.
        pin_directory, key_directory, certificate_directory, authority_directory, data_directory: EFs that the ODF
            points to (the fourth only where the layout has certificates of authorities).
        signature_certificate, authentication_certificate, authority_certificate: EFs of the certificates.
        id_card, name, language, info: EFs of the free data objects.
        contactless_key_directory, contactless_certificate_directory, technical_certificate: EFs under the contactless
            application's DF.
        signature_key, authentication_key, technical_key: key numbers 1 to 31, the last under the contactless
            application's DF; the key reference is the number with bit 8 set.
        pin, puk: references 1 to 31.
        key_references: how the key directory writes key references.
    """

    application: int = 0x0001
    contactless_application: int = 0x0002
    # GUESS: 7002 and 7006, by the numbering of OpenSC's IAS profiles; A002, next to the published A001; D101 to D104
    # for the data objects. The ODF and the directories of a real card settle them.
    pin_directory: int = 0x7001
    key_directory: int = 0x7002
    certificate_directory: int = 0x7005
    authority_directory: int = 0x7007
    data_directory: int = 0x7006
    signature_certificate: int = 0xA001
    authentication_certificate: int = 0xA002
    authority_certificate: int = 0xA003
    id_card: int = 0xD101
    name: int = 0xD102
    language: int = 0xD103
    info: int = 0xD104
    # GUESS: those without contact, by the numbering of the others; the agency's library follows the directories.
    contactless_key_directory: int = 0x7002
    contactless_certificate_directory: int = 0x7005
    technical_certificate: int = 0xA001
    signature_key: int = 0x01
    authentication_key: int = 0x02
    technical_key: int = 0x01
    pin: int = 0x01
    puk: int = 0x02
    key_references: KeyReferenceForm = KeyReferenceForm.TWO_BYTES

    def key_reference(self, number: int, *, local: bool) -> bytes:
        """Value of the INTEGER of a key directory: with the highest bit set it has a zero byte before it, or is a
        negative one.

        Args:
            number: key number.
            local: with bit 8 set.
        """
        reference = number | (LOCAL if local else 0)
        if self.key_references is KeyReferenceForm.NEGATIVE:
            return bytes([reference])
        return reference.to_bytes(reference.bit_length() // 8 + 1, "big")


APPLICATIONS = ("application", "contactless_application")
KEY_NUMBERS = ("signature_key", "authentication_key")
CONTACTLESS_KEY_NUMBERS = ("technical_key",)
CONTACTLESS_FILE_NUMBERS = ("contactless_key_directory", "contactless_certificate_directory", "technical_certificate")
"""The EFs under the contactless application's DF."""
PIN_REFERENCES = ("pin", "puk")
FILE_NUMBERS = tuple(
    field.name
    for field in fields(Numbers)
    if field.name
    not in (
        *APPLICATIONS,
        *KEY_NUMBERS,
        *CONTACTLESS_KEY_NUMBERS,
        *CONTACTLESS_FILE_NUMBERS,
        *PIN_REFERENCES,
        "key_references",
    )
)
"""The EFs under the contact application's DF."""
