"""Work situations and speciality, from the card's files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.holder.activities import (
    Activity,
    ActivityWarning,
    activity_ids,
    activity_label,
    parse_activity,
    shown_name,
    speciality_label,
    speciality_of,
)
from cardd.holder.identifiers import StructureIdKind


def tlv(tag: int, value: bytes) -> bytes:
    assert len(value) < 0x80
    return bytes((tag, len(value))) + value


WHOLE = (tlv(0x84, "CENTRE HOSPITALIER É".encode()), tlv(0x85, b"1990000010"), tlv(0x86, b"SA01"))


def activity(*members: bytes, behind: bytes = b"") -> Activity:
    return parse_activity("03", tlv(0xEE, b"".join(members)) + behind)


def test_a_whole_one() -> None:
    assert activity(*WHOLE) == Activity(
        "03",
        "CENTRE HOSPITALIER É",
        "1990000010",
        StructureIdKind.FINESS,
        "SA01",
        "Etablissement public de santé",
    )


def test_nothing_of_where_shows_in_its_repr() -> None:
    told = repr(activity(*WHOLE))
    assert "CENTRE" not in told
    assert "1990000010" not in told
    assert "SA01" in told


@pytest.mark.parametrize("behind", [b"\x00\x00", b"\xff" * 40, b"\x84"])
def test_what_fills_the_file_behind_the_container_is_left_out(behind: bytes) -> None:
    assert activity(*WHOLE, behind=behind) == activity(*WHOLE)


def test_a_length_that_is_longer_than_needed() -> None:
    inner = b"".join(WHOLE)
    assert parse_activity("03", bytes((0xEE, 0x82, 0, len(inner))) + inner) == activity(*WHOLE)


def test_other_tags_beside_the_known_ones() -> None:
    assert activity(tlv(0x80, b"?"), *WHOLE, tlv(0x87, b"?")) == activity(*WHOLE)


def test_a_name_in_latin_1() -> None:
    assert activity(tlv(0x84, "Clinique de l'Été".encode("latin-1"))).structure_name == "Clinique de l'Été"


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff" * 20, b"\xee", b"\xee\x05\x84", b"\xee\x02\x84\x05", b"\x30\x02\x84\x00"]
)
def test_a_file_that_is_none(data: bytes) -> None:
    assert parse_activity("01", data) == Activity("01", warnings=(ActivityWarning.UNREADABLE,))


@pytest.mark.parametrize(
    ("member", "warning"),
    [
        (tlv(0x84, b"line\nfeed"), ActivityWarning.MALFORMED_NAME),
        (tlv(0x84, "\N{RIGHT-TO-LEFT OVERRIDE}CH".encode()), ActivityWarning.MALFORMED_NAME),
        (tlv(0x84, b"N" * 100) + tlv(0x84, b"M"), ActivityWarning.REPEATED),
        (tlv(0x85, b"9990000010"), ActivityWarning.MALFORMED_STRUCTURE),
        (tlv(0x85, b"1\xff90000010"), ActivityWarning.MALFORMED_STRUCTURE),
        (tlv(0x86, b"07"), ActivityWarning.MALFORMED_SECTOR),
        (tlv(0x86, b"SA99"), ActivityWarning.UNKNOWN_SECTOR),
    ],
)
def test_what_is_odd_is_told_and_hides_nothing_else(member: bytes, warning: ActivityWarning) -> None:
    others = [each for each in WHOLE if each[0] != member[0]]
    found = activity(member, *others)
    assert found.warnings == (warning,)
    assert sum(each is not None for each in (found.structure_name, found.structure_id, found.sector)) >= 2


def test_a_sector_that_no_table_here_has_is_told_as_it_is() -> None:
    found = activity(tlv(0x86, b"SA99"))
    assert (found.sector, found.sector_label) == ("SA99", None)


@given(st.binary(max_size=300), st.booleans())
def test_whatever_the_bytes(data: bytes, framed: bool) -> None:
    if framed:
        data = bytes((0xEE, 0x82)) + len(data).to_bytes(2, "big") + data
    found = parse_activity("16", data)
    assert found.structure_name is None or (found.structure_name.isprintable() and len(found.structure_name) <= 128)
    assert found.structure_id is None or found.structure_kind is not None
    assert found.sector is None or len(found.sector) == 4
    assert speciality_of(data) is None or len(speciality_of(data) or "") == 4


def test_labels() -> None:
    labels = [activity_label(each) for each in activity_ids()]
    assert labels[0] == "CPS_ACTIVITY_01_PS"
    assert labels[-1] == "CPS_ACTIVITY_16_PS"
    assert len(labels) == 16


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (b"\x30\x0a\x0c\x02" + b"10" + b"\x0c\x04SM26", "SM26"),
        (b"10SM53\x00\x00", "SM53"),
        (b"SM26\xff\xff\xff", "SM26"),
        (b"\x0c\x0221", None),
        (b"sm26", None),
        (b"M26", None),
        (b"", None),
    ],
)
def test_the_speciality_stands_last(info: bytes, code: str | None) -> None:
    assert speciality_of(info) == code


def test_labels_of_specialities() -> None:
    assert speciality_label("SM26") == "Qualifié en Médecine générale (SM)"
    assert speciality_label("SM99") is None


def test_a_name_of_nothing() -> None:
    assert shown_name(" \x00 ") is None
