"""The professional data objects that the agency's library shows (CPS_ID_CARD, CPS_ACTIVITY_01_PS and the rest).

GUESS: the ASN.1 inside all but the activities, whose format was not published; the files of a real card settle it.
"""

from __future__ import annotations

from cardsim.layouts.content import DataObject
from cardsim.layouts.numbers import Numbers
from cardsim.pkcs15 import SEQUENCE, text
from cardsim.profiles.model import Activity, Profile
from cardsim.profiles.switches import FID_CPS_DATA, FID_FIRST_ACTIVITY
from cardsim.tlv import encode

PRINTABLE_STRING = 0x13


CPS_DATA_SIZE = 128


def data_objects(profile: Profile, generation: str, numbers: Numbers) -> tuple[DataObject, ...]:
    """All data objects of a profile, in the order of the data directory.

    Args:
        profile: the profile.
        generation: as in the token label, ``CPS3v3``.
        numbers: file identifiers.
    """
    holder = profile.holder
    free = (
        DataObject("CPS_DATA", FID_CPS_DATA, bytes(CPS_DATA_SIZE), writable=True),
        DataObject("CPS_ID_CARD", numbers.id_card, encode(SEQUENCE, _printable(profile.card.number), text(generation))),
        DataObject(
            "CPS_NAME_PS", numbers.name, encode(SEQUENCE, text(holder.surname or ""), text(holder.given_name or ""))
        ),
        DataObject("CPS_LANG_PS", numbers.language, _printable("fr")),
        DataObject("CPS_INFO_PS", numbers.info, _info(profile)),
    )
    return free + tuple(_activity(activity) for activity in profile.activities)


def _printable(value: str) -> bytes:
    return encode(PRINTABLE_STRING, value.encode("ascii"))


def _info(profile: Profile) -> bytes:
    """The speciality code stands last, four characters."""
    holder = profile.holder
    profession = holder.profession if holder.profession is not None else holder.future_profession
    parts = ["" if profession is None else str(profession), holder.speciality]
    return encode(SEQUENCE, *(text(part) for part in parts if part is not None))


def _activity(activity: Activity) -> DataObject:
    """Container EE: 84 name, 85 structure identifier, 86 sector."""
    content = encode(
        0xEE,
        encode(0x84, activity.name.encode("utf-8")),
        encode(0x85, activity.structure.encode("ascii")),
        encode(0x86, activity.sector.encode("ascii")),
    )
    fid = FID_FIRST_ACTIVITY + activity.number - 1
    return DataObject(f"CPS_ACTIVITY_{activity.number:02}_PS", fid, content, private=True)


def billing_situation(profile: Profile) -> bytes:
    """CPS_SIT_FACT of the older side. GUESS: its ASN.1, one text; no format was published."""
    return encode(SEQUENCE, text(f"SITUATION DE FACTURATION FICTIVE {profile.card.number}"))


def older_activities(profile: Profile) -> tuple[tuple[int, bytes], ...]:
    """CPS2TER_ACTIVITY_nn_PS of the older side, one beside each activity. GUESS: as ``billing_situation``."""
    return tuple((each.number, encode(SEQUENCE, text(each.name))) for each in profile.activities)
