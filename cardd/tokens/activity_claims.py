"""The work situation in a token or an assertion, by the names of Pro Santé Connect's user information.

No certificate speaks of it: what stands here is what the card's private file says, as the issuing daemon read it.
"""

from __future__ import annotations

from typing import Final

from cardd.holder import oids
from cardd.holder.activities import Activity, is_activity_id, is_sector, shown_name
from cardd.holder.identifiers import structure_id_kind
from cardd.holder.sectors import SECTORS
from cardd.tokens.strict import JsonObject, NotStrict

ACTIVITY_ID: Final = "activity_id"
"""The claim that names the work situation on its card; the identity provider has no name for that."""
ACTIVITY_CLAIMS: Final = frozenset({ACTIVITY_ID, "Secteur_Activite"})
"""The claims that stand there for a work situation alone."""

_NAME: Final = "raisonSocialeSite"
_STRUCTURE: Final = "ancienIdentifiantDeLaStructure"
"""Bears the Struct_IdNat, its name notwithstanding."""
_SECTOR: Final = "codeSecteurDactivite"


def add_activity(claims: JsonObject, activity: Activity) -> JsonObject:
    """Claims about a professional, with a work situation.

    Args:
        claims: by the certificate; a structure that it names stays the organization.
        activity: that was chosen.
    """
    texts = {_NAME: activity.structure_name, _STRUCTURE: activity.structure_id, _SECTOR: activity.sector}
    told = {name: text for name, text in texts.items() if text is not None}
    added: dict[str, object] = {ACTIVITY_ID: activity.activity_id}
    added["SubjectRefPro"] = {"exercices": [{**_exercise(claims), "activities": [told]}]}
    if activity.sector is not None:
        added["Secteur_Activite"] = f"{activity.sector}^{oids.SECTOR}"
    if "SubjectOrganizationID" not in claims and activity.structure_id is not None:
        added["SubjectOrganizationID"] = activity.structure_id
        if activity.structure_name is not None:
            added["SubjectOrganization"] = activity.structure_name
    return {**claims, **added}


def activity_in(claims: JsonObject) -> Activity | None:
    """The work situation that claims tell, None where they tell none; total but for the error.

    Whether the other claims agree with it is for whoever makes them anew from it.

    Raises:
        NotStrict: one is told in a form that is not ours.
    """
    activity_id = claims.get(ACTIVITY_ID)
    if activity_id is None:
        return None
    told = _only_dict(_exercise(claims).get("activities"))
    name, structure, sector = (_text(told, key) for key in (_NAME, _STRUCTURE, _SECTOR))
    kind = None if structure is None else structure_id_kind(structure)
    well = (
        isinstance(activity_id, str)
        and is_activity_id(activity_id)
        and (name is None or shown_name(name) == name)
        and (structure is None or kind is not None)
        and (sector is None or is_sector(sector))
    )
    if not well:
        raise NotStrict("of a form that no card gives")
    label = None if sector is None else SECTORS.get(sector)
    return Activity(str(activity_id), name, structure, kind, sector, label)


def _exercise(claims: JsonObject) -> dict[str, object]:
    profile = claims.get("SubjectRefPro")
    if profile is None:
        return {}
    return _only_dict(profile.get("exercices") if isinstance(profile, dict) else None)


def _only_dict(value: object) -> dict[str, object]:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise NotStrict("not one object in an array")
    return value[0]


def _text(told: dict[str, object], name: str) -> str | None:
    value = told.get(name)
    if value is not None and not isinstance(value, str):
        raise NotStrict("not a text")
    return value
