"""Object identifiers of the certificates of French health professionals.

Sources: X.520 for attributes of names; for extensions, the arc 1.2.250.1.71 of the issuer of health professionals'
cards, as certificates published by it carry them.
"""

from __future__ import annotations

from typing import Final

# X.520 attributes of a subject.
COMMON_NAME: Final = "2.5.4.3"
SURNAME: Final = "2.5.4.4"
ORGANIZATION: Final = "2.5.4.10"
ORGANIZATIONAL_UNIT: Final = "2.5.4.11"
GIVEN_NAME: Final = "2.5.4.42"

# Private extensions, none critical.
PRIVATE_ARC: Final = "1.2.250.1.71."
CARD_TYPE: Final = "1.2.250.1.71.1.2.2"
"""gipCardType: INTEGER, a code of table G02."""
CARD_ID: Final = "1.2.250.1.71.1.2.3"
"""PrintableString: ten digits of the issuer, a slash, ten digits of the card."""
CARD_CATEGORY: Final = "1.2.250.1.71.1.2.5"
"""OCTET STRING of one byte, a code of table G01 (hexadecimal)."""
PROFESSION: Final = "1.2.250.1.71.1.2.7"
"""INTEGER, a code of table G15."""
FUTURE_PROFESSION: Final = "1.2.250.1.71.1.2.8"
"""The profession being learnt, a code of table G16.

GUESS: INTEGER, as the profession is. The certificate of one CPF would settle it.
"""
SPECIALITY: Final = "1.2.250.1.71.4.2.5"
"""SEQUENCE OF UTF8String, codes of table R01; seen on certificates of the PKI before IGC-Santé."""

SECTOR: Final = "1.2.250.1.71.4.2.4"
"""Names table R02 in claims; no extension."""

KNOWN_PRIVATE: Final = frozenset({CARD_TYPE, CARD_ID, CARD_CATEGORY, PROFESSION, FUTURE_PROFESSION, SPECIALITY})
