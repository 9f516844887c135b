"""The professional whose certificate it is: who, of which profession, by which card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cardd.holder import oids
from cardd.holder.errors import MalformedCertificate
from cardd.holder.extensions import (
    HolderWarning,
    PrivateExtensions,
    WarningCode,
    read_private_extensions,
)
from cardd.holder.fields import NameAttribute, read_fields
from cardd.holder.identifiers import (
    IdentifierFault,
    PersonIdKind,
    StructureIdKind,
    parse_person_id,
    structure_id_kind,
)
from cardd.holder.nomenclature import (
    CARD_TYPES,
    PROFESSIONS,
    PROFESSIONS_IN_TRAINING,
    CardCategory,
    CardType,
    card_category,
)

if TYPE_CHECKING:
    from cryptography import x509

_MAX_COMMON_NAME: Final = 64  # X.520, ub-common-name
_MAX_NAME: Final = 128  # twice the bound of X.520 for names, which issuers are known to stretch
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_FAULT_WARNINGS: Final[dict[IdentifierFault, WarningCode]] = {
    IdentifierFault.UNKNOWN_KIND: WarningCode.UNKNOWN_IDENTIFIER_KIND,
    IdentifierFault.WRONG_SHAPE: WarningCode.MALFORMED_IDENTIFIER,
    IdentifierFault.WRONG_CHECK_DIGIT: WarningCode.WRONG_CHECK_DIGIT,
}


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure that employs the holder, as the certificate names it.

    Args:
        national_id: Struct_IdNat, type digit included.
        kind: By its type digit.
        name: Its name (organizationName), None where there is none.
    """

    national_id: str
    kind: StructureIdKind
    name: str | None


@dataclass(frozen=True, slots=True)
class Professional:
    """Who the holder is. Whether that may be believed is for the chain of the certificate to say.

    `repr` leaves out who it is, so that no log tells it by accident.

    Args:
        national_id: PS_IdNat, the common name: one type digit and the identifier.
        national_id_kind: By the type digit.
        identifier: `national_id` without its type digit.
        family_name: Surname; None when the card names nobody (a CPE may be issued to a post).
        given_name: Given name, None likewise.
        structure: The employing structure, None where the certificate names none.
        card_type: CPS, CPF, CPE or CPA.
        profession_code: Code of table G15, or of G16 where the card is a CPF: read it with `card_type` only.
        profession_label: Official French label of the pair of card type and code, None where there is none.
        category: Whether the card is one for tests.
        card_number: The ten digits of the card, None where they are not told.
        card_issuer: The ten digits of its issuer, None likewise.
        specialities: Codes of table R01, where the certificate has any (IGC-Santé's have none).
        warnings: What is odd, in the order met.
    """

    national_id: str = field(repr=False)
    national_id_kind: PersonIdKind
    identifier: str = field(repr=False)
    family_name: str | None = field(repr=False)
    given_name: str | None = field(repr=False)
    structure: Structure | None
    card_type: CardType
    profession_code: int | None
    profession_label: str | None
    category: CardCategory
    card_number: str | None = field(repr=False)
    card_issuer: str | None
    specialities: tuple[str, ...]
    warnings: tuple[HolderWarning, ...]


def professional_from(certificate: x509.Certificate) -> Professional:
    """Read the holder from a certificate of the health PKI.

    Args:
        certificate: The holder's authentication or signature certificate (both have one subject).

    Raises:
        MalformedCertificate: No identity can be had from it. Anything less is told in `warnings`.
    """
    fields = read_fields(certificate.tbs_certificate_bytes)
    national_id = _common_name(fields.subject)
    person = parse_person_id(national_id)
    private = read_private_extensions(fields.extensions)
    notes = _Notes()
    if person.fault is not None:
        notes.add(_FAULT_WARNINGS[person.fault], oids.COMMON_NAME)
    if not fields.complete:
        notes.add(WarningCode.UNREADABLE_EXTENSIONS, oids.PRIVATE_ARC.rstrip("."))
    notes.found.extend(private.warnings)
    family_name = _name(fields.subject, oids.SURNAME, notes)
    given_name = _name(fields.subject, oids.GIVEN_NAME, notes)
    structure = _structure(fields.subject, notes)
    card_type = _card_type(private, notes)
    code, label = _profession(card_type, private, notes)
    category = _category(private, notes)
    if private.card_id is None:
        notes.missing(oids.CARD_ID)
    return Professional(
        national_id=national_id,
        national_id_kind=person.kind,
        identifier=person.identifier,
        family_name=family_name,
        given_name=given_name,
        structure=structure,
        card_type=card_type,
        profession_code=code,
        profession_label=label,
        category=category,
        card_number=private.card_id[1] if private.card_id else None,
        card_issuer=private.card_id[0] if private.card_id else None,
        specialities=private.specialities,
        warnings=tuple(notes.found),
    )


class _Notes:
    """Warnings gathered on the way."""

    def __init__(self) -> None:
        self.found: list[HolderWarning] = []

    def add(self, code: WarningCode, oid: str) -> None:
        self.found.append(HolderWarning(code, oid))

    def missing(self, oid: str) -> None:
        """Note that an extension is missing, unless something worse is already said of it."""
        if all(warning.oid != oid for warning in self.found):
            self.add(WarningCode.MISSING_EXTENSION, oid)


def _common_name(subject: Sequence[NameAttribute]) -> str:
    """The one common name, without the outer spaces that X.520 calls insignificant."""
    values = [attribute.text for attribute in subject if attribute.oid == oids.COMMON_NAME]
    if len(values) != 1:
        raise MalformedCertificate(f"the subject has {len(values)} common names in place of one")
    text = (values[0] or "").strip(" ")
    if not text or not text.isprintable() or len(text) > _MAX_COMMON_NAME:
        raise MalformedCertificate("the common name is empty, too long, or not of printable characters")
    return text


def _name(subject: Sequence[NameAttribute], oid: str, notes: _Notes) -> str | None:
    """A name for people to read: control and direction characters of it are replaced, and said."""
    values = [attribute.text for attribute in subject if attribute.oid == oid]
    if not values:
        return None
    text = values[0]
    if text is None:
        notes.add(WarningCode.MALFORMED_NAME, oid)
        return None
    text = text.strip(" ")
    shown = "".join(char if char.isprintable() else _REPLACEMENT for char in text)[:_MAX_NAME]
    if len(values) > 1 or shown != text:
        notes.add(WarningCode.MALFORMED_NAME, oid)
    return shown or None


def _structure(subject: Sequence[NameAttribute], notes: _Notes) -> Structure | None:
    """The structure, told by an organizational unit that is a Struct_IdNat.

    The PKI before IGC-Santé wrote the profession there, and its own name as the organization.
    """
    for attribute in subject:
        if attribute.oid == oids.ORGANIZATIONAL_UNIT and attribute.text is not None:
            kind = structure_id_kind(attribute.text)
            if kind is not None:
                return Structure(attribute.text, kind, _name(subject, oids.ORGANIZATION, notes))
    return None


def _card_type(private: PrivateExtensions, notes: _Notes) -> CardType:
    if private.card_type is None:
        notes.missing(oids.CARD_TYPE)
        return CardType.UNKNOWN
    card_type = CARD_TYPES.get(private.card_type, CardType.UNKNOWN)
    if card_type is CardType.UNKNOWN:
        notes.add(WarningCode.UNKNOWN_CARD_TYPE, oids.CARD_TYPE)
    return card_type


def _category(private: PrivateExtensions, notes: _Notes) -> CardCategory:
    if private.category is None:
        notes.missing(oids.CARD_CATEGORY)
        return CardCategory.UNKNOWN
    category = card_category(private.category)
    if category is CardCategory.UNKNOWN:
        notes.add(WarningCode.UNKNOWN_CATEGORY, oids.CARD_CATEGORY)
    return category


def _profession(card_type: CardType, private: PrivateExtensions, notes: _Notes) -> tuple[int | None, str | None]:
    """Code and label by the pair of card type and code: only a card known not to be a student's names a profession."""
    if card_type is CardType.CPF:
        return _profession_in_training(private, notes)
    if private.future_profession is not None and card_type is not CardType.UNKNOWN:
        notes.add(WarningCode.UNEXPECTED_EXTENSION, oids.FUTURE_PROFESSION)
    code = private.profession
    if code is None:
        if card_type is CardType.CPS:
            notes.missing(oids.PROFESSION)
        return None, None
    if card_type is CardType.UNKNOWN:
        return code, None
    label = PROFESSIONS.get(code)
    if label is None:
        notes.add(WarningCode.UNKNOWN_PROFESSION, oids.PROFESSION)
    return code, label


def _profession_in_training(private: PrivateExtensions, notes: _Notes) -> tuple[int | None, str | None]:
    """Of a CPF. GUESS: its code may stand in either extension; the certificate of one CPF would settle it."""
    if private.future_profession is not None:
        code, oid = private.future_profession, oids.FUTURE_PROFESSION
    elif private.profession is not None:
        code, oid = private.profession, oids.PROFESSION
    else:
        notes.missing(oids.FUTURE_PROFESSION)
        return None, None
    label = PROFESSIONS_IN_TRAINING.get(code)
    if label is None:
        notes.add(WarningCode.UNKNOWN_PROFESSION, oid)
    return code, label
