"""National identifiers of persons (PS_IdNat) and of structures (Struct_IdNat): kinds, shapes and check digits.

Both are one type digit and an identifier. Source: the agency's nomenclatures G08 (persons) and G07 (structures).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final


class PersonIdKind(enum.StrEnum):
    """What identifies the person: the type digit of PS_IdNat (table G08).

    From FINESS to RPPS_PRACTICE, the number is a structure's, and a slash and the structure's own number of the
    person follow it.
    """

    ADELI = "adeli"
    ADELI_PRACTICE = "adeli-practice"
    DRASS = "drass"
    FINESS = "finess"
    SIREN = "siren"
    SIRET = "siret"
    RPPS_PRACTICE = "rpps-practice"
    RPPS = "rpps"
    STUDENT = "student"
    UNKNOWN = "unknown"


class StructureIdKind(enum.StrEnum):
    """What identifies the structure: the type digit of Struct_IdNat (table G07)."""

    ADELI_PRACTICE = "adeli-practice"
    FINESS = "finess"
    SIREN = "siren"
    SIRET = "siret"
    RPPS_PRACTICE = "rpps-practice"


class IdentifierFault(enum.StrEnum):
    """What is wrong with an identifier that is used nevertheless: some official test numbers have either."""

    UNKNOWN_KIND = "unknown-kind"
    WRONG_SHAPE = "wrong-shape"
    WRONG_CHECK_DIGIT = "wrong-check-digit"


_PERSON_KINDS: Final[dict[str, PersonIdKind]] = {
    "0": PersonIdKind.ADELI,
    "1": PersonIdKind.ADELI_PRACTICE,
    "2": PersonIdKind.DRASS,
    "3": PersonIdKind.FINESS,
    "4": PersonIdKind.SIREN,
    "5": PersonIdKind.SIRET,
    "6": PersonIdKind.RPPS_PRACTICE,
    "8": PersonIdKind.RPPS,
    "9": PersonIdKind.STUDENT,
}

_STRUCTURE_KINDS: Final[dict[str, StructureIdKind]] = {
    "0": StructureIdKind.ADELI_PRACTICE,
    "1": StructureIdKind.FINESS,
    "2": StructureIdKind.SIREN,
    "3": StructureIdKind.SIRET,
    "4": StructureIdKind.RPPS_PRACTICE,
}

# Letters stand in ADELI and FINESS numbers (Corsica's 2A and 2B, and the B of test numbers).
_SHAPES: Final[dict[PersonIdKind, re.Pattern[str]]] = {
    PersonIdKind.RPPS: re.compile(r"[0-9]{11}"),
    PersonIdKind.ADELI: re.compile(r"[0-9A-Z]{9}"),
    PersonIdKind.FINESS: re.compile(r"[0-9A-Z]{9}(/.+)?"),
    PersonIdKind.SIREN: re.compile(r"[0-9]{9}(/.+)?"),
    PersonIdKind.SIRET: re.compile(r"[0-9]{14}(/.+)?"),
}

# No public rule gives the other kinds a check digit.
_LUHN_KINDS: Final = frozenset({PersonIdKind.RPPS, PersonIdKind.FINESS, PersonIdKind.SIREN, PersonIdKind.SIRET})

_STRUCTURE_ID: Final = re.compile(r"[0-4][0-9A-Z]{8,19}")


@dataclass(frozen=True, slots=True)
class PersonId:
    """A PS_IdNat.

    Args:
        kind: By its type digit.
        identifier: Without the type digit; with the structure's own number of the person, where there is one.
        fault: What is wrong with it, None when nothing is.
    """

    kind: PersonIdKind
    identifier: str = field(repr=False)
    fault: IdentifierFault | None


def luhn_holds(digits: str) -> bool:
    """Whether the last digit is the Luhn key of those before it (ISO/IEC 7812-1, annex B).

    Args:
        digits: ASCII digits; anything else, or nothing, does not hold.
    """
    if not (digits.isascii() and digits.isdigit()):
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def parse_person_id(national_id: str) -> PersonId:
    """The kind and the number of a PS_IdNat. Total: what is strange is told by `fault`.

    Args:
        national_id: The common name of a holder's certificate, not empty.
    """
    kind = _PERSON_KINDS.get(national_id[:1])
    if kind is None:
        return PersonId(PersonIdKind.UNKNOWN, national_id, IdentifierFault.UNKNOWN_KIND)
    identifier = national_id[1:]
    return PersonId(kind, identifier, _fault(kind, identifier))


def _fault(kind: PersonIdKind, identifier: str) -> IdentifierFault | None:
    shape = _SHAPES.get(kind)
    if not identifier or (shape is not None and shape.fullmatch(identifier) is None):
        return IdentifierFault.WRONG_SHAPE
    number = identifier.partition("/")[0]
    # A number with a letter has no digit sum that is published.
    if kind in _LUHN_KINDS and number.isdigit() and not luhn_holds(number):
        return IdentifierFault.WRONG_CHECK_DIGIT
    return None


def structure_id_kind(text: str) -> StructureIdKind | None:
    """The kind of a Struct_IdNat, or None where the text is none (another organizational unit).

    Args:
        text: An organizationalUnitName of a subject.
    """
    if _STRUCTURE_ID.fullmatch(text) is None:
        return None
    return _STRUCTURE_KINDS[text[0]]
