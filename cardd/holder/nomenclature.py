"""Code tables of the health professionals' cards: types (G02), categories (G01), professions (G15, G16).

Labels are the agency's official French wording. A profession's code says nothing alone: the same 10 is a doctor on a
CPS and a student of medicine on a CPF.
"""

from __future__ import annotations

import enum
from typing import Final


class CardType(enum.StrEnum):
    """Table G02."""

    CPS = "CPS"
    CPF = "CPF"
    CPE = "CPE"
    CPA = "CPA"
    UNKNOWN = "unknown"


class CardCategory(enum.StrEnum):
    """Table G01, as far as anything is decided on it."""

    REAL = "real"
    TEST = "test"
    UNKNOWN = "unknown"


CARD_TYPES: Final[dict[int, CardType]] = {0: CardType.CPS, 1: CardType.CPF, 2: CardType.CPE, 3: CardType.CPA}

CARD_TYPE_LABELS: Final[dict[CardType, str]] = {
    CardType.CPS: "Carte de Professionnel de Santé (CPS)",
    CardType.CPF: "Carte de Professionnel de Santé en Formation (CPF)",
    CardType.CPE: "Carte de Personnel d'Etablissement (CDE/CPE)",
    CardType.CPA: "Carte de Personnel Autorisé (CDA/CPA)",
}

# Card, security module, software certificate; 81 is in no table but lies in the range of the tests.
_REAL_CATEGORIES: Final = frozenset({0x00, 0x02, 0x03})
_TEST_CATEGORIES: Final = frozenset({0x80, 0x81, 0x82, 0x83})

# Table G15. 35 to 39 and 93 are deprecated, and stand on cards issued before.
PROFESSIONS: Final[dict[int, str]] = {
    10: "Médecin",
    21: "Pharmacien",
    26: "Audioprothésiste",
    28: "Opticien-Lunetier",
    31: "Assistant dentaire",
    32: "Physicien médical",
    35: "Aide-soignant",
    36: "Ambulancier",
    37: "Auxiliaire de puériculture",
    38: "Préparateur en pharmacie hospitalière",
    39: "Préparateur en pharmacie (officine)",
    40: "Chirurgien-Dentiste",
    50: "Sage-Femme",
    60: "Infirmier",
    69: "Infirmier psychiatrique",
    70: "Masseur-Kinésithérapeute",
    80: "Pédicure-Podologue",
    81: "Orthoprothésiste",
    82: "Podo-Orthésiste",
    83: "Orthopédiste-Orthésiste",
    84: "Oculariste",
    85: "Epithésiste",
    86: "Technicien de laboratoire médical",
    91: "Orthophoniste",
    92: "Orthoptiste",
    93: "Psychologue",
    94: "Ergothérapeute",
    95: "Diététicien",
    96: "Psychomotricien",
    98: "Manipulateur ERM",
}

# Table G16.
PROFESSIONS_IN_TRAINING: Final[dict[int, str]] = {
    10: "Médecin en formation",
    21: "Pharmacien en formation",
    40: "Chirurgien-Dentiste en formation",
    50: "Sage-Femme en formation",
}


def card_category(code: int) -> CardCategory:
    """The category that a code of table G01 means.

    Args:
        code: The octet of the extension, 0 to 255.
    """
    if code in _TEST_CATEGORIES:
        return CardCategory.TEST
    return CardCategory.REAL if code in _REAL_CATEGORIES else CardCategory.UNKNOWN
