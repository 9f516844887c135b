"""Values as bytes: the file that knows dbus-next's marshaller and unmarshaller.

Both are used through small subclasses, because the originals trust their input: they cache every signature for ever
(a client could fill the memory with them), read without bounds, and write strings and names that make the bus close
the connection. D-Bus specification, "Message Protocol".
"""
# ruff: noqa: S105  # a "token" here is the letter of a D-Bus type
# mypy: disable-error-code="no-untyped-call"
# (dbus-next's internals carry no types; this file gives them theirs.)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dbus_next._private.marshaller import Marshaller
from dbus_next._private.unmarshaller import Unmarshaller
from dbus_next.signature import SignatureType, Variant

from cardd.bus.descriptors import OwnedFd, close_all
from cardd.bus.syntax import Malformed, Unsendable, is_object_path, parse_signature

__all__ = [
    "MAX_DEPTH",
    "MAX_VALUES",
    "Variant",
    "decode_body",
    "decode_fields",
    "encode_body",
    "variant",
]

MAX_VALUES: Final = 8192
"""Values in one body: decoding more would hold up the loop (a byte array counts as one)."""
MAX_DEPTH: Final = 64  # D-Bus specification, "Valid Signatures": 32 arrays and 32 structures


def decode_body(signature: str, data: bytes, endian: int, descriptors: Sequence[OwnedFd]) -> list[Any]:
    """The values of a body.

    Args:
        signature: the signature that is expected, never one that only the sender vouches for.
        data: the body.
        endian: of the message.
        descriptors: those that came with the message; an `h` becomes the one it points at (a copy of it when two
            arguments point at the same).

    Returns:
        one value a complete type: str, int, bool, float, bytes (`ay`), list, dict, `Variant`, `OwnedFd`.

    Raises:
        Malformed: the body is not what the signature says.
    """
    decoder = _Decoder(data, endian, 0, descriptors)
    try:
        values = decoder.decode(signature)
        decoder.expect_end()
    except Malformed:
        close_all(decoder.copies)
        raise
    return values


def decode_fields(header: bytes, endian: int, offset: int) -> dict[int, Any]:
    """A message's header fields by their code, those of later versions included.

    Args:
        header: the whole header, preamble included.
        endian: of the message.
        offset: where the array of fields begins, with its length.

    Raises:
        Malformed: the fields cannot be read.
    """
    (fields,) = _Decoder(header, endian, offset, ()).decode("a(yv)")
    return {code: value.value for code, value in fields}


def encode_body(signature: str, values: Sequence[Any]) -> tuple[bytes, list[OwnedFd]]:
    """A body and the descriptors that go with it; the reverse of `decode_body`.

    Tuples stand for lists and structures too, any bytes-like object for `ay`.

    Raises:
        Unsendable: a value is not of its type, or the bus would not take it (a NUL in a string).
    """
    types = parse_signature(signature)
    if len(values) != len(types):
        raise Unsendable(f"{len(values)} values where the signature {signature} has {len(types)}")
    descriptors: list[OwnedFd] = []
    try:
        lowered = [_lower(kind, value, descriptors) for kind, value in zip(types, values, strict=True)]
        return bytes(_Encoder(signature, lowered).marshall()), descriptors
    except Unsendable:
        raise
    except Exception as error:  # dbus-next raises what its parts raise: struct.error, TypeError, ValueError…
        raise Unsendable(f"a value does not fit the signature {signature} ({type(error).__name__})") from None


def variant(signature: str, value: object) -> Variant:
    """A value with its type, checked to be one that the bus takes.

    Raises:
        Unsendable: it is not.
    """
    (kind,) = parse_signature(signature)
    descriptors: list[OwnedFd] = []
    try:
        lowered = _lower(kind, value, descriptors)
        made = Variant(signature, lowered)
        _Encoder("v", [made]).marshall()
    except Unsendable:
        raise
    except Exception as error:  # as in encode_body
        raise Unsendable(f"a value does not fit the signature {signature} ({type(error).__name__})") from None
    return made


def _lower(kind: SignatureType, value: Any, descriptors: list[OwnedFd]) -> Any:
    """The value in the shape that dbus-next marshals; descriptors become their index."""
    token = kind.token
    if token == "h":
        if not isinstance(value, OwnedFd):
            raise Unsendable("a descriptor is returned as OwnedFd")
        descriptors.append(value)
        return len(descriptors) - 1
    if token == "(":
        if len(value) != len(kind.children):
            raise Unsendable(f"{len(value)} members where the structure {kind.signature} has {len(kind.children)}")
        return [_lower(child, item, descriptors) for child, item in zip(kind.children, value, strict=True)]
    if token == "a":
        return _lower_array(kind.children[0], value, descriptors)
    return value


def _lower_array(kind: SignatureType, value: Any, descriptors: list[OwnedFd]) -> Any:
    if kind.token == "y":
        if not isinstance(value, bytes | bytearray | memoryview):
            raise Unsendable("a byte array is given as bytes")
        return bytes(value)
    if kind.token == "{":
        if not isinstance(value, Mapping):
            raise Unsendable(f"a mapping is needed for a{kind.signature}")
        return {key: _lower(kind.children[1], item, descriptors) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        raise Unsendable(f"a list is needed for a{kind.signature}")
    return [_lower(kind, item, descriptors) for item in value]


class _Encoder(Marshaller):
    """dbus-next's marshaller, refusing what would make the bus close the connection."""

    def write_string(self, value: str, _: object = None) -> int:
        if "\0" in value:
            raise Unsendable("a string holds a NUL")
        return int(super().write_string(value))

    def write_single(self, type_: SignatureType, body: Any) -> int:
        if type_.token == "o" and not is_object_path(body):
            raise Unsendable("an object path that D-Bus does not allow")
        if type_.token == "g":
            parse_signature(body)
        return int(super().write_single(type_, body))


class _Decoder(Unmarshaller):
    """dbus-next's unmarshaller over bytes that are all there, with bounds."""

    def __init__(self, data: bytes, endian: int, offset: int, descriptors: Sequence[OwnedFd]) -> None:
        super().__init__(None)
        self.buf = bytearray(data)
        self.endian = endian
        self.offset = offset
        self.copies: list[OwnedFd] = []
        self.readers["h"] = self._read_descriptor
        self._descriptors = descriptors
        self._used: set[int] = set()
        self._values = 0
        self._depth = 0

    def decode(self, signature: str) -> list[Any]:
        try:
            return [self.read_argument(kind) for kind in parse_signature(signature)]
        except Malformed:
            raise
        except Exception as error:  # dbus-next raises what its parts raise: struct.error, UnicodeDecodeError…
            raise Malformed(f"not what its signature says ({type(error).__name__})") from None

    def expect_end(self) -> None:
        if self.offset != len(self.buf):
            raise Malformed("longer than its signature says")

    def read(self, n: int, prefetch: bool = False) -> int:
        start = self.offset
        if n > len(self.buf) - start:
            raise Malformed("shorter than its signature says")
        self.offset = start + n
        return start

    def read_argument(self, type_: SignatureType) -> Any:
        self._values += 1
        self._depth += 1
        if self._values > MAX_VALUES:
            raise Malformed(f"more than {MAX_VALUES} values")
        if self._depth > MAX_DEPTH:
            raise Malformed("nested too deeply")
        value = super().read_argument(type_)
        self._depth -= 1
        return value

    def read_variant(self, _: object = None) -> Variant:
        types = parse_signature(self.read_signature())
        if len(types) != 1:
            raise Malformed("a variant without exactly one type")
        return Variant(types[0], self.read_argument(types[0]))

    def _read_descriptor(self, _: object = None) -> OwnedFd:
        index: int = self.read_uint32()
        if index >= len(self._descriptors):
            raise Malformed("a descriptor that was not sent along")
        if index not in self._used:
            self._used.add(index)
            return self._descriptors[index]
        copy = self._descriptors[index].duplicate()
        self.copies.append(copy)
        return copy
