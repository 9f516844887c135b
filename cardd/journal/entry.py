"""An entry: an event with its time and its place in the chain, and its line in the file.

Schema 1, keys in this order: boot, caller, holder, kind, monotonic, prev, result, schema, seq, time, what.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any

from cardd.journal.clock import Stamp, time_of, time_text
from cardd.journal.errors import LineMalformed
from cardd.journal.event import CallerRef, Detail, Event, HolderRef, Kind, Value
from cardd.journal.text import safe, string

SCHEMA = 1
LINE_MAX = 64 * 1024
"""Bytes of a line, its newline included; what `Event` allows stays below."""


@dataclass(slots=True)
class Body:
    """An entry that waits for its place: its text before the link to the previous line, and after it.

    (Not frozen: this and what follows is most of what an entry costs beside the disk.)
    """

    before: str
    middle: str
    after: str
    stamp: Stamp
    event: Event

    def line(self, seq: int, prev: str) -> bytes:
        """The bytes to write; ``prev`` is the SHA-256 of the previous line in hexadecimal."""
        return f'{self.before}"prev":"{prev}",{self.middle}"seq":{seq},{self.after}\n'.encode()


def body_of(event: Event, stamp: Stamp) -> Body:
    """Everything of the line that does not depend on its place."""
    return Body(
        f"{_start(stamp.boot, event.caller, event.holder, event.kind)}{stamp.monotonic},",
        f'"result":"{event.result}","schema":{SCHEMA},',
        f'"time":"{time_text(stamp.microseconds)}","what":{_what_text(event.what)}}}',
        stamp,
        event,
    )


def _what_text(what: Mapping[Detail, Value]) -> str:
    """As `json.dumps` would with sorted keys; the names need no escape."""
    parts: list[str] = []
    for name, start in _in_order(tuple(what)):
        value = what[name]
        if isinstance(value, str):
            text = encode_basestring(value)
            if not text.isprintable():
                text = safe(text)
        elif isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = str(value)
        parts.append(start + text)
    return "{" + ",".join(parts) + "}"


@functools.lru_cache(maxsize=256)
def _in_order(names: tuple[Detail, ...]) -> tuple[tuple[Detail, str], ...]:
    """The names sorted, each with what it begins its member with: an event's kind has but a few sets of names."""
    return tuple((name, f'"{name}":') for name in sorted(names))


@functools.lru_cache(maxsize=256)
def _start(boot: str, caller: CallerRef | None, holder: HolderRef | None, kind: Kind) -> str:
    """What a line begins with; a session's entries have it in common."""
    who = f'"caller":{_caller_text(caller)},"holder":{_holder_text(holder)}'
    return f'{{"boot":"{boot}",{who},"kind":"{kind}","monotonic":'


def _caller_text(caller: CallerRef | None) -> str:
    if caller is None:
        return "null"
    pid = "null" if caller.pid is None else str(caller.pid)
    return f'{{"application":{string(caller.application)},"pid":{pid},"uid":{caller.uid},"unit":{string(caller.unit)}}}'


def _holder_text(holder: HolderRef | None) -> str:
    if holder is None:
        return "null"
    return f'{{"card":{string(holder.card)},"id":{string(holder.national_id)}}}'


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands in the journal.

    Args:
        schema: version of the form.
        seq: number of its line; every line of the journal has one, segment headers and seals too.
        time: UTC, with microseconds.
        monotonic: nanoseconds of the boot's monotonic clock.
        boot: the kernel's boot id.
        prev: SHA-256 of the previous line, hexadecimal.
        kind: a `Kind`, or the plain word where a later version wrote one that is not known here.
        result: "ok" or an error's name.
        holder: whose card, or None.
        caller: who asked, or None.
        what: particulars.
    """

    schema: int
    seq: int
    time: datetime
    monotonic: int
    boot: str
    prev: str
    kind: Kind | str
    result: str
    holder: HolderRef | None
    caller: CallerRef | None
    what: Mapping[str, Value]


def parse_entry(line: bytes) -> Entry:
    """Read an entry's line.

    Raises:
        LineMalformed: it is not UTF-8 or JSON, names a key twice, or lacks what an entry has.
    """
    if len(line) > LINE_MAX:
        raise LineMalformed(f"longer than {LINE_MAX} bytes")
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LineMalformed(type(error).__name__) from error
    try:
        return _entry(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LineMalformed(f"{type(error).__name__} in its fields") from error


def _entry(value: Any) -> Entry:  # parsed JSON
    if value["schema"] != SCHEMA:
        raise LineMalformed("a schema that is not known here")
    what = value["what"]
    if not all(isinstance(one, str | int) for one in what.values()):
        raise LineMalformed("particulars of a wrong type")
    holder, caller = value["holder"], value["caller"]
    kind = _text(value["kind"])
    return Entry(
        schema=SCHEMA,
        seq=_number(value["seq"]),
        time=time_of(_text(value["time"])),
        monotonic=_number(value["monotonic"]),
        boot=_text(value["boot"]),
        prev=_text(value["prev"]),
        kind=Kind(kind) if kind in _KINDS else kind,
        result=_text(value["result"]),
        holder=None if holder is None else HolderRef(holder["id"], holder["card"]),
        caller=None
        if caller is None
        else CallerRef(caller["uid"], caller["pid"], caller["unit"], caller["application"]),
        what=what,
    )


_KINDS = frozenset(one.value for one in Kind)


def _text(value: Any) -> str:  # parsed JSON
    if not isinstance(value, str):
        raise LineMalformed("a number where a text belongs")
    return value


def _number(value: Any) -> int:  # parsed JSON
    if type(value) is not int or value < 0:
        raise LineMalformed("something else where a number belongs")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise LineMalformed("a key that stands twice")
    return found
