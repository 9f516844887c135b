"""Security data objects (IAS ECC): what GET DATA is asked for and what it shows of PINs, keys and environments."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from cardsim import tlv

TAG_EXTENDED_HEADER_LIST = 0x4D
TAG_SDO_TEMPLATE = 0x70
TAG_DOCP = 0xA0
"""Data object control parameters: counters, sizes, access rules."""
TAG_PIN_USAGE = 0x7F41
TAG_KEY_USAGE = 0x7F48
"""Data object usage parameters of a PIN and of a key."""
USAGE_PARAMETERS = frozenset({TAG_PIN_USAGE, TAG_KEY_USAGE})
TAG_ENVIRONMENT = 0x7B
ALL_OF_IT = 0x80
"""Length byte of a requested tag: the whole data object is wanted."""


class SdoClass(enum.IntEnum):
    """Class byte of an SDO tag BF cc rr, without its bit 8."""

    PIN = 0x01
    SYMMETRIC_KEY_SET = 0x0A
    RSA_PRIVATE = 0x10
    RSA_PUBLIC = 0x20
    SECURITY_ENVIRONMENT = 0x7B


@dataclass(frozen=True, slots=True)
class SdoName:
    """Class and number of an SDO; its tag is BF, class with bit 8 set, number."""

    sdo_class: int
    number: int

    @property
    def tag(self) -> int:
        """The three tag bytes as a number: BF8101 is PIN 1."""
        return 0xBF0000 | (0x80 | self.sdo_class) << 8 | self.number


class SecurityDataObject(Protocol):
    """An object inside a DF that GET DATA shows."""

    @property
    def name(self) -> SdoName:
        """Class and number."""

    def part(self, tag: int) -> bytes | None:
        """The encoded data object of that tag (A0, 7B), or None where this object does not show it."""

    @property
    def access_rules(self) -> bytes | None:
        """Value of tag A1 of its DOCP, or None where it has none."""


@dataclass(frozen=True, slots=True)
class SdoRequest:
    """What a GET DATA asks: an object, and the tag of the part wanted."""

    name: SdoName
    part: int


def parse_request(data: bytes) -> SdoRequest:
    """Read ``4D L 70 L BF cc rr L tag 80``.

    Raises:
        TlvError: no such header list.
    """
    header_list = _only(tlv.parse(data), TAG_EXTENDED_HEADER_LIST)
    template = _only(tlv.parse(header_list), TAG_SDO_TEMPLATE)
    objects = tlv.parse(template)
    if len(objects) != 1 or objects[0].tag >> 16 != 0xBF or not objects[0].tag & 0x8000:
        raise tlv.TlvError("not one SDO tag BF cc rr", 0)
    part, end = tlv.parse_tag(objects[0].value)
    if objects[0].value[end:] != bytes([ALL_OF_IT]):
        raise tlv.TlvError("requested part is not followed by 80", end)
    tag = objects[0].tag
    return SdoRequest(SdoName(tag >> 8 & 0x7F, tag & 0xFF), part)


def _only(objects: list[tlv.Tlv], tag: int) -> bytes:
    if len(objects) != 1 or objects[0].tag != tag:
        raise tlv.TlvError(f"not one data object {tag:02X}", 0)
    return objects[0].value


def encode_answer(name: SdoName, part: bytes) -> bytes:
    """``70 L BF cc rr L part``, as real cards answer."""
    return tlv.encode(TAG_SDO_TEMPLATE, tlv.encode(name.tag, part))
