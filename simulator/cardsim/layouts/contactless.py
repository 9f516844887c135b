"""Makes the application that serves without contact: one key without PIN, its certificate, and their directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardsim import pkcs15
from cardsim.ias_ecc.files import MASTER_FILE, DedicatedFile, ElementaryFile
from cardsim.ias_ecc.keys import PrivateKeyObject
from cardsim.layouts.layout import EF_CIA_INFO, EF_ODF

if TYPE_CHECKING:
    from cardsim.layouts.content import CardContent, KeyPair
    from cardsim.layouts.layout import ContactlessFace, Layout
    from cardsim.layouts.numbers import Numbers


def application(layout: Layout, content: CardContent, numbers: Numbers) -> DedicatedFile:
    """The DF of the application that EF.DIR names for the contactless interface.

    Its directories give absolute paths, whatever those of the contact application do: so had the recorded cards, on
    either layout.

    Args:
        layout: its fixed part.
        content: its personal part; without a technical key the application is empty.
        numbers: its numbers.
    """
    aid = next(entry.aid for entry in layout.applications if entry.contactless)
    directory = DedicatedFile(numbers.contactless_application, aid, layout.rules.dedicated)
    face, pair = layout.contactless, content.technical
    if face is None or pair is None:
        return directory
    for fid, value in (
        (EF_ODF, _object_directory(numbers)),
        (EF_CIA_INFO, pkcs15.cia_info(face.label, layout.manufacturer, layout.info_flags, None)),
        (numbers.contactless_key_directory, _key_directory(face, numbers, pair)),
        (numbers.contactless_certificate_directory, _certificate_directory(face, numbers)),
        (numbers.technical_certificate, pair.certificate),
    ):
        directory.add(ElementaryFile(fid, bytearray(value), face.rules))
    directory.install(PrivateKeyObject(numbers.technical_key, pair.key, face.key_rule, face.contactless_key_rule))
    return directory


def _path(numbers: Numbers, *fids: int) -> tuple[int, ...]:
    return (MASTER_FILE, numbers.contactless_application, *fids)


def _object_directory(numbers: Numbers) -> bytes:
    return pkcs15.object_directory(
        (
            (0xA0, _path(numbers, numbers.contactless_key_directory)),
            (0xA4, _path(numbers, numbers.contactless_certificate_directory)),
        )
    )


def _key_directory(face: ContactlessFace, numbers: Numbers, pair: KeyPair) -> bytes:
    return pkcs15.PrivateKeyEntry(
        label=face.key_label,
        flags=face.object_flags,
        user=None,
        rules=(),
        identifier=face.identifier,
        usage=face.usage,
        native=face.access_flags,
        reference=numbers.key_reference(numbers.technical_key, local=True),
        path=_path(numbers),
        modulus_bits=pair.key.size * 8,
    ).encode()


def _certificate_directory(face: ContactlessFace, numbers: Numbers) -> bytes:
    where = _path(numbers, numbers.technical_certificate)
    return pkcs15.certificate_entry(face.certificate_label, face.object_flags, (), face.identifier, where)
