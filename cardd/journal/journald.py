"""Heads in what journalctl gives out: from the field CARDD_HEAD alone, for other fields are a stranger's words."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cardd.journal.link import Head
from cardd.journal.mirror import HEAD_FIELD

_CURSOR = b"__CURSOR"
_LENGTH_BYTES = 8


class JournaldMalformed(ValueError):
    """It begins like what journalctl gives out, and goes on differently.

    Args:
        offset: of the record or field that is spoilt, in bytes.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"not what `journalctl -o export` or `-o json` gives, at byte {offset}")


def is_journald(data: bytes) -> bool:
    """Whether something is what ``journalctl -o export`` or ``-o json`` gives out."""
    return data.startswith(_CURSOR + b"=") or (data.startswith(b"{") and b'"__CURSOR"' in data.partition(b"\n")[0])


def journald_heads(data: bytes) -> list[Head]:
    """The heads that cardd sent to journald, in the order of the file.

    Which program sent a record journald knows (``_SYSTEMD_UNIT``): have journalctl select by it, or any user can send a
    head of his own.

    Args:
        data: Journal Export Format or Journal JSON Format (systemd, "Journal Export Formats").

    Raises:
        JournaldMalformed: it is spoilt or cut short, or a head is none.
    """
    records = _exported(data) if data.startswith(_CURSOR) else _json(data)
    heads: list[Head] = []
    for offset, value in records:
        try:
            heads.append(Head.parse(value))
        except ValueError as error:
            raise JournaldMalformed(offset) from error
    return heads


def _exported(data: bytes) -> Iterator[tuple[int, str]]:
    """The field's values: a field is a line NAME=VALUE, or NAME, a length (64 bits, little endian), that many bytes."""
    wanted, offset = HEAD_FIELD.encode(), 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        if end < 0:
            raise JournaldMalformed(offset)
        name, equals, value = data[offset:end].partition(b"=")
        after = end + 1
        if name and not equals:
            start = after + _LENGTH_BYTES
            after = start + int.from_bytes(data[end + 1 : start], "little") + 1
            value = data[start : after - 1]
            if data[after - 1 : after] != b"\n":
                raise JournaldMalformed(offset)
        if name == wanted:
            yield offset, value.decode("utf-8", "replace")
        offset = after


def _json(data: bytes) -> Iterator[tuple[int, str]]:
    """The field's values: an object a line; a field that was sent several times is a list."""
    offset = 0
    for line in data.splitlines(keepends=True):
        try:
            record = json.loads(line)
            value = record.get(HEAD_FIELD)
        except (ValueError, AttributeError, RecursionError) as error:
            raise JournaldMalformed(offset) from error
        if value is not None:
            yield offset, str(value)
        offset += len(line)
