"""The professional from the certificate."""

from __future__ import annotations

from unittest import mock

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.holder.errors import MalformedCertificate
from cardd.holder.extensions import HolderWarning, WarningCode
from cardd.holder.identifiers import PersonIdKind, StructureIdKind
from cardd.holder.nomenclature import CardCategory, CardType
from cardd.holder.professional import Structure, professional_from
from tests.unit.holder import certificates as make


def without(oid: str) -> dict[str, bytes]:
    return {key: value for key, value in make.DOCTOR.items() if key != oid}


def test_a_doctor() -> None:
    found = professional_from(make.certificate())
    assert found.national_id == "899900000011"
    assert found.national_id_kind is PersonIdKind.RPPS
    assert found.identifier == "99900000011"
    assert (found.family_name, found.given_name) == ("LE GOFF-ÉTIENNE", "Hélène")
    assert found.structure is None
    assert found.card_type is CardType.CPS
    assert (found.profession_code, found.profession_label) == (10, "Médecin")
    assert found.category is CardCategory.TEST
    assert (found.card_issuer, found.card_number) == ("8025000001", "2800636234")
    assert found.warnings == ()


@pytest.mark.parametrize("oid", [make.FUTURE_PROFESSION, make.PROFESSION])
def test_a_student_is_never_called_a_doctor(oid: str) -> None:
    extensions = {key: value for key, value in make.STUDENT.items() if key != make.FUTURE_PROFESSION}
    found = professional_from(make.certificate(extensions={**extensions, oid: b"\x02\x01\x0a"}))
    assert found.card_type is CardType.CPF
    assert (found.profession_code, found.profession_label) == (10, "Médecin en formation")
    assert found.warnings == ()


def test_a_student_of_a_profession_that_has_no_training_table_has_no_label() -> None:
    nurse = {**make.STUDENT, make.FUTURE_PROFESSION: b"\x02\x01\x3c"}
    found = professional_from(make.certificate(extensions=nurse))
    assert (found.profession_code, found.profession_label) == (60, None)
    assert found.warnings == (HolderWarning(WarningCode.UNKNOWN_PROFESSION, make.FUTURE_PROFESSION),)


@pytest.mark.parametrize("card_type", [None, b"\x0c\x01\x00", b"\x02\x01\x07"])
def test_a_card_of_unknown_type_names_no_profession(card_type: bytes | None) -> None:
    extensions = without(make.CARD_TYPE) | ({} if card_type is None else {make.CARD_TYPE: card_type})
    found = professional_from(make.certificate(extensions=extensions))
    assert found.card_type is CardType.UNKNOWN
    assert (found.profession_code, found.profession_label) == (10, None)
    assert [warning.oid for warning in found.warnings] == [make.CARD_TYPE]


def test_an_employee_without_a_name_has_a_slash_in_the_common_name() -> None:
    subject = make.flat(
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Seine-Maritime (76)"),
        (NameOID.ORGANIZATION_NAME, "HÔPITAL D'EXEMPLE"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "1990000010"),
        (NameOID.TITLE, "Carte de service santé ou social"),
        (NameOID.PSEUDONYM, "EMPLOYE0001"),
        (NameOID.COMMON_NAME, "3990000010/0001"),
    )
    found = professional_from(make.certificate(subject, make.EMPLOYEE))
    assert found.national_id == "3990000010/0001"
    assert found.national_id_kind is PersonIdKind.FINESS
    assert found.identifier == "990000010/0001"
    assert (found.family_name, found.given_name) == (None, None)
    assert found.structure == Structure("1990000010", StructureIdKind.FINESS, "HÔPITAL D'EXEMPLE")
    assert found.card_type is CardType.CPE
    assert (found.profession_code, found.profession_label) == (None, None)
    assert found.warnings == ()


def test_the_former_pki_names_no_structure() -> None:
    subject = make.flat(
        (NameOID.ORGANIZATION_NAME, "TEST"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Médecin"),
        (NameOID.COMMON_NAME, "00B1058110"),
        (NameOID.SURNAME, "EXEMPLE"),
    )
    found = professional_from(make.certificate(subject))
    assert found.structure is None
    assert (found.national_id_kind, found.identifier) == (PersonIdKind.ADELI, "0B1058110")
    assert found.family_name == "EXEMPLE"
    assert found.warnings == ()


def test_t61_strings_with_accents_are_read() -> None:
    t61 = x509.name._ASN1Type.T61String
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, make.RPPS, _type=t61),
            x509.NameAttribute(NameOID.SURNAME, "LEFEVRE", _type=t61),
        ]
    )
    found = professional_from(make.replaced(make.certificate(subject), b"LEFEVRE", b"LEF\xc8VRE"))
    assert found.national_id == make.RPPS
    assert found.family_name == "LEFÈVRE"


def test_a_name_in_octets_of_no_alphabet_is_a_warning() -> None:
    broken = make.replaced(make.certificate(make.person(surname="NOMCLAIR")), b"NOMCLAIR", b"NOM\xff\xfeAIR")
    found = professional_from(broken)
    assert found.family_name is None
    assert found.given_name == "Hélène"
    assert found.warnings == (HolderWarning(WarningCode.MALFORMED_NAME, "2.5.4.4"),)


def test_terminal_escapes_and_direction_marks_of_a_name_are_replaced() -> None:
    found = professional_from(make.certificate(make.person(surname="A\x1b[31mB", given_name="A\u202eB")))
    assert (found.family_name, found.given_name) == ("A\ufffd[31mB", "A\ufffdB")
    assert {warning.code for warning in found.warnings} == {WarningCode.MALFORMED_NAME}


def test_names_of_64_characters_are_whole() -> None:
    found = professional_from(make.certificate(make.person(surname="É" * 64, given_name="O'" * 32)))
    assert (found.family_name, found.given_name) == ("É" * 64, "O'" * 32)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("common_name", "code"),
    [
        ("899900000012", WarningCode.WRONG_CHECK_DIGIT),
        ("899700433153", WarningCode.WRONG_CHECK_DIGIT),
        ("8999", WarningCode.MALFORMED_IDENTIFIER),
        ("75", WarningCode.UNKNOWN_IDENTIFIER_KIND),
    ],
)
def test_an_odd_number_is_a_warning(common_name: str, code: WarningCode) -> None:
    found = professional_from(make.certificate(make.person(common_name)))
    assert found.national_id == common_name
    assert found.warnings == (HolderWarning(code, "2.5.4.3"),)


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (make.CARD_TYPE, b"\x02\x02\x00\x00"),
        (make.CARD_TYPE, b"\x02\x01\x00\x00"),
        (make.CARD_TYPE, b""),
        (make.CARD_ID, b"\x0c\x158025000001/2800636234"),
        (make.CARD_ID, b"\x13\x0a8025000001"),
        (make.CATEGORY, b"\x04\x02\x80\x80"),
        (make.CATEGORY, b"\x02\x01\x00"),
        (make.PROFESSION, b"\x02\x84\xff\xff\xff\xff\x0a"),
        (make.PROFESSION, b"\x02\x01\xf6"),
        (make.SPECIALITY, b"\x30\x06\x0c\x04SM"),
        (make.SPECIALITY, b"\x30\x81\xc6" + 33 * b"\x0c\x04SM36"),
        (make.SPECIALITY, b"\x30\x06\x0c\x04SM\x1b3"),
    ],
)
def test_a_mistyped_extension_is_a_warning(oid: str, value: bytes) -> None:
    found = professional_from(make.certificate(extensions={**make.DOCTOR, oid: value}))
    assert found.warnings == (HolderWarning(WarningCode.MISTYPED_EXTENSION, oid),)
    assert found.national_id == make.RPPS


@pytest.mark.parametrize("oid", list(make.DOCTOR))
def test_a_missing_extension_is_a_warning(oid: str) -> None:
    found = professional_from(make.certificate(extensions=without(oid)))
    assert found.warnings == (HolderWarning(WarningCode.MISSING_EXTENSION, oid),)


def test_a_future_profession_on_a_full_card_is_a_warning_and_nothing_else() -> None:
    found = professional_from(make.certificate(extensions={**make.DOCTOR, make.FUTURE_PROFESSION: b"\x02\x01\x15"}))
    assert (found.profession_code, found.profession_label) == (10, "Médecin")
    assert found.warnings == (HolderWarning(WarningCode.UNEXPECTED_EXTENSION, make.FUTURE_PROFESSION),)


def test_unknown_private_extensions_are_told_in_a_bounded_number() -> None:
    unknown = {f"1.2.250.1.71.9.{number}": b"\x05\x00" for number in range(40)}
    found = professional_from(make.certificate(extensions={**make.DOCTOR, **unknown, "1.2.3.4": b"\x05\x00"}))
    assert {warning.code for warning in found.warnings} == {WarningCode.UNKNOWN_EXTENSION}
    assert len(found.warnings) == 16


def test_an_extension_said_twice_holds_neither_time() -> None:
    extensions = {**make.DOCTOR, "1.2.250.1.71.1.2.6": b"\x02\x01\x01"}
    marker = bytes.fromhex("2a817a01470102")
    twice = make.replaced(make.certificate(extensions=extensions), marker + b"\x06", marker + b"\x02")
    found = professional_from(twice)
    assert found.card_type is CardType.UNKNOWN
    assert found.warnings == (HolderWarning(WarningCode.REPEATED_EXTENSION, make.CARD_TYPE),)


def test_a_malformed_standard_extension_hides_no_private_one() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName("clair.invalid")])
    broken = make.replaced(make.certificate(standard=[names]), b"\x82\x0dclair.invalid", b"\x82\x7fclair.invalid")
    with pytest.raises(ValueError, match="error parsing"):
        _ = broken.extensions
    assert professional_from(broken).warnings == ()


def test_a_list_of_extensions_that_breaks_off_is_a_warning() -> None:
    body = make.certificate().tbs_certificate_bytes
    last = bytes.fromhex("06082a817a0147010207") + b"\x04\x03\x02\x01\x0a"
    assert body.endswith(last)
    broken = mock.Mock(x509.Certificate, tbs_certificate_bytes=body[: -len(last)] + b"\x05" + last[1:])
    found = professional_from(broken)
    assert found.warnings == (
        HolderWarning(WarningCode.UNREADABLE_EXTENSIONS, "1.2.250.1.71"),
        HolderWarning(WarningCode.MISSING_EXTENSION, make.PROFESSION),
    )
    assert found.card_number == "2800636234"


def test_of_two_surnames_the_first_is_told_with_a_warning() -> None:
    subject = make.flat((NameOID.COMMON_NAME, make.RPPS), (NameOID.SURNAME, "UN"), (NameOID.SURNAME, "DEUX"))
    found = professional_from(make.certificate(subject))
    assert found.family_name == "UN"
    assert found.warnings == (HolderWarning(WarningCode.MALFORMED_NAME, "2.5.4.4"),)


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        (b"\x04\x01\x00", CardCategory.REAL),
        (b"\x04\x01\x83", CardCategory.TEST),
        (b"\x04\x01\x42", CardCategory.UNKNOWN),
    ],
)
def test_the_category(category: bytes, expected: CardCategory) -> None:
    found = professional_from(make.certificate(extensions={**make.DOCTOR, make.CATEGORY: category}))
    assert found.category is expected
    assert bool(found.warnings) is (expected is CardCategory.UNKNOWN)


def test_specialities() -> None:
    found = professional_from(make.certificate(extensions={**make.DOCTOR, make.SPECIALITY: b"\x30\x06\x0c\x04SM36"}))
    assert found.specialities == ("SM36",)
    assert found.warnings == ()


@pytest.mark.parametrize(
    "subject",
    [
        make.flat((NameOID.SURNAME, "SANS NUMÉRO")),
        make.flat((NameOID.COMMON_NAME, make.RPPS), (NameOID.COMMON_NAME, "899900000029")),
        make.flat((NameOID.COMMON_NAME, "   ")),
        make.flat((NameOID.COMMON_NAME, "8999\n00000011")),
        x509.Name([]),
    ],
)
def test_no_identity_is_an_error(subject: x509.Name) -> None:
    with pytest.raises(MalformedCertificate) as raised:
        professional_from(make.certificate(subject))
    assert "8999" not in str(raised.value)


def test_a_common_name_beyond_its_bound_is_an_error() -> None:
    with pytest.warns(UserWarning, match="length"):
        attribute = x509.NameAttribute(NameOID.COMMON_NAME, "8" * 65, _validate=False)
    with pytest.raises(MalformedCertificate):
        professional_from(make.certificate(x509.Name([attribute])))


def test_repr_tells_nobody() -> None:
    text = repr(professional_from(make.certificate()))
    assert not [secret for secret in (make.RPPS, "99900000011", "GOFF", "Hélène", "2800636234") if secret in text]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*make.DOCTOR, make.FUTURE_PROFESSION, make.SPECIALITY, "1.2.250.1.71.1.2.99"]),
        st.binary(max_size=24),
    )
)
def test_no_encoding_of_private_extensions_is_an_exception(extensions: dict[str, bytes]) -> None:
    found = professional_from(make.certificate(extensions=extensions))
    assert found.national_id == make.RPPS
    assert found.profession_label is None or found.card_type is not CardType.UNKNOWN
