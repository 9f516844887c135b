"""BER-TLV and the few ASN.1 types that card directories use, as pure functions over bytes.

Strict about structure (every length must fit), tolerant where published cards are odd. Each function returns a value
or raises `MalformedCardData` with the offset, counted from the start of the file, at which the data went wrong.
Source: ISO 7816-4 5.2.2 (BER-TLV), X.690.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cardd_drivers.contract import MalformedCardData

_Value = TypeVar("_Value")

_PADDING = (0x00, 0xFF)
"""May stand before, between and after data objects without meaning (ISO 7816-4 5.2.2.1)."""
_LENGTH_OCTETS_MAX = 3
_TAG_OCTETS_MAX = 3
_INTEGER_OCTETS_MAX = 8


class Universal:
    """Universal tags (X.680 8.4)."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    OBJECT_IDENTIFIER = 0x06
    ENUMERATED = 0x0A
    UTF8_STRING = 0x0C
    SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object.

    Args:
        tag: all tag octets as one number, for instance 0x30 or 0x7F41.
        value: the value field.
        offset: where the value begins in the file.
    """

    tag: int
    value: bytes
    offset: int

    @property
    def constructed(self) -> bool:
        """The value is itself a string of data objects (bit 6 of the first tag octet)."""
        first = self.tag
        while first > 0xFF:
            first >>= 8
        return bool(first & 0x20)


def read_header(data: bytes, position: int, base: int = 0) -> tuple[int, int, int]:
    """Tag, length of the value, and position of the value in `data`.

    Args:
        data: where the object is; its value may reach beyond the end.
        position: where its tag begins in `data`.
        base: offset of `data` in the file, for errors.

    Raises:
        MalformedCardData: the header is cut short, or its length is indefinite or needs over 3 octets.
    """
    tag, position = _read_tag(data, position, base)
    if position >= len(data):
        raise MalformedCardData("a data object without a length", base + position)
    first = data[position]
    position += 1
    if first < 0x80:
        return tag, first, position
    count = first & 0x7F
    if not 1 <= count <= _LENGTH_OCTETS_MAX:
        raise MalformedCardData(f"a length coded as {first:02X}", base + position - 1)
    if position + count > len(data):
        raise MalformedCardData("a length cut short", base + position)
    return tag, int.from_bytes(data[position : position + count], "big"), position + count


def _read_tag(data: bytes, position: int, base: int) -> tuple[int, int]:
    if position >= len(data):
        raise MalformedCardData("a data object without a tag", base + position)
    tag = data[position]
    position += 1
    if tag & 0x1F != 0x1F:
        return tag, position
    for _ in range(_TAG_OCTETS_MAX - 1):
        if position >= len(data):
            break
        octet = data[position]
        position += 1
        tag = tag << 8 | octet
        if not octet & 0x80:
            return tag, position
    raise MalformedCardData("a tag cut short or over 3 octets", base + position)


def parse(data: bytes, base: int = 0) -> tuple[Tlv, ...]:
    """Split a string of data objects, without looking into them; padding between them is skipped.

    Raises:
        MalformedCardData: an object does not fit.
    """
    found: list[Tlv] = []
    position = 0
    while position < len(data):
        if data[position] in _PADDING:
            position += 1
            continue
        tag, length, start = read_header(data, position, base)
        position = start + length
        if position > len(data):
            raise MalformedCardData(f"object {tag:02X} of {length} bytes reaches beyond the end", base + start)
        found.append(Tlv(tag, data[start:position], base + start))
    return tuple(found)


def children(parent: Tlv) -> tuple[Tlv, ...]:
    """Split the value of a constructed object.

    Raises:
        MalformedCardData: `parent` is primitive, or an object in it does not fit.
    """
    if not parent.constructed:
        raise MalformedCardData(f"object {parent.tag:02X} is not constructed", parent.offset)
    return parse(parent.value, parent.offset)


def is_complete(data: bytes) -> bool:
    """Whether a string of data objects ends where an object ends: false for one that was cut."""
    try:
        parse(data)
    except MalformedCardData:
        return False
    return True


def find(objects: tuple[Tlv, ...], tag: int) -> Tlv | None:
    """The first object with this tag, or None."""
    return next((candidate for candidate in objects if candidate.tag == tag), None)


def require(objects: tuple[Tlv, ...], tag: int, what: str, offset: int) -> Tlv:
    """The first object with this tag.

    Args:
        objects: where to look.
        tag: all tag octets as one number.
        what, offset: what is missing and where, for the error.

    Raises:
        MalformedCardData: there is none.
    """
    found = find(objects, tag)
    if found is None:
        raise MalformedCardData(f"{what} is missing", offset)
    return found


def optional(tlv: Tlv | None, convert: Callable[[Tlv], _Value]) -> _Value | None:
    """`convert` applied to an object that may be absent."""
    return None if tlv is None else convert(tlv)


def integer(tlv: Tlv) -> int:
    """An INTEGER or ENUMERATED (whatever its tag, since most are tagged implicitly).

    Raises:
        MalformedCardData: empty, or more than 8 octets.
    """
    if not 1 <= len(tlv.value) <= _INTEGER_OCTETS_MAX:
        raise MalformedCardData(f"an integer of {len(tlv.value)} octets", tlv.offset)
    return int.from_bytes(tlv.value, "big", signed=True)


def reference(tlv: Tlv) -> int:
    """An INTEGER that names a key, a PIN or an algorithm on the card: one byte, 0 to 255.

    Some cards write 0x82 as the one octet 82, which ASN.1 reads as negative.

    Raises:
        MalformedCardData: not a byte.
    """
    value = integer(tlv)
    if not -0x80 <= value <= 0xFF:
        raise MalformedCardData(f"a reference of {value} does not fit in a byte", tlv.offset)
    return value & 0xFF


def bit_string(tlv: Tlv) -> frozenset[int]:
    """The numbers of the bits that are set, bit 0 the first (X.690 8.6).

    Published CPS3 cards write "no bit" as `03 01 08` and `03 02 08 00`: 8 unused bits. Both are taken for it.

    Raises:
        MalformedCardData: empty, or over 7 unused bits before octets that are not zero.
    """
    if not tlv.value:
        raise MalformedCardData("a BIT STRING without its first octet", tlv.offset)
    unused, octets = tlv.value[0], tlv.value[1:]
    if unused > 7:
        if unused == 8 and not any(octets):
            return frozenset()
        raise MalformedCardData(f"a BIT STRING with {unused} unused bits", tlv.offset)
    if unused and not octets:
        raise MalformedCardData("a BIT STRING with unused bits of nothing", tlv.offset)
    count = len(octets) * 8 - unused
    return frozenset(bit for bit in range(count) if octets[bit >> 3] & 0x80 >> (bit & 7))


def text(tlv: Tlv) -> str:
    """A UTF8String; what is no UTF-8 shows as U+FFFD, since a label decides nothing."""
    return tlv.value.decode("utf-8", "replace")


def octets(tlv: Tlv) -> bytes:
    """An OCTET STRING."""
    return tlv.value


def object_identifier(tlv: Tlv) -> str:
    """An OBJECT IDENTIFIER in dotted form (X.690 8.19).

    Raises:
        MalformedCardData: empty, cut within an arc, or an arc of over 8 octets.
    """
    arcs: list[int] = []
    value = length = 0
    for octet in tlv.value:
        value, length = value << 7 | octet & 0x7F, length + 1
        if length > _INTEGER_OCTETS_MAX:
            raise MalformedCardData("an object identifier with an endless arc", tlv.offset)
        if not octet & 0x80:
            arcs.append(value)
            value = length = 0
    if not arcs or length:
        raise MalformedCardData("an object identifier cut short", tlv.offset)
    root = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (root, arcs[0] - 40 * root, *arcs[1:]))
