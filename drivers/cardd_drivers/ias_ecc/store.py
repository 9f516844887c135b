"""What is known of one card, by memory or by reading it: its layout, certificates, data objects, algorithms."""

from __future__ import annotations

from cardd_drivers.contract import MalformedCardData, Memory, ObjectNotFound
from cardd_drivers.ias_ecc.directories import parse_dodf, parse_token_info
from cardd_drivers.ias_ecc.discovery import discover, read_directory
from cardd_drivers.ias_ecc.files import CERTIFICATE_MAX, FILE_MAX, Files
from cardd_drivers.ias_ecc.layout import CONTACT, Layout, Side, Snapshot
from cardd_drivers.ias_ecc.objects import DataObject, Path, PrivateKey, TokenInfo
from cardd_drivers.tlv import Universal, read_header

_LAYOUT = "layout"
_CARD_INFO = "card-info"
_DATA_OBJECTS = "data-objects"
_CERTIFICATE = "certificate-"
_TOKEN_INFO_PATH = Path(bytes.fromhex("5032"))
_DATA_DIRECTORIES_MAX = 4
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_COMPUTE_SIGNATURE = 1
"""Bit of supportedOperations (ISO 7816-15 8.10)."""


class Store:
    """One card under its serial; what the memory lacks is read from the card, once.

    Args:
        files: the card's files.
        memory: what is remembered: a hint that is parsed as hostile, and replaced where it cannot be read.
        serial: the card's.
        side: whose application it is.

    Raises:
        The errors of reading the card.
    """

    def __init__(self, files: Files, memory: Memory, serial: str, side: Side = CONTACT) -> None:
        self._files = files
        self._memory = memory
        self.serial = serial
        self._side = side
        self._read_now: Snapshot | None = None
        self._token_info = self._remembered_token_info()
        self.layout = self._remembered_layout() or self._read_layout()

    @property
    def label(self) -> str:
        """The card's label, empty until TokenInfo was read."""
        return self._token_info.label if self._token_info else ""

    def certificate(self, key: PrivateKey) -> bytes:
        """The DER certificate of a key.

        Raises:
            ObjectNotFound: the directory has none.
            MalformedCardData, UnexpectedResponse: it cannot be read.
        """
        entry = self.layout.certificate(key)
        if entry is None:
            raise ObjectNotFound("the card's directory names no certificate for this key")
        name = _CERTIFICATE + entry.identifier.hex()
        remembered = self._recall(name)
        if remembered is not None and _is_one_sequence(remembered):
            return remembered
        certificate = self._files.read_certificate(self.layout.application, entry.path)
        self._keep(name, certificate)
        self._read_again_where_cut()
        return certificate

    def data_objects(self) -> tuple[DataObject, ...]:
        """The entries of all DODFs.

        Raises:
            MalformedCardData, UnexpectedResponse: a directory cannot be read.
        """
        remembered = self._recall(_DATA_OBJECTS)
        if remembered is not None:
            try:
                return parse_dodf(remembered)
            except MalformedCardData:
                pass  # as if it had not been remembered
        paths = self.layout.data_directories[:_DATA_DIRECTORIES_MAX]
        data = b"".join(read_directory(self._files, self.layout.application, path) for path in paths)
        found = parse_dodf(data)
        self._keep(_DATA_OBJECTS, data)
        return found

    def read_object(self, label: str) -> bytes:
        """A data object by its label in a DODF, as its file is.

        Raises:
            ObjectNotFound, SecurityStatusNotSatisfied.
            MalformedCardData, UnexpectedResponse: a directory cannot be read.
        """
        found = next((entry for entry in self.data_objects() if entry.attributes.label == label), None)
        if found is None:
            raise ObjectNotFound("the card has no data object of this label")
        return self._files.read_file(self.layout.application, found.path, FILE_MAX, structured=False)

    def pss_reference(self) -> int | None:
        """The card's algorithm reference for RSASSA-PSS signatures, or None; reads TokenInfo at its first use.

        GUESS: with SHA-256 and a salt of 32 bytes. No published CPS3 lists it; a card that does would settle it, and
        a signature that does not verify would show it.

        Raises:
            MalformedCardData, UnexpectedResponse: TokenInfo cannot be read.
        """
        if self._token_info is None:
            data = read_directory(self._files, self.layout.application, _TOKEN_INFO_PATH)
            self._token_info = parse_token_info(data)
            self._keep(_CARD_INFO, data)
        return self.known_pss_reference()

    def known_pss_reference(self) -> int | None:
        """As `pss_reference`, from what is known already."""
        for algorithm in self._token_info.algorithms if self._token_info else ():
            if algorithm.oid == _RSASSA_PSS and _COMPUTE_SIGNATURE in algorithm.operations:
                return algorithm.reference
        return None

    def _remembered_layout(self) -> Layout | None:
        stored = self._recall(_LAYOUT)
        if stored is None:
            return None
        try:
            return Layout.parse(Snapshot.decode(stored), self._side)
        except MalformedCardData:
            return None

    def _remembered_token_info(self) -> TokenInfo | None:
        stored = self._recall(_CARD_INFO)
        if stored is None:
            return None
        try:
            return parse_token_info(stored)
        except MalformedCardData:
            return None

    def _read_layout(self) -> Layout:
        self._read_now = discover(self._files, self._side)
        layout = Layout.parse(self._read_now, self._side)
        # A directory that is named and was not there may have been a bad moment: it is looked for again next time.
        if self._read_now.is_whole(self._side):
            self._keep(_LAYOUT, self._read_now.encode())
        return layout

    def _recall(self, name: str) -> bytes | None:
        return self._memory.get(self.serial, self._side.remembered + name)

    def _keep(self, name: str, value: bytes) -> None:
        self._memory.put(self.serial, self._side.remembered + name, value)

    def _read_again_where_cut(self) -> None:
        """A long certificate may show that the card gives fewer bytes at a time than it was asked for. A directory
        that seemed to end just there is then read again, lest objects behind that point be lost."""
        limit, snapshot = self._files.read_limit, self._read_now
        if limit is not None and snapshot is not None and snapshot.ends_at(limit):
            self.layout = self._read_layout()
        self._read_now = None


def _is_one_sequence(data: bytes) -> bool:
    """Whether remembered bytes can be a DER certificate: one SEQUENCE, whole, of a plausible size."""
    if not 0 < len(data) <= CERTIFICATE_MAX:
        return False
    try:
        tag, length, start = read_header(data, 0)
    except MalformedCardData:
        return False
    return tag == Universal.SEQUENCE and start + length == len(data)
