"""The values of a rule's keys: each reader takes what TOML gives and gives a checked value, or says what it must be."""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from cardd.access.actions import Action
from cardd.access.hours import parse_hours
from cardd.access.rules import Relation
from cardd.access.terms import ConsentMode, ConsentTerms
from cardd_drivers.contract import DecipherAlgorithm, KeyName, SignatureAlgorithm

CARD_TYPES: Final = ("CPS", "CPF", "CPE", "CPA")
"""Table G02 of the cards' nomenclature, as `AccessRequest.card_type` names them."""
NAME_MAX: Final = 255
PATH_MAX: Final = 4096

_KIND: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_SEAT: Final = re.compile(r"seat[A-Za-z0-9_-]{1,60}")
_ID_MAX: Final = (1 << 32) - 2
_CONSENT_KEYS: Final = frozenset({"mode", "uses", "seconds"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Names:
    """Numbers by name; each function raises KeyError for a name that it does not know."""

    uid: Callable[[str], int]
    gid: Callable[[str], int]


def host_names() -> Names:
    """Those of this machine (nsswitch.conf(5))."""
    return Names(lambda name: pwd.getpwnam(name).pw_uid, lambda name: grp.getgrnam(name).gr_gid)


class ReadValue(Protocol):
    """Takes what TOML gives; raises ValueError with what it must be."""

    def __call__(self, value: Any, /, *, names: Names) -> Any:  # TOML
        """The checked value."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How a key is read, and which field of `Rule` it becomes."""

    field: str
    read: ReadValue


def _strings(value: Any) -> list[str]:  # TOML
    """A string, or a list of them."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError("must be a string or a list of strings")
    return found


def _each(value: Any, read: Callable[[str], T]) -> frozenset[T]:  # TOML
    return frozenset(read(one) for one in _strings(value))


def _one_of(allowed: tuple[str, ...]) -> Callable[[Any], frozenset[str]]:
    def one(text: str) -> str:
        if text not in allowed:
            raise ValueError(f'"{text}" is none of {", ".join(allowed)}')
        return text

    return lambda value: _each(value, one)


def _pattern(text: str, limit: int = NAME_MAX) -> str:
    if len(text) > limit or any(not character.isprintable() for character in text):
        raise ValueError(f"must have at most {limit} printable characters")
    if set(text) == {"*"}:
        raise ValueError('of "*" alone says nothing; leave the key out')
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("must be an absolute path")
    return _pattern(text, PATH_MAX)


def _snap(text: str) -> str:
    """A Snap's name stands for all of its programs."""
    return _pattern(text if "." in text or "*" in text else f"{text}.*")


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ValueError(f'"{text}" is no kind of documents: small letters, digits, "-" and "."')
    return text


def _kind_or_all(text: str) -> str:
    return text if text == "*" else _kind(text)


def _seat(text: str) -> str:
    if not _SEAT.fullmatch(text):
        raise ValueError(f'"{text}" is no seat; the first is seat0')
    return text


def _ids(value: Any, by_name: Callable[[str], int], what: str) -> frozenset[int]:  # TOML
    found = value if isinstance(value, list) else [value]
    if not found:
        raise ValueError("must not be empty")
    return frozenset(_id(one, by_name, what) for one in found)


def _id(value: Any, by_name: Callable[[str], int], what: str) -> int:  # TOML
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ID_MAX:
        return value
    if isinstance(value, str):
        try:
            return by_name(value)
        except (KeyError, ValueError):  # ValueError: a NUL in it
            raise ValueError(f'"{value}" is no {what} of this machine') from None
    raise ValueError(f"must be a name or a number of a {what}, or a list of them")


def read_name(value: Any) -> str:  # TOML
    """A name that the administrator gives."""
    if not isinstance(value, str) or len(value) > NAME_MAX or not value.isprintable():
        raise ValueError(f"must be a string of at most {NAME_MAX} printable characters")
    return value


def read_professions(value: Any) -> frozenset[int]:  # TOML
    """Codes of professions (tables G15 and G16)."""
    found = value if isinstance(value, list) else [value]
    whole = all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= 99 for one in found)
    if not found or not whole:
        raise ValueError("must be a code from 0 to 99, or a list of them")
    return frozenset(found)


read_card_types: Final = _one_of(CARD_TYPES)


def read_kinds(value: Any) -> frozenset[str]:  # TOML
    """Kinds of documents, "*" for all; an empty list is none."""
    return frozenset() if value == [] else _each(value, _kind_or_all)


def _boolean(value: Any) -> bool:  # TOML
    if value is not True and value is not False:
        raise ValueError("must be true or false")
    return bool(value)


def _relations(value: Any) -> frozenset[Relation]:  # TOML
    return frozenset(map(Relation, _one_of(tuple(Relation))(value)))


def _consent(value: Any) -> ConsentTerms:  # TOML
    if not isinstance(value, dict) or not set(value) <= _CONSENT_KEYS or "mode" not in value:
        raise ValueError('must be like { mode = "batch", uses = 50, seconds = 600 }')
    if value["mode"] not in list(ConsentMode):
        raise ValueError(f"mode must be one of {', '.join(ConsentMode)}")
    mode = ConsentMode(value["mode"])
    if mode is not ConsentMode.DOCUMENT and not {"uses", "seconds"} <= set(value):
        raise ValueError(f"of mode {mode.value} needs a limit of uses and one of seconds")
    uses, seconds = value.get("uses", 1), value.get("seconds", 120)
    if type(uses) is not int or type(seconds) not in (int, float):
        raise ValueError("uses must be a whole number, seconds a number")
    return ConsentTerms(mode, uses, float(seconds))


def _plain(read: Callable[[Any], Any]) -> ReadValue:
    def read_without_names(value: Any, /, *, names: Names) -> Any:  # TOML
        del names
        return read(value)

    return read_without_names


def _uids(value: Any, /, *, names: Names) -> frozenset[int]:  # TOML
    return _ids(value, names.uid, "user")


def _gids(value: Any, /, *, names: Names) -> frozenset[int]:  # TOML
    return _ids(value, names.gid, "group")


_KEYS: Final = tuple(one.value for one in KeyName if one is not KeyName.TECHNICAL)  # which no caller ever uses
_ALGORITHMS: Final = tuple(one.value for one in (*SignatureAlgorithm, *DecipherAlgorithm))

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "action": Reader("actions", _plain(lambda value: frozenset(map(Action, _one_of(tuple(Action))(value))))),
        "key": Reader("keys", _plain(_one_of(_KEYS))),
        "algorithm": Reader("algorithms", _plain(_one_of(_ALGORITHMS))),
        "unit": Reader("units", _plain(lambda value: _each(value, _pattern))),
        "user-unit": Reader("user_units", _plain(lambda value: _each(value, _pattern))),
        "flatpak": Reader("flatpaks", _plain(lambda value: _each(value, _pattern))),
        "snap": Reader("snaps", _plain(lambda value: _each(value, _snap))),
        "executable": Reader("executables", _plain(lambda value: _each(value, _path))),
        "user": Reader("uids", _uids),
        "group": Reader("gids", _gids),
        "card-type": Reader("card_types", _plain(read_card_types)),
        "profession": Reader("professions", _plain(read_professions)),
        "document-kind": Reader("document_kinds", _plain(lambda value: _each(value, _kind))),
        "seat": Reader("seats", _plain(lambda value: _each(value, _seat))),
        "session": Reader("relations", _plain(_relations)),
        "container": Reader("container", _plain(_boolean)),
        "hours": Reader("hours", _plain(lambda value: parse_hours(_strings(value)))),
        "consent": Reader("terms", _plain(_consent)),
        "own-agent": Reader("own_agent", _plain(_boolean)),
    }
)
"""Every key of a rule but its name and effect."""
