"""Reading a compact JWS of ours, before anything of it is believed: a closed format, refused where it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cardd.tokens.errors import AlgorithmRefused, TokenMalformed, TokenTooLarge, TypeRefused, shown
from cardd.tokens.jose import MAX_LENGTH, Algorithm, Type
from cardd.tokens.strict import JsonObject, NotStrict, base64url_bytes, json_object

T = TypeVar("T")

MAX_TIME = 1 << 33
"""Seconds since 1970 that a claim may name: the year 2242."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a text must be.

    Args:
        what: names it in sentences.
        typ: its `typ`.
        algorithms: by the name of the header member that tells the key, the one algorithm that goes with it.
    """

    what: str
    typ: Type
    algorithms: dict[str, Algorithm]


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS taken apart; nothing of it has been checked against a key.

    Args:
        text: the whole.
        key_member: the header member that tells the key: `x5c`, `jwk` or `kid`.
        key_value: its value.
        claims: the payload.
        what: names it in sentences.
    """

    text: str = field(repr=False)
    key_member: str
    key_value: object = field(repr=False)
    claims: JsonObject = field(repr=False)
    what: str


def read_compact(text: str, expected: Expected) -> Unverified:
    """Take a compact JWS (RFC 7515, 7.1) apart.

    Args:
        text: from a stranger; its length is looked at before anything else.

    Raises:
        TokenTooLarge, TokenMalformed, AlgorithmRefused, TypeRefused.
    """
    what = expected.what
    if len(text) > MAX_LENGTH:
        raise TokenTooLarge(what=what, limit=MAX_LENGTH)
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenMalformed(what=what, reason=f"it has {len(parts)} parts in place of three")
    header = _strictly(what, "header", lambda: json_object(base64url_bytes(parts[0])))
    key_member = _require_header(header, expected)
    signature = _strictly(what, "signature", lambda: base64url_bytes(parts[2]))
    if not signature:
        raise TokenMalformed(what=what, reason="it is not signed")
    claims = _strictly(what, "payload", lambda: json_object(base64url_bytes(parts[1])))
    return Unverified(text, key_member, header[key_member], claims, what)


def _require_header(header: JsonObject, expected: Expected) -> str:
    """The header member that tells the key; nothing but it, `alg` and `typ` may stand there (no `crit`, `jku`, …)."""
    algorithm = header.get("alg")
    accepted = " or ".join(sorted(set(expected.algorithms.values())))
    if algorithm not in expected.algorithms.values():
        raise AlgorithmRefused(what=expected.what, algorithm=shown(algorithm), expected=accepted)
    if header.get("typ") != expected.typ:
        raise TypeRefused(what=expected.what, typ=shown(header.get("typ")), expected=expected.typ.value)
    rest = [name for name in header if name not in ("alg", "typ")]
    if len(rest) != 1 or rest[0] not in expected.algorithms:
        named = " or ".join(expected.algorithms)
        raise TokenMalformed(
            what=expected.what, reason=f"beside alg and typ its header must have {named}, nothing else"
        )
    if algorithm != expected.algorithms[rest[0]]:
        wanted = expected.algorithms[rest[0]].value
        raise AlgorithmRefused(what=expected.what, algorithm=shown(algorithm), expected=wanted)
    return rest[0]


def _strictly(what: str, part: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except NotStrict as error:
        raise TokenMalformed(what=what, reason=f"its {part} is {error}") from error


class Claims:
    """Reads claims by name and type.

    Args:
        members: the payload.
        what: names the whole in sentences.
    """

    def __init__(self, members: JsonObject, what: str) -> None:
        self._members = members
        self.what = what

    def text(self, name: str, *, limit: int = 512) -> str:
        """A string that is not empty.

        Args:
            limit: characters at most.

        Raises:
            TokenMalformed: another type, empty, too long, or with a character that cannot be printed.
        """
        value = self._members.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= limit or not value.isprintable():
            raise self._malformed(name)
        return value

    def time(self, name: str) -> int:
        """Seconds since 1970 (RFC 7519, 2, NumericDate; whole ones here).

        Raises:
            TokenMalformed: no such number.
        """
        value = self._members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_TIME:
            raise self._malformed(name)
        return value

    def optional_time(self, name: str) -> int | None:
        """As `time`, None where it is absent."""
        return self.time(name) if name in self._members else None

    def texts(self, name: str, *, most: int = 16) -> tuple[str, ...]:
        """A string, or a list of 1 to `most` (RFC 7519, 4.1.3).

        Raises:
            TokenMalformed: something else.
        """
        value = self._members.get(name)
        values = value if isinstance(value, list) else [value]
        if not 1 <= len(values) <= most:
            raise self._malformed(name)
        return tuple(Claims({name: one}, self.what).text(name) for one in values)

    def object(self, name: str) -> JsonObject | None:
        """An object, None where it is absent.

        Raises:
            TokenMalformed: something else.
        """
        value = self._members.get(name)
        if value is not None and not isinstance(value, dict):
            raise self._malformed(name)
        return value

    def _malformed(self, name: str) -> TokenMalformed:
        return TokenMalformed(what=self.what, reason=f"its claim {name} is missing or of a wrong form")
