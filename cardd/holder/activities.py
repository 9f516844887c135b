"""What a card tells beyond its certificates: the holder's work situations and speciality, read as hostile bytes.

GUESS: the form of these files. Their paper was never published; implementers of medical software tell that
CPS_ACTIVITY_nn_PS is a container EE with 84 the structure's name, 85 its national identifier (Struct_IdNat) and 86 the
sector ("SA01"), and that the last four characters of CPS_INFO_PS are the speciality ("SM26"). Left open, and taken
either way here: BER lengths that are longer than needed, other tags beside these, bytes behind the container, names
in Latin-1 where they are no UTF-8, CPS_INFO_PS filled up with 00, FF or spaces. The files of one real card settle it
(`cardctl doctor --card-report --with-identity`).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final

from cardd.holder import der
from cardd.holder.errors import DerError
from cardd.holder.identifiers import StructureIdKind, structure_id_kind
from cardd.holder.sectors import SECTORS, SPECIALITIES

ACTIVITIES_MAX: Final = 16
"""CPS_ACTIVITY_01_PS to _16_PS; there may be gaps in the numbering."""
INFO_LABEL: Final = "CPS_INFO_PS"

_CONTAINER: Final = 0xEE
_NAME: Final = 0x84
_STRUCTURE: Final = 0x85
_SECTOR: Final = 0x86

_NAME_MAX: Final = 128
"""Characters: as of the names in certificates."""
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_ACTIVITY_ID: Final = re.compile(r"0[1-9]|1[0-6]")
_SECTOR_CODE: Final = re.compile(r"[A-Z]{2}[0-9]{2}")
_SPECIALITY: Final = re.compile(rb"[A-Z]{2}[0-9]{2}")
_FILLING: Final = b"\x00\xff "


class ActivityWarning(enum.StrEnum):
    """What is odd about a work situation. Names no person, so it may be logged."""

    UNREADABLE = "unreadable"
    """Nothing could be made of its file."""
    MALFORMED_NAME = "malformed-name"
    MALFORMED_STRUCTURE = "malformed-structure"
    MALFORMED_SECTOR = "malformed-sector"
    UNKNOWN_SECTOR = "unknown-sector"
    REPEATED = "repeated"
    """Something stands twice; neither counts."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One work situation of the holder. `repr` leaves out where it is: that comes close to who.

    No signature covers the file: it is worth what the card's write protection is.

    Args:
        activity_id: "01" to "16", the number in the object's label: names it on this card.
        structure_name: for people; None where the card does not say.
        structure_id: Struct_IdNat, type digit included; None likewise.
        structure_kind: by its type digit.
        sector: code of table R02.
        sector_label: its French label, None for a code that is not known here.
        warnings: what is odd, in the order met.
    """

    activity_id: str
    structure_name: str | None = field(default=None, repr=False)
    structure_id: str | None = field(default=None, repr=False)
    structure_kind: StructureIdKind | None = None
    sector: str | None = None
    sector_label: str | None = None
    warnings: tuple[ActivityWarning, ...] = ()


def activity_label(activity_id: str) -> str:
    """The label of the data object that tells a work situation."""
    return f"CPS_ACTIVITY_{activity_id}_PS"


def activity_ids() -> tuple[str, ...]:
    """All that a card may have, in their order."""
    return tuple(f"{number:02}" for number in range(1, ACTIVITIES_MAX + 1))


def is_activity_id(text: str) -> bool:
    """Whether a text can name a work situation."""
    return _ACTIVITY_ID.fullmatch(text) is not None


def is_sector(text: str) -> bool:
    """Whether a text can be a code of table R02."""
    return _SECTOR_CODE.fullmatch(text) is not None


def shown_name(text: str) -> str | None:
    """A structure's name for people: control and direction characters of it are replaced; None where none is left."""
    text = text.strip(" \x00")
    return "".join(char if char.isprintable() else _REPLACEMENT for char in text)[:_NAME_MAX] or None


def unreadable(activity_id: str) -> Activity:
    """A work situation whose file the card names and does not give."""
    return Activity(activity_id, warnings=(ActivityWarning.UNREADABLE,))


def parse_activity(activity_id: str, data: bytes) -> Activity:
    """Read CPS_ACTIVITY_nn_PS; total, whatever the bytes.

    Args:
        activity_id: "01" to "16".
        data: the file.
    """
    try:
        container = der.tagged(next(der.elements(data, shortest=False), der.Element(0, b"", 0)), _CONTAINER)
        members = list(der.elements(container, shortest=False))
    except DerError:
        return unreadable(activity_id)
    warnings: list[ActivityWarning] = []
    name = _structure_name(_only(members, _NAME, warnings), warnings)
    structure = _structure_id(_only(members, _STRUCTURE, warnings), warnings)
    sector = _sector(_only(members, _SECTOR, warnings), warnings)
    return Activity(
        activity_id=activity_id,
        structure_name=name,
        structure_id=structure,
        structure_kind=None if structure is None else structure_id_kind(structure),
        sector=sector,
        sector_label=None if sector is None else SECTORS.get(sector),
        warnings=tuple(warnings),
    )


def speciality_of(info: bytes) -> str | None:
    """The code of table R01 at the end of CPS_INFO_PS, None where there is none; total.

    Args:
        info: the file.
    """
    end = info.rstrip(_FILLING)[-4:]
    return end.decode("ascii") if _SPECIALITY.fullmatch(end) else None


def speciality_label(code: str) -> str | None:
    """The French label of a code of table R01, None where it is not known here."""
    return SPECIALITIES.get(code)


def _only(members: list[der.Element], tag: int, warnings: list[ActivityWarning]) -> bytes | None:
    values = [member.value for member in members if member.tag == tag]
    if len(values) > 1:
        warnings.append(ActivityWarning.REPEATED)
    return values[0] if len(values) == 1 else None


def _structure_name(value: bytes | None, warnings: list[ActivityWarning]) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    name = shown_name(text)
    if name != text:
        warnings.append(ActivityWarning.MALFORMED_NAME)
    return name


def _structure_id(value: bytes | None, warnings: list[ActivityWarning]) -> str | None:
    if value is None:
        return None
    text = value.decode("ascii", "replace").strip(" \x00")
    if structure_id_kind(text) is None:
        warnings.append(ActivityWarning.MALFORMED_STRUCTURE)
        return None
    return text


def _sector(value: bytes | None, warnings: list[ActivityWarning]) -> str | None:
    if value is None:
        return None
    text = value.decode("ascii", "replace").strip(" \x00")
    if not is_sector(text):
        warnings.append(ActivityWarning.MALFORMED_SECTOR)
        return None
    if text not in SECTORS:
        warnings.append(ActivityWarning.UNKNOWN_SECTOR)
    return text
