"""The local block list: cards, certificates and holders that are refused here at once, before any CRL says so.

It is for the hours between "my card was stolen" and the authority's next CRL. A file in TOML, which its administrator
edits:

    [[blocked]]
    card = "2600000011"
    why = "lost on 12 May, reported by the holder"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.x509.oid import NameOID

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.errors import InvalidFingerprint, PkiError
from cardd.pki.fingerprints import fingerprint_of, parse_fingerprint
from cardd.toml_file import TomlDocument, TomlUnusable, parse_toml, read_toml

if TYPE_CHECKING:
    from cryptography import x509

ENTRIES_MAX: Final = 10_000
_KEYS: Final = frozenset({"card", "certificate", "serial", "issuer", "holder", "why"})
_CARD: Final = re.compile(r"[0-9A-Za-z]{4,40}")
_SERIAL: Final = re.compile(r"[0-9a-f]{1,42}")
_HOLDER: Final = re.compile(r"[0-9A-Za-z/]{2,64}")
_TEXT_MAX: Final = 200


class BlockListUnusable(PkiError):
    """The file cannot be read, or something in it cannot be used; the text names file and line."""


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """Who or what is refused; one of the four, and why.

    Args:
        card: the number printed on the card, or the serial number that it gives of itself.
        certificate: SHA-256 fingerprint, 64 lower-case hexadecimal digits.
        serial: of a certificate, with `issuer`: the common name of who issued it.
        issuer: see there.
        holder: national identifier, as the certificate's common name has it.
        why: for people.
    """

    card: str | None = None
    certificate: str | None = None
    serial: int | None = None
    issuer: str | None = None
    holder: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """By what a card, or the token of a card, is recognised.

    Args:
        certificate: the holder's, None where none can be read.
        cards: numbers and serials of the card, those that are known.
        holder: national identifier, empty while unknown.
    """

    certificate: x509.Certificate | None
    cards: frozenset[str]
    holder: str


class BlockList:
    """What is refused; made once a file.

    Args:
        entries: in the file's order.
    """

    def __init__(self, entries: Iterable[BlockEntry] = ()) -> None:
        self._entries = tuple(entries)
        self._cards = {one.card for one in self._entries if one.card is not None}
        self._certificates = {one.certificate for one in self._entries if one.certificate is not None}
        self._numbers = {(one.serial, one.issuer) for one in self._entries if one.serial is not None}
        self._holders = {one.holder for one in self._entries if one.holder is not None}

    def __len__(self) -> int:
        return len(self._entries)

    def blocks(self, marks: Marks) -> bool:
        """Whether something of these marks stands on the list."""
        if not self._cards.isdisjoint(marks.cards) or marks.holder in self._holders:
            return True
        certificate = marks.certificate
        if certificate is None or not (self._certificates or self._numbers):
            return False
        if fingerprint_of(certificate) in self._certificates:
            return True
        return any((certificate.serial_number, name) in self._numbers for name in _issuer_names(certificate))


def _issuer_names(certificate: x509.Certificate) -> list[str]:
    try:
        return [str(one.value) for one in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except READ_ERRORS:  # such a certificate is trusted for nothing
        return []


def load_block_list(file: Path | None) -> BlockList:
    """Read the file; where there is none, nothing is blocked.

    Raises:
        BlockListUnusable: it cannot be read or used: a list that was misread would let somebody pass.
    """
    if file is None:
        return BlockList()
    try:
        return _list_of(read_toml(file), file)
    except TomlUnusable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return BlockList()
        raise BlockListUnusable(f"{file} {error}") from error


def parse_block_list(text: str, file: Path) -> BlockList:
    """Read a text; raises as `load_block_list`."""
    try:
        return _list_of(parse_toml(text), file)
    except TomlUnusable as error:
        raise BlockListUnusable(f"{file} {error}") from error


def _list_of(document: TomlDocument, file: Path) -> BlockList:
    unknown = sorted(document.table.keys() - {"blocked"})
    entries = document.table.get("blocked", [])
    if unknown or not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise BlockListUnusable(f"{file}: it may hold [[blocked]] alone")
    if len(entries) > ENTRIES_MAX:
        raise BlockListUnusable(f"{file}: there are more than {ENTRIES_MAX} entries")
    found: list[BlockEntry] = []
    for position, table in enumerate(entries):
        try:
            found.append(_entry(table))
        except ValueError as error:
            line = document.lines.header("blocked", position)
            where = f"{file}:{line}" if line is not None else str(file)
            raise BlockListUnusable(f"{where}: entry {position + 1} {error}") from None
    return BlockList(found)


def _entry(table: Mapping[str, Any]) -> BlockEntry:  # TOML
    for key, value in table.items():
        if key not in _KEYS:
            raise ValueError(f"has the unknown key {key[:40]!r}; there are {', '.join(sorted(_KEYS))}")
        if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_MAX:
            raise ValueError(f"needs for {key} a text of 1 to {_TEXT_MAX} characters, in quotes")
    if ("serial" in table) is not ("issuer" in table):
        raise ValueError("needs serial and issuer together")
    if len(table.keys() & {"card", "certificate", "serial", "holder"}) != 1:
        raise ValueError("must have one of card, certificate, serial with issuer, holder")
    return BlockEntry(
        card=_plain(table, "card", _CARD, "letters and digits"),
        certificate=_fingerprint(table.get("certificate")),
        serial=_serial(table.get("serial")),
        issuer=table.get("issuer"),
        holder=_plain(table, "holder", _HOLDER, "a national identifier, as 899900000011"),
        why=table.get("why", ""),
    )


def _plain(table: Mapping[str, str], key: str, form: re.Pattern[str], description: str) -> str | None:
    if key not in table:
        return None
    text = table[key].replace(" ", "")
    if form.fullmatch(text) is None:
        raise ValueError(f"needs for {key} {description}")
    return text


def _fingerprint(text: str | None) -> str | None:
    try:
        return None if text is None else parse_fingerprint(text)
    except InvalidFingerprint as error:
        raise ValueError(f"has a certificate that is no fingerprint: {error}") from error


def _serial(text: str | None) -> int | None:
    """As openssl prints it: hexadecimal, with or without colons."""
    if text is None:
        return None
    digits = text.replace(":", "").replace(" ", "").lower().removeprefix("0x")
    if _SERIAL.fullmatch(digits) is None:
        raise ValueError("needs for serial hexadecimal digits, as openssl prints them")
    return int(digits, 16)
