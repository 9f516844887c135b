"""The work situation in tokens: written, read, and refused where it contradicts itself or the certificate."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.holder.activities import Activity, parse_activity
from cardd.holder.identifiers import StructureIdKind
from cardd.holder.professional import professional_from
from cardd.tokens.activity_claims import activity_in
from cardd.tokens.claims import holder_claims, mismatch
from cardd.tokens.strict import NotStrict
from tests.unit.tokens.support import doctor_certificate

CERTIFICATE = doctor_certificate()
DOCTOR = professional_from(CERTIFICATE)
HOSPITAL = Activity(
    "02", "Hôpital fictif", "1990000010", StructureIdKind.FINESS, "SA01", "Etablissement public de santé"
)


def claims_with(activity: Activity | None) -> dict[str, Any]:
    return {"sub": DOCTOR.national_id, **holder_claims(DOCTOR, CERTIFICATE, activity)}


def test_it_is_told_by_the_identity_providers_names() -> None:
    claims = claims_with(HOSPITAL)
    assert claims["Secteur_Activite"] == "SA01^1.2.250.1.71.4.2.4"
    assert (claims["SubjectOrganizationID"], claims["SubjectOrganization"]) == ("1990000010", "Hôpital fictif")
    assert claims["SubjectRefPro"] == {
        "exercices": [
            {
                "codeProfession": "10",
                "activities": [
                    {
                        "raisonSocialeSite": "Hôpital fictif",
                        "ancienIdentifiantDeLaStructure": "1990000010",
                        "codeSecteurDactivite": "SA01",
                    }
                ],
            }
        ]
    }


@pytest.mark.parametrize("activity", [None, HOSPITAL, Activity("16"), Activity("01", sector="SA99")])
def test_what_was_written_is_read_and_agrees(activity: Activity | None) -> None:
    claims = claims_with(activity)
    assert activity_in(claims) == activity
    assert mismatch(claims, DOCTOR, CERTIFICATE) is None


@given(st.binary(max_size=200))
def test_whatever_a_card_tells_can_be_told_on(data: bytes) -> None:
    container = bytes((0xEE, 0x82)) + len(data).to_bytes(2, "big") + data
    activity = parse_activity("01", container)
    claims = claims_with(activity)
    assert mismatch(claims, DOCTOR, CERTIFICATE) is None
    found = activity_in(claims)
    assert found is not None
    assert (found.structure_name, found.structure_id, found.sector) == (
        *(activity.structure_name, activity.structure_id),
        activity.sector,
    )


@pytest.mark.parametrize(
    ("name", "value", "at_fault"),
    [
        ("Secteur_Activite", "SA07^1.2.250.1.71.4.2.4", "Secteur_Activite"),
        ("Secteur_Activite", None, "Secteur_Activite"),
        ("SubjectOrganizationID", "1990000028", "SubjectOrganizationID"),
        ("SubjectOrganization", "Ailleurs", "SubjectOrganization"),
        ("activity_id", "17", "activity_id"),
        ("activity_id", 2, "activity_id"),
        ("activity_id", None, "Secteur_Activite"),
        ("SubjectRefPro", {"exercices": []}, "activity_id"),
        ("SubjectRefPro", {"exercices": [{"codeProfession": "60", "activities": [{}]}]}, "Secteur_Activite"),
        ("SubjectRefPro", "x", "activity_id"),
        ("SubjectRefPro", None, "activity_id"),
    ],
)
def test_claims_that_contradict_one_another_are_named(name: str, value: object, at_fault: str) -> None:
    claims = {**claims_with(HOSPITAL), name: value}
    assert mismatch(claims, DOCTOR, CERTIFICATE) == at_fault


def test_another_profession_is_refused_with_or_without_it() -> None:
    claims = claims_with(HOSPITAL)
    claims["SubjectRefPro"]["exercices"][0]["codeProfession"] = "60"
    assert mismatch(claims, DOCTOR, CERTIFICATE) == "SubjectRefPro"


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["exercices", "activities"]), inner),
    max_leaves=6,
)


@given(JSON, JSON)
def test_any_json_is_read_or_refused(activity_id: object, profile: object) -> None:
    claims = {"activity_id": activity_id, "SubjectRefPro": profile}
    try:
        found = activity_in(claims)
    except NotStrict:
        return
    assert found is None or found.activity_id == activity_id
