"""The directories of the card: EF.SN, EF.DIR and the PKCS#15 files (ISO 7816-15), bytes to frozen dataclasses.

Entries of kinds that this driver does not use (elliptic curve keys, attribute certificates, biometrics...) are passed
over; entries that it uses and cannot read raise `MalformedCardData` with the offset in their file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cardd_drivers.contract import MalformedCardData
from cardd_drivers.ias_ecc.commands import MASTER_FILE
from cardd_drivers.ias_ecc.objects import (
    Algorithm,
    Application,
    Certificate,
    DataObject,
    Directory,
    ObjectAttributes,
    Path,
    PinObject,
    PinType,
    PrivateKey,
    TokenInfo,
)
from cardd_drivers.tlv import (
    Tlv,
    Universal,
    bit_string,
    children,
    find,
    integer,
    object_identifier,
    octets,
    optional,
    parse,
    reference,
    require,
    text,
)

_Entry = TypeVar("_Entry")

_ISSUER = bytes.fromhex("8025000001")
_PATH_MAX = 16
_IDENTIFIER_MAX = 64
_PIN_BLOCK_MAX = 64
"""Bytes of one padded block: two of them must fit into one command."""
_LENGTH_MAX = 0x7FFF
_TYPE_ATTRIBUTES = 0xA1
"""[1] of every PKCS#15 object (ISO 7816-15 8.2.1)."""


def parse_ef_sn(data: bytes) -> str:
    """The card's serial number: 8 decimal digits, as the agency's own library shows it.

    EF.SN is `5A 0A`, issuer 8025000001 (80 health, 250 France, 00001), 8 digits, a check digit, a filler F (published
    CPS3 bytes). The check digit is not judged: neither middleware does, and test cards have wrong ones.

    Raises:
        MalformedCardData: another structure, another issuer, or digits that are none.
    """
    number = require(parse(data), 0x5A, "the serial number in EF.SN", 0)
    if len(number.value) != len(_ISSUER) + 5 or not number.value.startswith(_ISSUER):
        raise MalformedCardData("EF.SN does not hold a CPS serial number", number.offset)
    serial = number.value[len(_ISSUER) : -1].hex()
    if not serial.isdecimal():
        raise MalformedCardData("the serial number has digits that are none", number.offset + len(_ISSUER))
    return serial


def parse_ef_dir(data: bytes) -> tuple[Application, ...]:
    """The applications of EF.DIR, in its order (ISO 7816-4 8.2.1.1, templates 61).

    Raises:
        MalformedCardData: an object does not fit, a template has no AID, a path is odd or over 16 bytes.
    """
    return tuple(_application(template) for template in parse(data) if template.tag == 0x61)


def _application(template: Tlv) -> Application:
    fields = children(template)
    aid = require(fields, 0x4F, "the AID of an application", template.offset)
    if not 5 <= len(aid.value) <= 16:
        raise MalformedCardData(f"an AID of {len(aid.value)} bytes", aid.offset)
    path = optional(find(fields, 0x51), _path_value)
    if path and not path.startswith(MASTER_FILE):
        path = MASTER_FILE + path
    return Application(aid.value, optional(find(fields, 0x50), text) or "", path or None)


def parse_odf(data: bytes) -> dict[Directory, tuple[Path, ...]]:
    """The directories that the ODF points to, each kind in its order (ISO 7816-15 8.3).

    Raises:
        MalformedCardData: an object does not fit, or a pointer is no path.
    """
    found: dict[Directory, tuple[Path, ...]] = dict.fromkeys(Directory, ())
    for pointer in parse(data):
        if pointer.tag in found:
            path = require(children(pointer), Universal.SEQUENCE, "the path of a directory", pointer.offset)
            kind = Directory(pointer.tag)
            found[kind] = (*found[kind], _path(path))
    return found


def parse_aodf(data: bytes) -> tuple[PinObject, ...]:
    """The PINs and PUKs of an AODF.

    Raises:
        MalformedCardData: an entry cannot be read, or its lengths contradict each other.
    """
    return _entries(data, _pin_object)


def parse_prkdf(data: bytes) -> tuple[PrivateKey, ...]:
    """The RSA keys of a PrKDF.

    Raises:
        MalformedCardData: an entry cannot be read.
    """
    return _entries(data, _private_key)


def parse_cdf(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a CDF that lie in files of their own.

    Raises:
        MalformedCardData: an entry cannot be read.
    """
    return _entries(data, _certificate)


def parse_dodf(data: bytes) -> tuple[DataObject, ...]:
    """The data objects of a DODF that lie in files of their own.

    Raises:
        MalformedCardData: an entry cannot be read.
    """
    return _entries(data, _data_object)


def parse_token_info(data: bytes) -> TokenInfo:
    """EF.TokenInfo.

    Raises:
        MalformedCardData: it is no SEQUENCE, or an algorithm cannot be read.
    """
    fields = children(require(parse(data), Universal.SEQUENCE, "the content of TokenInfo", 0))
    listed = find(fields, 0xA2)
    algorithms = () if listed is None else tuple(_algorithm(entry) for entry in children(listed))
    return TokenInfo(optional(find(fields, 0x80), text) or "", algorithms)


def _entries(data: bytes, convert: Callable[[_Object], _Entry | None]) -> tuple[_Entry, ...]:
    objects = (_object(entry) for entry in parse(data) if entry.tag == Universal.SEQUENCE)
    return tuple(found for entry in objects if (found := convert(entry)) is not None)


@dataclass(frozen=True, slots=True)
class _Object:
    """The skeleton of an object: common, class and type attributes (ISO 7816-15 8.2.1)."""

    common: ObjectAttributes
    specific: Tlv
    type: Tlv


def _object(entry: Tlv) -> _Object:
    fields = children(entry)
    sequences = [field for field in fields if field.tag == Universal.SEQUENCE]
    if len(sequences) != 2:
        raise MalformedCardData(f"an object with {len(sequences)} attribute sequences instead of 2", entry.offset)
    common, specific = sequences
    wrapper = require(fields, _TYPE_ATTRIBUTES, "the type attributes of an object", entry.offset)
    content = require(children(wrapper), Universal.SEQUENCE, "the type attributes' content", wrapper.offset)
    return _Object(_common_attributes(common), specific, content)


def _common_attributes(sequence: Tlv) -> ObjectAttributes:
    fields = children(sequence)
    return ObjectAttributes(
        optional(find(fields, Universal.UTF8_STRING), text) or "",
        optional(find(fields, Universal.OCTET_STRING), _identifier),
        optional(find(fields, Universal.INTEGER), integer),
    )


def _pin_object(entry: _Object) -> PinObject:
    fields = children(entry.type)
    offset = entry.type.offset
    identifier = require(children(entry.specific), Universal.OCTET_STRING, "the identifier of a PIN", offset)
    numbers = [integer(field) for field in fields if field.tag == Universal.INTEGER]
    if not 2 <= len(numbers) <= 3:
        raise MalformedCardData(f"a PIN with {len(numbers)} lengths instead of 2 or 3", offset)
    minimum, stored = numbers[:2]
    maximum = numbers[2] if len(numbers) == 3 else stored
    if not 0 <= minimum <= maximum <= stored <= _PIN_BLOCK_MAX or not maximum:
        raise MalformedCardData(f"a PIN of {minimum} to {maximum} characters stored in {stored}", offset)
    return PinObject(
        entry.common,
        _identifier(identifier),
        bit_string(require(fields, Universal.BIT_STRING, "the flags of a PIN", offset)),
        _pin_type(require(fields, Universal.ENUMERATED, "the type of a PIN", offset)),
        max(minimum, 1),
        maximum,
        stored,
        optional(find(fields, 0x80), reference) or 0,
        optional(find(fields, Universal.OCTET_STRING), _pad_character),
        optional(find(fields, Universal.SEQUENCE), _path),
    )


def _pin_type(tlv: Tlv) -> PinType:
    try:
        return PinType(integer(tlv))
    except ValueError:
        raise MalformedCardData("a PIN of an unknown type", tlv.offset) from None


def _pad_character(tlv: Tlv) -> int:
    if len(tlv.value) != 1:
        raise MalformedCardData(f"a pad character of {len(tlv.value)} bytes", tlv.offset)
    return tlv.value[0]


def _private_key(entry: _Object) -> PrivateKey:
    specific = children(entry.specific)
    content = children(entry.type)
    offset = entry.type.offset
    bits = integer(require(content, Universal.INTEGER, "the modulus length of a key", offset))
    if not 512 <= bits <= 8192:
        raise MalformedCardData(f"a modulus of {bits} bits", offset)
    return PrivateKey(
        entry.common,
        _identifier(require(specific, Universal.OCTET_STRING, "the identifier of a key", entry.specific.offset)),
        bit_string(require(specific, Universal.BIT_STRING, "the usage of a key", entry.specific.offset)),
        optional(find(specific, Universal.INTEGER), reference),
        _path(require(content, Universal.SEQUENCE, "the path of a key", offset)),
        bits,
    )


def _certificate(entry: _Object) -> Certificate | None:
    fields = children(entry.specific)
    identifier = require(fields, Universal.OCTET_STRING, "the identifier of a certificate", entry.specific.offset)
    content = children(entry.type)
    if not content or content[0].tag != Universal.SEQUENCE:  # held in the directory itself, or behind an address
        return None
    return Certificate(entry.common, _identifier(identifier), _path(content[0]))


def _data_object(entry: _Object) -> DataObject | None:
    if find(children(entry.type), Universal.OCTET_STRING) is None:
        return None
    return DataObject(entry.common, _path(entry.type))


def _algorithm(entry: Tlv) -> Algorithm:
    fields = children(entry)
    numbers = [field for field in fields if field.tag == Universal.INTEGER]
    return Algorithm(
        optional(find(fields, Universal.BIT_STRING), bit_string) or frozenset(),
        optional(find(fields, Universal.OBJECT_IDENTIFIER), object_identifier),
        # reference and algorithm come first; algRef, optional, is the third INTEGER.
        reference(numbers[2]) if len(numbers) > 2 else None,
    )


def _path(sequence: Tlv) -> Path:
    fields = children(sequence)
    value = _path_value(require(fields, Universal.OCTET_STRING, "the value of a path", sequence.offset))
    index = optional(find(fields, Universal.INTEGER), _length) or 0
    return Path(value, index, optional(find(fields, 0x80), _length))


def _path_value(tlv: Tlv) -> bytes:
    if len(tlv.value) > _PATH_MAX or len(tlv.value) % 2:
        raise MalformedCardData(f"a path of {len(tlv.value)} bytes", tlv.offset)
    return octets(tlv)


def _length(tlv: Tlv) -> int:
    value = integer(tlv)
    if not 0 <= value <= _LENGTH_MAX:
        raise MalformedCardData(f"a length or index of {value} in a path", tlv.offset)
    return value


def _identifier(tlv: Tlv) -> bytes:
    if len(tlv.value) > _IDENTIFIER_MAX:
        raise MalformedCardData(f"an identifier of {len(tlv.value)} bytes", tlv.offset)
    return octets(tlv)
