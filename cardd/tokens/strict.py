"""Strict reading of what JOSE is written in: one text for one value, bounded, nothing said twice."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final, NoReturn

JsonObject = Mapping[str, object]
"""A JSON object as parsed: values are None, bool, int, str, lists and dicts."""

MAX_DEPTH: Final = 8
"""Objects and arrays within one another; a token of ours has five."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class NotStrict(ValueError):
    """The text is not what its writer should have written; the message says what is wrong and quotes nothing."""


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_bytes(text: str) -> bytes:
    """What a base64url text stands for.

    Raises:
        NotStrict: padding, a foreign character, a wrong length, or unused bits that are not zero: several texts would
            stand for one value, and the hash of a token would not name it.
    """
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        raise NotStrict("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise NotStrict("not the one base64url text of its value")
    return data


def base64_bytes(text: str) -> bytes:
    """What a base64 text (RFC 4648, 4, padded, as `x5c` has it) stands for.

    Raises:
        NotStrict: as `base64url_bytes`.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotStrict("not base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise NotStrict("not the one base64 text of its value")
    return data


def json_object(data: bytes) -> JsonObject:
    """Parse a JSON object.

    Args:
        data: UTF-8; the caller has bounded its length.

    Raises:
        NotStrict: not UTF-8, not JSON, not an object, deeper than `MAX_DEPTH`, a member named twice, a number that is
            no integer, half a surrogate pair.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("not UTF-8") from None
    _require_shallow(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_float=_no_number, parse_constant=_no_number, parse_int=_integer
        )
    except NotStrict:
        raise
    except ValueError:  # from None: the library's text quotes the document
        raise NotStrict("not JSON") from None
    if not isinstance(value, dict):
        raise NotStrict("not a JSON object")
    try:
        # Escapes may have written half a surrogate pair, which no other text format can carry on.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotStrict("a string of it is no Unicode text") from None
    return value


def json_bytes(value: JsonObject) -> bytes:
    """The JSON that tokens are written in: UTF-8, no spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _require_shallow(text: str) -> None:
    """Bound the depth before the parser descends."""
    depth, in_string, escaped = 0, False, False
    for one in text:
        if in_string:
            in_string = escaped or one != '"'
            escaped = one == "\\" and not escaped
        elif one == '"':
            in_string = True
        elif one in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotStrict(f"more than {MAX_DEPTH} levels deep")
        elif one in "}]":
            depth -= 1


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("a member is named twice")
    return members


def _no_number(_text: str) -> NoReturn:
    raise NotStrict("a number of it is no integer")


def _integer(text: str) -> int:
    if len(text) > 19:
        raise NotStrict("a number of it is out of range")
    return int(text)
