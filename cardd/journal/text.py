"""JSON text that is canonical and safe to show: sorted keys, no spaces, nothing that a terminal would obey."""

from __future__ import annotations

from json.encoder import JSONEncoder, encode_basestring
from typing import Any

_ENCODER = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def safe(encoded: str) -> str:
    """JSON text with every character escaped that cannot be printed: controls, bidi marks, lone surrogates."""
    if encoded.isprintable():
        return encoded
    return "".join(one if one.isprintable() else _escape(one) for one in encoded)


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def string(value: str) -> str:
    """A string as JSON, with its quotes."""
    return safe(encode_basestring(value))


def document(value: Any) -> str:  # whatever JSON can hold
    """A JSON value in canonical form."""
    return safe(_ENCODER.encode(value))
