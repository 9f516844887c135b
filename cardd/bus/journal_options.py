"""The options of org.cardd1.Journal's methods, turned into what is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cardd.bus.options import typed_options
from cardd.errors import InvalidArgument
from cardd.journal import Kind
from cardd.journal.clock import time_text
from cardd.journal.query import Query
from cardd.sessions.journal_readings import Search

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINES_MAX = 10**15
"""A line's number has 15 digits at most."""

_QUERY = {
    "since": "t",
    "until": "t",
    "holder": "s",
    "card": "s",
    "uid": "u",
    "unit": "s",
    "application": "s",
    "kind": "as",
    "result": "s",
    "after": "t",
    "limit": "u",
    "newest-first": "b",
    "follow": "b",
}
_EXPORT = {"first": "t", "last": "t"}


def search_of(options: Mapping[str, Any]) -> Search:
    """What a query looks for.

    Raises:
        UnknownOption, InvalidArgument.
    """
    given = typed_options(options, _with_one_kind(options))
    kinds = given.get("kind", [])
    query = Query(
        since=_when(given, "since"),
        until=_when(given, "until"),
        holder=given.get("holder"),
        card=given.get("card"),
        uid=given.get("uid"),
        unit=given.get("unit"),
        application=given.get("application"),
        kinds=_kinds([kinds] if isinstance(kinds, str) else kinds),
        result=given.get("result"),
        after=_line(given, "after", 0),
        newest_first=given.get("newest-first", False),
        limit=_line(given, "limit", None),
    )
    follow = given.get("follow", False)
    if follow and (query.newest_first or query.limit is not None):
        raise InvalidArgument(argument="follow", reason="it goes on for ever, oldest first, without a limit")
    return Search(query, follow, _wording(query))


def lines_of(options: Mapping[str, Any]) -> tuple[int, int | None]:
    """The first and the last line of an export.

    Raises:
        UnknownOption, InvalidArgument.
    """
    given = typed_options(options, _EXPORT)
    return _line(given, "first", 1), _line(given, "last", None)


def _with_one_kind(options: Mapping[str, Any]) -> dict[str, str]:
    """One kind may be given as a plain string."""
    kind = options.get("kind")
    return {**_QUERY, "kind": "s"} if kind is not None and kind.signature == "s" else _QUERY


def _when(given: Mapping[str, Any], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        return _EPOCH + timedelta(microseconds=given[name])
    except OverflowError:
        raise InvalidArgument(argument=name, reason="no such moment: it counts microseconds since 1970") from None


def _line(given: Mapping[str, Any], name: str, default: Any) -> Any:  # as the default is: a number or None
    if name not in given:
        return default
    if not (0 if name == "after" else 1) <= given[name] < _LINES_MAX:
        raise InvalidArgument(argument=name, reason="there is no such number of lines")
    return int(given[name])


def _kinds(words: list[str]) -> frozenset[str]:
    known = {one.value for one in Kind}
    if not known.issuperset(words):
        raise InvalidArgument(argument="kind", reason="there is no such kind of entry")
    return frozenset(words)


def _wording(query: Query) -> str:
    """What was looked for, for the journal."""
    shown: dict[str, Callable[[Any], str]] = {"since": _moment, "until": _moment, "kinds": _words}
    parts = []
    for name in ("since", "until", "holder", "card", "uid", "unit", "application", "kinds", "result"):
        value = getattr(query, name)
        if value not in (None, frozenset()):
            parts.append(f"{name}={shown.get(name, str)(value)}")
    return " ".join(parts)


def _moment(value: datetime) -> str:
    return time_text((value - _EPOCH) // timedelta(microseconds=1))


def _words(value: frozenset[str]) -> str:
    return ",".join(sorted(value))
