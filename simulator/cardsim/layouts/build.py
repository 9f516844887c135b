"""Makes the file tree of a card from its layout, its numbers and what is personal to it."""

from __future__ import annotations

from cardsim import pkcs15
from cardsim.cps2ter import files as cps2ter_files
from cardsim.cps2ter.files import OlderFile
from cardsim.ias_ecc.files import EF_SN, MASTER_FILE, DedicatedFile, ElementaryFile, FileRules
from cardsim.ias_ecc.keys import PrivateKeyObject, SymmetricKeySet
from cardsim.ias_ecc.pins import Pin
from cardsim.ias_ecc.security_environment import StoredEnvironment
from cardsim.identifiers import card_serial_value
from cardsim.layouts import contactless
from cardsim.layouts.content import CardContent, KeyPair
from cardsim.layouts.layout import (
    EF_ATR,
    EF_CIA_INFO,
    EF_DIR,
    EF_LAST_UPDATE,
    EF_ODF,
    KeyPurpose,
    Layout,
    ReferenceData,
    ReferenceDataPurpose,
)
from cardsim.layouts.numbers import Numbers

SHORT_IDENTIFIERS = {EF_DIR: 0x1E, EF_ATR: 0x1D, EF_SN: 0x1C}
"""Published short file identifiers."""
ADMINISTRATION_KEY = 0x01
"""Number of the symmetric key set that security environment 5 names."""


def master_file(layout: Layout, content: CardContent, numbers: Numbers | None = None) -> DedicatedFile:
    """The file tree of one card. Both its interfaces lead to it; each file's and key's rules say what is whose.

    Args:
        layout: its fixed part.
        content: its personal part.
        numbers: its numbers; the layout's own when None.
    """
    return _Builder(layout, content, numbers or layout.numbers).master_file()


def older_side(content: CardContent) -> OlderFile:
    """The files of the older side, which are the same on every layout."""
    return cps2ter_files.master_file(content.billing_situation, content.older_activities)


class _Builder:
    """One card in the making."""

    def __init__(self, layout: Layout, content: CardContent, numbers: Numbers) -> None:
        self._layout = layout
        self._content = content
        self._numbers = numbers
        self._key_numbers = {
            KeyPurpose.SIGNATURE: numbers.signature_key,
            KeyPurpose.AUTHENTICATION: numbers.authentication_key,
        }
        self._references = {ReferenceDataPurpose.PIN: numbers.pin, ReferenceDataPurpose.PUK: numbers.puk}

    def master_file(self) -> DedicatedFile:
        layout = self._layout
        root = DedicatedFile(MASTER_FILE, layout.root_aid, layout.rules.dedicated)
        root.add(
            _file(EF_DIR, self._applications(), layout.rules.administered),
            _file(EF_ATR, layout.ef_atr, layout.rules.administered),
            _file(EF_SN, card_serial_value(self._content.serial), layout.rules.frozen),
            self._application(),
        )
        if any(entry.contactless for entry in layout.applications):
            root.add(contactless.application(layout, self._content, self._numbers))
        if layout.last_update is not None:
            root.add(_file(EF_LAST_UPDATE, layout.last_update, layout.rules.read_only))
        root.install(*(self._reference_data_object(item) for item in layout.reference_data), *self._environments())
        if self._content.administration_key is not None:
            root.install(SymmetricKeySet(ADMINISTRATION_KEY, self._content.administration_key))
        return root

    # Files

    def _applications(self) -> bytes:
        numbers = self._numbers
        return b"".join(
            pkcs15.Application(
                entry.aid,
                entry.label,
                (MASTER_FILE, numbers.contactless_application if entry.contactless else numbers.application),
                entry.ddo_aid,
            ).encode()
            for entry in self._layout.applications
        )

    def _application(self) -> DedicatedFile:
        layout, numbers, content = self._layout, self._numbers, self._content
        directory = DedicatedFile(numbers.application, layout.contact_aid, layout.rules.dedicated)
        info = pkcs15.cia_info(content.label, layout.manufacturer, layout.info_flags, layout.info_last_update)
        for fid, value in (
            (EF_ODF, self._object_directory()),
            (EF_CIA_INFO, info),
            (numbers.pin_directory, b"".join(self._pin_entry(item) for item in layout.reference_data)),
            (numbers.key_directory, self._key_directory()),
            (numbers.certificate_directory, self._certificate_directory()),
            (numbers.data_directory, self._data_directory()),
        ):
            directory.add(_file(fid, value, layout.rules.read_only))
        for fid, pair in (
            (numbers.signature_certificate, content.signature),
            (numbers.authentication_certificate, content.authentication),
        ):
            directory.add(_file(fid, pair.certificate, layout.rules.certificate))
        self._add_authority(directory)
        for item in content.data_objects:
            rules = layout.rules.updated_by_pin if item.writable else layout.rules.read_only
            directory.add(_file(item.fid, item.content, layout.rules.read_by_pin if item.private else rules))
        for key in layout.keys:
            number = self._key_numbers[key.purpose]
            directory.install(PrivateKeyObject(number, self._pair(key.purpose).key, key.rule))
        return directory

    def _add_authority(self, directory: DedicatedFile) -> None:
        if self._layout.authority_label is None:
            return
        numbers, rules = self._numbers, self._layout.rules
        entry = pkcs15.authority_entry(
            self._layout.authority_label, self._layout.object_flags, self._path(numbers.authority_certificate)
        )
        directory.add(
            _file(numbers.authority_directory, entry, rules.read_only),
            _file(numbers.authority_certificate, self._content.authority_certificate, rules.certificate),
        )

    def _path(self, *fids: int) -> tuple[int, ...]:
        """A path as the layout's directories write it; no identifier is the application's DF."""
        return (MASTER_FILE, self._numbers.application, *fids) if self._layout.absolute_paths else fids

    # Directories

    def _object_directory(self) -> bytes:
        numbers = self._numbers
        authorities = () if self._layout.authority_label is None else ((0xA5, numbers.authority_directory),)
        entries = (
            (0xA8, numbers.pin_directory),
            (0xA0, numbers.key_directory),
            (0xA4, numbers.certificate_directory),
            *authorities,
            (0xA7, numbers.data_directory),
        )
        return pkcs15.object_directory((tag, self._path(fid)) for tag, fid in entries)

    def _pin_entry(self, item: ReferenceData) -> bytes:
        return pkcs15.PinEntry(
            label=item.label,
            object_flags=item.object_flags,
            authentication=item.authentication,
            rules=item.access_rules,
            identifier=item.identifier,
            flags=item.flags,
            min_length=item.policy.min_length,
            stored_length=item.stored_length,
            max_length=item.max_length,
            reference=self._references[item.purpose],
            pad=item.policy.pad if item.directory_pad else None,
            path=(MASTER_FILE,) if item.directory_path else None,
        ).encode()

    def _key_directory(self) -> bytes:
        """GUESS: the encoding; the attributes are published, the key directory of a real card settles the bytes."""
        pin = self._pin_identifier
        return b"".join(
            pkcs15.PrivateKeyEntry(
                label=key.label,
                flags=key.object_flags,
                user=pin,
                rules=key.access_rules,
                identifier=key.identifier,
                usage=key.usage,
                native=key.access_flags,
                reference=self._key_reference(key.purpose),
                path=self._path(),
                modulus_bits=self._pair(key.purpose).key.size * 8,
            ).encode()
            for key in self._layout.keys
        )

    def _key_reference(self, purpose: KeyPurpose) -> bytes:
        return self._numbers.key_reference(self._key_numbers[purpose], local=self._layout.local_references)

    def _certificate_directory(self) -> bytes:
        layout = self._layout
        files = {
            KeyPurpose.SIGNATURE: self._numbers.signature_certificate,
            KeyPurpose.AUTHENTICATION: self._numbers.authentication_certificate,
        }
        return b"".join(
            pkcs15.certificate_entry(
                key.certificate_label,
                layout.object_flags,
                layout.certificate_access_rules,
                key.identifier,
                self._path(files[key.purpose]),
            )
            for key in layout.keys
        )

    def _data_directory(self) -> bytes:
        """The professional data objects, application name CPS."""
        free, private = self._layout.object_flags, pkcs15.PRIVATE + pkcs15.by(self._pin_identifier)
        return b"".join(
            pkcs15.data_entry(item.label, private if item.private else free, "CPS", self._path(item.fid))
            for item in self._content.data_objects
        )

    # Objects

    @property
    def _pin_identifier(self) -> int:
        return next(item.identifier for item in self._layout.reference_data if item.purpose is ReferenceDataPurpose.PIN)

    def _pair(self, purpose: KeyPurpose) -> KeyPair:
        return self._content.signature if purpose is KeyPurpose.SIGNATURE else self._content.authentication

    def _reference_data_object(self, item: ReferenceData) -> Pin:
        content, is_pin = self._content, item.purpose is ReferenceDataPurpose.PIN
        left = content.pin_tries_left if is_pin else content.puk_tries_left
        return Pin(
            number=self._references[item.purpose],
            policy=item.policy,
            value=item.policy.pad_digits(content.pin if is_pin else content.puk),
            tries_max=item.tries,
            tries_left=min(left, item.tries),
            rule=item.rule,
            uses_left=item.uses,
            size_in_parameters=item.size_in_parameters,
        )

    def _environments(self) -> tuple[StoredEnvironment, ...]:
        """GUESS: their contents; GET DATA 7B of each at the master file settles them."""
        return tuple(
            StoredEnvironment(item.number, item.content)
            if item.by is None
            else StoredEnvironment(item.number, bytes.fromhex("A4069501088301") + bytes([self._references[item.by]]))
            for item in self._layout.environments
        )


def _file(fid: int, content: bytes, rules: FileRules) -> ElementaryFile:
    return ElementaryFile(fid, bytearray(content), rules, sfi=SHORT_IDENTIFIERS.get(fid))
