"""National identifiers: kinds, shapes and check digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.holder.identifiers import (
    IdentifierFault,
    PersonIdKind,
    StructureIdKind,
    luhn_holds,
    parse_person_id,
    structure_id_kind,
)


@pytest.mark.parametrize(
    "number",
    ["10002813839", "99700218896", "99700075122", "99900000011", "750712184", "760021832", "187512751"],
)
def test_published_numbers_hold(number: str) -> None:
    assert luhn_holds(number)


@pytest.mark.parametrize("number", ["99700433153", "", "9990000001A", "٣", "-1"])
def test_others_do_not(number: str) -> None:
    assert not luhn_holds(number)


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True), st.data())
def test_one_changed_digit_never_holds(payload: str, data: st.DataObject) -> None:
    (number,) = [payload + key for key in "0123456789" if luhn_holds(payload + key)]
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert not luhn_holds(number[:place] + other + number[place + 1 :])


@pytest.mark.parametrize(
    ("national_id", "kind", "fault"),
    [
        ("00B6087510", PersonIdKind.ADELI, None),
        ("0751234567", PersonIdKind.ADELI, None),
        ("075123456", PersonIdKind.ADELI, IdentifierFault.WRONG_SHAPE),
        ("1751234567/12", PersonIdKind.ADELI_PRACTICE, None),
        ("275999", PersonIdKind.DRASS, None),
        ("3750712184/0001", PersonIdKind.FINESS, None),
        ("3750712185/0001", PersonIdKind.FINESS, IdentifierFault.WRONG_CHECK_DIGIT),
        ("32A0000001/0001", PersonIdKind.FINESS, None),
        ("3750712184/", PersonIdKind.FINESS, IdentifierFault.WRONG_SHAPE),
        ("4187512751/A", PersonIdKind.SIREN, None),
        ("518751275100020/A", PersonIdKind.SIRET, None),
        ("518751275100021/A", PersonIdKind.SIRET, IdentifierFault.WRONG_CHECK_DIGIT),
        ("699700735741008/1", PersonIdKind.RPPS_PRACTICE, None),
        ("7", PersonIdKind.UNKNOWN, IdentifierFault.UNKNOWN_KIND),
        ("810002813839", PersonIdKind.RPPS, None),
        ("8", PersonIdKind.RPPS, IdentifierFault.WRONG_SHAPE),
        ("9123", PersonIdKind.STUDENT, None),
        ("www.exemple.invalid", PersonIdKind.UNKNOWN, IdentifierFault.UNKNOWN_KIND),
    ],
)
def test_kinds_of_persons(national_id: str, kind: PersonIdKind, fault: IdentifierFault | None) -> None:
    found = parse_person_id(national_id)
    assert (found.kind, found.fault) == (kind, fault)
    assert found.identifier == (national_id if kind is PersonIdKind.UNKNOWN else national_id[1:])


@given(st.text(min_size=1, max_size=80))
def test_any_text_has_a_kind_and_loses_nothing(text: str) -> None:
    found = parse_person_id(text)
    assert text.endswith(found.identifier)
    assert len(text) - len(found.identifier) == (found.kind is not PersonIdKind.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1990000010", StructureIdKind.FINESS),
        ("11B0062640", StructureIdKind.FINESS),
        ("2187512751", StructureIdKind.SIREN),
        ("318751275100020", StructureIdKind.SIRET),
        ("499700735741008", StructureIdKind.RPPS_PRACTICE),
        ("0002 187512751", None),
        ("Médecin", None),
        ("", None),
    ],
)
def test_kinds_of_structures(text: str, kind: StructureIdKind | None) -> None:
    assert structure_id_kind(text) is kind
