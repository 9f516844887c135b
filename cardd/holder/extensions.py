"""The private extensions of a holder's certificate, decoded one by one; damage to one is a warning."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cardd.holder import der, oids
from cardd.holder.errors import DerError
from cardd.holder.fields import RawExtension

_Value = TypeVar("_Value")

_CARD_ID: Final = re.compile(r"([0-9]{10})/([0-9]{10})")
# A certificate holds a handful; a hostile one must not make a report of thousands.
_MAX_UNKNOWN: Final = 16
_MAX_SPECIALITIES: Final = 32


class WarningCode(enum.StrEnum):
    """What is odd about a certificate whose identity can be had nevertheless."""

    WRONG_CHECK_DIGIT = "wrong-check-digit"
    MALFORMED_IDENTIFIER = "malformed-identifier"
    UNKNOWN_IDENTIFIER_KIND = "unknown-identifier-kind"
    MALFORMED_NAME = "malformed-name"
    MISSING_EXTENSION = "missing-extension"
    MISTYPED_EXTENSION = "mistyped-extension"
    REPEATED_EXTENSION = "repeated-extension"
    UNEXPECTED_EXTENSION = "unexpected-extension"
    UNKNOWN_EXTENSION = "unknown-extension"
    UNREADABLE_EXTENSIONS = "unreadable-extensions"
    UNKNOWN_CARD_TYPE = "unknown-card-type"
    UNKNOWN_CATEGORY = "unknown-category"
    UNKNOWN_PROFESSION = "unknown-profession"


@dataclass(frozen=True, slots=True)
class HolderWarning:
    """One oddity; names no person, so it may be logged.

    Args:
        code: Which.
        oid: The dotted attribute or extension that it is about.
    """

    code: WarningCode
    oid: str


@dataclass(frozen=True, slots=True)
class PrivateExtensions:
    """The private extensions; None where one is absent or unusable.

    Args:
        card_type: Code of table G02.
        card_id: Ten digits of the issuer, ten digits of the card.
        category: Code of table G01, 0 to 255.
        profession: Code of table G15.
        future_profession: Code of table G16.
        specialities: Codes of table R01.
        warnings: What was odd, in the order met; absence is for the caller to judge.
    """

    card_type: int | None
    card_id: tuple[str, str] | None
    category: int | None
    profession: int | None
    future_profession: int | None
    specialities: tuple[str, ...]
    warnings: tuple[HolderWarning, ...]


def read_private_extensions(extensions: Sequence[RawExtension]) -> PrivateExtensions:
    """Decode the extensions below 1.2.250.1.71; total, whatever the bytes.

    Args:
        extensions: All extensions of a certificate.
    """
    reader = _Reader([extension for extension in extensions if extension.oid.startswith(oids.PRIVATE_ARC)])
    return PrivateExtensions(
        card_type=reader.take(oids.CARD_TYPE, _code),
        card_id=reader.take(oids.CARD_ID, _card_id),
        category=reader.take(oids.CARD_CATEGORY, _category),
        profession=reader.take(oids.PROFESSION, _code),
        future_profession=reader.take(oids.FUTURE_PROFESSION, _code),
        specialities=reader.take(oids.SPECIALITY, _specialities) or (),
        warnings=reader.finish(),
    )


class _Reader:
    """Takes known extensions out one by one and gathers what was odd."""

    def __init__(self, extensions: Sequence[RawExtension]) -> None:
        self._extensions = extensions
        self._warnings: list[HolderWarning] = []

    def take(self, oid: str, decode: Callable[[bytes], _Value]) -> _Value | None:
        """The value of the extension, or None with a warning unless it is merely absent."""
        values = [extension.value for extension in self._extensions if extension.oid == oid]
        if not values:
            return None
        if len(values) > 1:  # RFC 5280, 4.2 forbids it, and which of them would hold?
            self._warnings.append(HolderWarning(WarningCode.REPEATED_EXTENSION, oid))
            return None
        try:
            return decode(values[0])
        except DerError:
            self._warnings.append(HolderWarning(WarningCode.MISTYPED_EXTENSION, oid))
            return None

    def finish(self) -> tuple[HolderWarning, ...]:
        """All warnings, those about unknown extensions last and in a bounded number."""
        unknown = dict.fromkeys(e.oid for e in self._extensions if e.oid not in oids.KNOWN_PRIVATE)
        for oid in list(unknown)[:_MAX_UNKNOWN]:
            self._warnings.append(HolderWarning(WarningCode.UNKNOWN_EXTENSION, oid))
        return tuple(self._warnings)


def _code(value: bytes) -> int:
    code = der.integer(der.single(value, der.INTEGER))
    if not 0 <= code <= 0xFFFF:
        raise DerError("code out of range", 0)
    return code


def _category(value: bytes) -> int:
    octets = der.single(value, der.OCTET_STRING)
    if len(octets) != 1:
        raise DerError(f"{len(octets)} octets in place of one", 0)
    return octets[0]


def _card_id(value: bytes) -> tuple[str, str]:
    text = der.string(der.Element(der.PRINTABLE_STRING, der.single(value, der.PRINTABLE_STRING), 0))
    match = _CARD_ID.fullmatch(text)
    if match is None:
        raise DerError("not an issuer and a card number", 0)
    return match[1], match[2]


def _specialities(value: bytes) -> tuple[str, ...]:
    codes = [der.string(element) for element in der.elements(der.single(value, der.SEQUENCE))]
    if len(codes) > _MAX_SPECIALITIES or not all(re.fullmatch(r"[0-9A-Z]{1,8}", code) for code in codes):
        raise DerError("not a list of speciality codes", 0)
    return tuple(codes)
