"""Work situations as a reply says them. Never a property, never a signal: any local user hears those."""

from __future__ import annotations

from cardd.bus.interface import Variant, variant
from cardd.holder.activities import Activity, speciality_label


def activities_reply(activities: tuple[Activity, ...], selected: Activity | None) -> list[dict[str, Variant]]:
    """What GetActivities answers.

    Args:
        activities: in the order of the card.
        selected: the one that was chosen, None for none.
    """
    chosen = None if selected is None else selected.activity_id
    return [_row(activity, selected=activity.activity_id == chosen) for activity in activities]


def speciality_reply(code: str | None) -> dict[str, Variant]:
    """The members of GetHolder's answer that tell a speciality; none where there is none."""
    if code is None:
        return {}
    texts = {"speciality": code, "speciality-label": speciality_label(code)}
    return {name: variant("s", text) for name, text in texts.items() if text is not None}


def _row(activity: Activity, *, selected: bool) -> dict[str, Variant]:
    texts = {
        "id": activity.activity_id,
        "structure-name": activity.structure_name,
        "structure-id": activity.structure_id,
        "structure-kind": None if activity.structure_kind is None else activity.structure_kind.value,
        "sector": activity.sector,
        "sector-label": activity.sector_label,
    }
    row = {name: variant("s", text) for name, text in texts.items() if text is not None}
    row["selected"] = variant("b", selected)
    row["warnings"] = variant("as", [warning.value for warning in activity.warnings])
    return row
