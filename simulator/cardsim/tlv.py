"""BER-TLV (ISO 7816-4, 5.2.2; X.690): data objects of a card, encoded and parsed."""

from __future__ import annotations

from dataclasses import dataclass


class TlvError(ValueError):
    """The bytes are no BER-TLV.

    Args:
        reason: what is wrong.
        offset: where, in bytes from the start of what was parsed.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at offset {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: tag as the number of its bytes (7F48, BF8101), and value."""

    tag: int
    value: bytes

    def encode(self) -> bytes:
        """Tag, definite length, value."""
        return encode(self.tag, self.value)


def encode(tag: int, *values: bytes) -> bytes:
    """Encode one data object.

    Args:
        tag: the tag's bytes read as one big-endian number, 1 to 3 bytes.
        values: joined, they are the value.
    """
    value = b"".join(values)
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big") + _encode_length(len(value)) + value


def _encode_length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def parse(data: bytes) -> list[Tlv]:
    """Parse a row of data objects that fills ``data`` exactly.

    Raises:
        TlvError: truncated, indefinite or too long.
    """
    objects, offset = [], 0
    while offset < len(data):
        tag, offset = parse_tag(data, offset)
        length, offset = _parse_length(data, offset)
        if offset + length > len(data):
            raise TlvError(f"value of {length} bytes is cut", offset)
        objects.append(Tlv(tag, data[offset : offset + length]))
        offset += length
    return objects


def parse_tag(data: bytes, offset: int = 0) -> tuple[int, int]:
    """Read one tag of up to 3 bytes; returns it and the offset behind it.

    Raises:
        TlvError: no whole tag there.
    """
    end = offset + 1
    if data[offset : offset + 1] and data[offset] & 0x1F == 0x1F:
        end += 1
        while end <= len(data) and end - offset < 3 and data[end - 1] & 0x80:
            end += 1
        if end <= len(data) and data[end - 1] & 0x80:
            raise TlvError("tag of more than 3 bytes", offset)
    if end > len(data):
        raise TlvError("tag is cut", offset)
    return int.from_bytes(data[offset:end], "big"), end


def _parse_length(data: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(data):
        raise TlvError("length is missing", offset)
    first = data[offset]
    if first < 0x80:
        return first, offset + 1
    count = first & 0x7F
    octets = data[offset + 1 : offset + 1 + count]
    if not 1 <= count <= 3 or len(octets) != count:
        raise TlvError("length is indefinite, too long or cut", offset)
    return int.from_bytes(octets, "big"), offset + 1 + count


def find(objects: list[Tlv], tag: int) -> bytes | None:
    """The value of the first data object with this tag, or None."""
    return next((item.value for item in objects if item.tag == tag), None)
