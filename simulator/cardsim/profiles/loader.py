"""Finds profiles and makes them of TOML."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

from cardsim.ias_ecc.access_rules import Interface
from cardsim.layouts.catalogue import LAYOUTS, STANDARD_LAYOUT
from cardsim.profiles.model import Activity, CardSettings, CardType, CertificateVariant, Holder, Profile
from cardsim.profiles.reader import Document, ProfileError, Table
from cardsim.profiles.switches import read_behaviour, read_numbers

__all__ = ["ProfileError", "load", "names", "parse"]

_SUFFIX = ".toml"
_OTHER_FACE = ":contactless"
_INTERFACES = {member.name.lower(): member for member in Interface}
_NO_CONTACTLESS = "a card of this layout has no contactless interface"
CERTIFICATE_SIZES, CERTIFICATE_FILE_SIZES = (700, 4096), (700, 8192)
"""Bytes. What is least for a holder depends on the holder's names, and is told when the certificate is issued."""
_CARD_TYPES = {member.name: member for member in CardType}


def names() -> list[str]:
    """Names of the profiles that come with the simulator, sorted."""
    files = (entry.name for entry in resources.files(__package__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX))


def load(name_or_path: str | Path) -> Profile:
    """Load a profile.

    Args:
        name_or_path: one of ``names()``, or the path of a TOML file (anything with a separator or ``.toml``); with
            ``:contactless`` behind it, the same card met without contact.

    Raises:
        ProfileError: no such profile, unreadable, or refused; names file, line and key.
    """
    given = str(name_or_path)
    if isinstance(name_or_path, str) and given.endswith(_OTHER_FACE):
        return _without_contact(load(given.removesuffix(_OTHER_FACE)), given)
    if isinstance(name_or_path, Path) or "/" in given or given.endswith(_SUFFIX):
        path = Path(name_or_path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(given, None, f"cannot be read: {error}") from error
        return parse(text, given, path.name.removesuffix(_SUFFIX))
    if given not in names():
        raise ProfileError(given, None, "no such profile; there are " + ", ".join(names()))
    text = resources.files(__package__).joinpath(given + _SUFFIX).read_text(encoding="utf-8")
    return parse(text, given + _SUFFIX, given)


def _without_contact(profile: Profile, given: str) -> Profile:
    if LAYOUTS[profile.card.layout].contactless is None:
        raise ProfileError(given, None, _NO_CONTACTLESS)
    return replace(profile, name=given, card=replace(profile.card, interface=Interface.CONTACTLESS))


def parse(text: str, file: str, name: str) -> Profile:
    """Make a profile of TOML text.

    Args:
        text: the TOML.
        file: file name for faults.
        name: the profile's name.

    Raises:
        ProfileError: no TOML, an unknown key, a bad value.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(file, None, f"no TOML: {error}") from error
    top = Table(Document(file, text), "", values)
    description = top.text("description", r".{1,200}", "1 to 200 characters")
    holder = _holder(top.table("holder"))
    card = _card(top.table("card"))
    activities = _activities(top)
    certificates = top.table("certificates")
    variant = certificates.choice("variant", CertificateVariant, CertificateVariant.VALID)
    size = certificates.optional_number("size", *CERTIFICATE_SIZES)
    file_size = certificates.optional_number("file_size", *CERTIFICATE_FILE_SIZES)
    certificates.finish()
    layout = LAYOUTS[card.layout]
    behaviour = read_behaviour(top.table("behaviour"), layout.behaviour)
    numbers = read_numbers(top.table("numbers"), layout.numbers)
    timing = top.flag("timing", default=False)
    top.finish()
    return Profile(name, description, holder, card, activities, variant, behaviour, numbers, timing, size, file_size)


def _holder(table: Table) -> Holder:
    card_type = table.text("card_type")
    if card_type not in _CARD_TYPES:
        raise table.error("card_type", "must be one of " + ", ".join(_CARD_TYPES))
    holder = Holder(
        card_type=_CARD_TYPES[card_type],
        identifier=table.text("identifier", r"[0-9A-Za-z/]{1,64}", "letters, digits and slashes"),
        title=table.text("title"),
        surname=table.optional_text("surname"),
        given_name=table.optional_text("given_name"),
        profession=table.optional_number("profession", 0, 127),
        future_profession=table.optional_number("future_profession", 0, 127),
        speciality=table.optional_text("speciality", r"[A-Z]{1,2}[0-9]{1,3}", "a code as SM26"),
        structure_name=table.optional_text("structure_name"),
        structure_identifier=table.optional_text("structure_identifier", r"[0-9A-Z]{2,20}", "a Struct_IdNat"),
        region=table.optional_text("region"),
        pseudonym=table.optional_text("pseudonym"),
    )
    table.finish()
    if (holder.surname is None) != (holder.given_name is None):
        raise table.error(None, "surname and given_name go together")
    return holder


def _card(table: Table) -> CardSettings:
    card = CardSettings(
        number=table.text("number", r"[0-9]{10}", "10 digits"),
        serial=table.text("serial", r"[0-9]{8}", "8 digits"),
        pin=table.text("pin", r"[0-9]{4}", "4 digits"),
        puk=table.text("puk", r"[0-9]{8}", "8 digits"),
        pin_tries_left=table.number("pin_tries_left", 0, 3, default=3),
        puk_tries_left=table.number("puk_tries_left", 0, 10, default=10),
        test=table.flag("test", default=True),
        renewal=table.number("renewal", 0, 99, default=0),
        interface=_interface(table),
        layout=table.optional_text("layout") or STANDARD_LAYOUT.name,
    )
    if card.layout not in LAYOUTS:
        raise table.error("layout", "must be one of " + ", ".join(LAYOUTS))
    if card.interface is Interface.CONTACTLESS and LAYOUTS[card.layout].contactless is None:
        raise table.error("interface", _NO_CONTACTLESS)
    table.finish()
    return card


def _interface(table: Table) -> Interface:
    name = table.optional_text("interface") or "contact"
    if name not in _INTERFACES:
        raise table.error("interface", "must be one of " + ", ".join(_INTERFACES))
    return _INTERFACES[name]


def _activities(top: Table) -> tuple[Activity, ...]:
    activities: list[Activity] = []
    for table in top.tables("activities"):
        activity = Activity(
            number=table.number("number", 1, 16),
            name=table.text("name"),
            structure=table.text("structure", r"[0-9A-Z]{2,20}", "a Struct_IdNat"),
            sector=table.text("sector", r"SA[0-9]{2}", "a sector code as SA07"),
        )
        table.finish()
        if any(activity.number <= other.number for other in activities):
            raise table.error("number", "must rise from one activity to the next")
        activities.append(activity)
    return tuple(activities)
