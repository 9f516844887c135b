"""The tables ``[behaviour]`` and ``[numbers]`` of a profile: a key for each field of ``Behaviour`` and ``Numbers``."""

from __future__ import annotations

import enum
from dataclasses import Field, dataclass, fields, replace
from typing import Any

from cardsim.behaviour import Behaviour
from cardsim.ias_ecc.files import MASTER_FILE
from cardsim.layouts.layout import EF_CIA_INFO, EF_ODF
from cardsim.layouts.numbers import (
    APPLICATIONS,
    CONTACTLESS_FILE_NUMBERS,
    CONTACTLESS_KEY_NUMBERS,
    FILE_NUMBERS,
    KEY_NUMBERS,
    PIN_REFERENCES,
    KeyReferenceForm,
    Numbers,
)
from cardsim.profiles.reader import Table

FID_CPS_DATA, FID_FIRST_ACTIVITY, ACTIVITIES_MAX = 0xD107, 0xD120, 16
_TAKEN = {EF_ODF, EF_CIA_INFO, FID_CPS_DATA, *range(FID_FIRST_ACTIVITY, FID_FIRST_ACTIVITY + ACTIVITIES_MAX)}
_RESERVED = {MASTER_FILE, 0x3FFF, 0xFFFF}
"""ISO 7816-4, 7.2.2: the master file, the current DF, and what is for future use."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One key of ``[behaviour]``, for whoever lists them.

    Args:
        name: the key.
        values: what it may be, as TOML writes it; the usual one first.
        meaning: what it does.
    """

    name: str
    values: tuple[str, ...]
    meaning: str


def switches() -> tuple[Switch, ...]:
    """Every key of ``[behaviour]``."""
    standard = Behaviour()
    return tuple(
        Switch(each.name, _values(each, getattr(standard, each.name)), each.metadata["meaning"])
        for each in fields(Behaviour)
    )


def _values(switch: Field[Any], standard: object) -> tuple[str, ...]:
    if isinstance(standard, bool):
        return tuple(str(value).lower() for value in (standard, not standard))
    if isinstance(standard, enum.Enum):
        others = (member for member in type(standard) if member is not standard)
        return tuple(f'"{member.value}"' for member in (standard, *others))
    low, high = switch.metadata["range"]
    return str(standard), f"{low} to {high}"


def read_behaviour(table: Table, standard: Behaviour) -> Behaviour:
    """The switches of a profile.

    Args:
        table: ``[behaviour]``.
        standard: what the layout has where the table is silent.

    Raises:
        ProfileError: an unknown switch or a bad value.
    """
    chosen: dict[str, Any] = {}
    for switch in fields(Behaviour):
        default = getattr(standard, switch.name)
        if isinstance(default, bool):
            chosen[switch.name] = table.flag(switch.name, default=default)
        elif isinstance(default, enum.Enum):
            chosen[switch.name] = table.choice(switch.name, type(default), default)
        else:
            low, high = switch.metadata["range"]
            chosen[switch.name] = table.number(switch.name, low, high, default=default)
    table.finish()
    return replace(standard, **chosen)


def read_numbers(table: Table, standard: Numbers) -> Numbers:
    """The numbers of a profile's files, keys and PINs.

    Args:
        table: ``[numbers]``.
        standard: what the layout has where the table is silent.

    Raises:
        ProfileError: an unknown key, a bad value, or one number for two things.
    """
    chosen: dict[str, Any] = {
        "key_references": table.choice("key_references", KeyReferenceForm, standard.key_references)
    }
    for name in (*APPLICATIONS, *FILE_NUMBERS, *CONTACTLESS_FILE_NUMBERS):
        chosen[name] = table.number(name, 0x0001, 0xFFFE, default=getattr(standard, name))
    for name in (*KEY_NUMBERS, *CONTACTLESS_KEY_NUMBERS, *PIN_REFERENCES):
        chosen[name] = table.number(name, 1, 31, default=getattr(standard, name))
    table.finish()
    numbers = replace(standard, **chosen)
    _refuse_twins(table, numbers, APPLICATIONS, _RESERVED)
    _refuse_twins(table, numbers, FILE_NUMBERS, _TAKEN | _RESERVED)
    _refuse_twins(table, numbers, CONTACTLESS_FILE_NUMBERS, {EF_ODF, EF_CIA_INFO} | _RESERVED)
    _refuse_twins(table, numbers, KEY_NUMBERS, set())
    _refuse_twins(table, numbers, PIN_REFERENCES, set())
    return numbers


def _refuse_twins(table: Table, numbers: Numbers, names: tuple[str, ...], taken: set[int]) -> None:
    seen = dict.fromkeys(taken, "the card itself")
    for name in names:
        number = getattr(numbers, name)
        if number in seen:
            raise table.error(name, f"has the number of {seen[number]}")
        seen[number] = name
