"""A strict reader of DER (X.690) for hostile bytes, as far as names and private extensions need it.

The certificate library decodes names too, but refuses a T61String with accents (cards of the PKI before IGC-Santé
have them), and one malformed extension hides all others from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cardd.holder.errors import DerError

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
SEQUENCE: Final = 0x30
SET: Final = 0x31
BOOLEAN: Final = 0x01

_MAX_LENGTH_OCTETS = 4

# GUESS: a T61String holds Latin-1, as most issuers of its time wrote it, not T.61's combining accents. The
# certificate of a card of the former PKI whose holder's name has an accent would settle it.
_T61_CODEC = "latin-1"

_STRING_CODECS: Final[dict[int, str]] = {
    UTF8_STRING: "utf-8",
    0x12: "ascii",  # NumericString
    PRINTABLE_STRING: "ascii",
    0x14: _T61_CODEC,  # T61String
    0x16: "ascii",  # IA5String
    0x1A: "ascii",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


@dataclass(frozen=True, slots=True)
class Element:
    """One DER element.

    Args:
        tag: The identifier octet (tags above 30 are refused, nothing here uses them).
        value: The contents octets.
        offset: Where the element begins in its buffer, in bytes.
    """

    tag: int
    value: bytes
    offset: int


def _length(data: bytes, position: int, *, shortest: bool) -> tuple[int, int]:
    """Length and the position behind it (X.690 8.1.3: definite; 10.1: in the shortest form)."""
    if position >= len(data):
        raise DerError("length missing", position)
    first = data[position]
    if first < 0x80:
        return first, position + 1
    count = first & 0x7F
    if not 1 <= count <= _MAX_LENGTH_OCTETS:
        raise DerError("indefinite or oversized length", position)
    octets = data[position + 1 : position + 1 + count]
    if len(octets) < count:
        raise DerError("length truncated", position)
    length = int.from_bytes(octets, "big")
    if shortest and (length < 0x80 or octets[0] == 0):
        raise DerError("length not in its shortest form", position)
    return length, position + 1 + count


def elements(data: bytes, *, shortest: bool = True) -> Iterator[Element]:
    """The elements that lie one behind the other in `data`, which they fill.

    Args:
        data: the octets.
        shortest: refuse lengths that are not in their shortest form, as DER does; BER (8.1.3) lets them be.

    Raises:
        DerError: At the first octet that is not DER; elements before it were given.
    """
    position = 0
    while position < len(data):
        tag = data[position]
        if tag & 0x1F == 0x1F:
            raise DerError("tag above 30", position)
        length, start = _length(data, position + 1, shortest=shortest)
        if length > len(data) - start:
            raise DerError("value truncated", position)
        yield Element(tag, data[start : start + length], position)
        position = start + length


def single(data: bytes, tag: int) -> bytes:
    """The contents of the one element that `data` is.

    Raises:
        DerError: Not DER, more than one element, or another tag.
    """
    found = list(elements(data))
    if len(found) != 1:
        raise DerError(f"{len(found)} elements in place of one", 0)
    return tagged(found[0], tag)


def tagged(element: Element, tag: int) -> bytes:
    """The contents of `element`, which must have the tag.

    Raises:
        DerError: It has another.
    """
    if element.tag != tag:
        raise DerError(f"tag {element.tag:02X} in place of {tag:02X}", element.offset)
    return element.value


def integer(data: bytes) -> int:
    """The value of an INTEGER's contents (X.690 8.3: two's complement, shortest form)."""
    if not data:
        raise DerError("empty INTEGER", 0)
    if len(data) > 1 and (data[0], data[1] & 0x80) in {(0, 0), (0xFF, 0x80)}:
        raise DerError("INTEGER not in its shortest form", 0)
    return int.from_bytes(data, "big", signed=True)


def object_identifier(data: bytes) -> str:
    """The dotted form of an OBJECT IDENTIFIER's contents (X.690 8.19)."""
    arcs: list[int] = []
    arc = 0
    for offset, octet in enumerate(data):
        if arc == 0 and octet == 0x80:
            raise DerError("arc not in its shortest form", offset)
        arc = arc << 7 | octet & 0x7F
        if arc.bit_length() > 128:  # an arc can be a UUID (2.25), nothing is longer
            raise DerError("arc too large", offset)
        if octet & 0x80 == 0:
            arcs.append(arc)
            arc = 0
    if not data or data[-1] & 0x80:
        raise DerError("OBJECT IDENTIFIER truncated", len(data))
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def string(element: Element) -> str:
    """The text of a string type of X.520's DirectoryString or an ASCII one.

    Raises:
        DerError: Not a string type, or octets that are not of its repertoire.
    """
    codec = _STRING_CODECS.get(element.tag)
    if codec is None:
        raise DerError(f"tag {element.tag:02X} is no string", element.offset)
    try:
        return element.value.decode(codec)
    except UnicodeDecodeError:
        # From None: the decoder's own error holds the octets of the name.
        raise DerError(f"octets that are not {codec}", element.offset) from None
