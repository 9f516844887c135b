"""The work situations of a session's holder: read from the card once the PIN is verified, one of them chosen."""

from __future__ import annotations

from collections.abc import Iterable

from cardd.errors import NoSuchActivity, shown
from cardd.holder.activities import (
    INFO_LABEL,
    Activity,
    activity_ids,
    activity_label,
    parse_activity,
    speciality_of,
    unreadable,
)
from cardd.journal import Detail, clipped
from cardd.sessions.account import What
from cardd_drivers.contract import (
    Card,
    MalformedCardData,
    ObjectNotFound,
    SecurityStatusNotSatisfied,
    UnexpectedResponse,
)


def read_activities(card: Card) -> tuple[Activity, ...]:
    """The situations that the card tells, in their order; runs on the card's thread.

    Raises:
        What the card raises, a situation apart that it names and does not give: that one is told as unreadable.
    """
    found = (_read(card, activity_id) for activity_id in activity_ids())
    return tuple(activity for activity in found if activity is not None)


def read_speciality(card: Card) -> str | None:
    """The code of the holder's speciality, None where the card tells none; runs on the card's thread.

    Raises:
        What the card raises, a file apart that it lacks or does not give: no PIN is asked for it.
    """
    try:
        return speciality_of(card.read_object(INFO_LABEL))
    except (ObjectNotFound, SecurityStatusNotSatisfied, MalformedCardData, UnexpectedResponse):
        return None


def named(activities: Iterable[Activity], activity_id: str) -> Activity:
    """The one of that id.

    Raises:
        NoSuchActivity.
    """
    for activity in activities:
        if activity.activity_id == activity_id:
            return activity
    raise NoSuchActivity(activity=shown(activity_id))


def details_of(activity: Activity | None) -> What:
    """What the journal's entries say of the chosen one; nothing where none is."""
    if activity is None:
        return {}
    texts = {
        Detail.ACTIVITY: activity.activity_id,
        Detail.STRUCTURE: activity.structure_id,
        Detail.SECTOR: activity.sector,
    }
    return {name: clipped(text) for name, text in texts.items() if text is not None}


def _read(card: Card, activity_id: str) -> Activity | None:
    try:
        return parse_activity(activity_id, card.read_object(activity_label(activity_id)))
    except ObjectNotFound:
        return None
    except (MalformedCardData, UnexpectedResponse):
        return unreadable(activity_id)
