"""Dedicated and elementary files (ISO 7816-4, 7.2) and how they are found."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardsim import tlv
from cardsim.ias_ecc.access_rules import TAG_ACCESS_RULES, Interface
from cardsim.ias_ecc.sdo import SdoName, SecurityDataObject

MASTER_FILE = 0x3F00
EF_SN = 0xD003
"""Serial number of the card: the one EF that middlewares read by short identifier."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """Compact access rules of a file for each interface, shown and enforced.

    Args:
        contact: value of tag 8C.
        contactless: value of tag 9C, or None where the FCP shows none.
    """

    contact: bytes
    contactless: bytes | None = None

    def encode(self) -> bytes:
        """Value of tag A1."""
        rules = tlv.encode(Interface.CONTACT.value, self.contact)
        if self.contactless is not None:
            rules += tlv.encode(Interface.CONTACTLESS.value, self.contactless)
        return rules


@dataclass(slots=True, eq=False)
class ElementaryFile:
    """A transparent EF; its content lives in EEPROM.

    Args:
        fid: file identifier.
        content: as many bytes as the file has.
        rules: access rules.
        sfi: short file identifier 1 to 30, or None.
    """

    fid: int
    content: bytearray = field(repr=False)
    rules: FileRules
    sfi: int | None = None


@dataclass(slots=True, eq=False)
class DedicatedFile:
    """A DF with its files and its security data objects.

    Args:
        fid: file identifier.
        aid: DF name, 5 to 16 bytes; empty where it has none.
        rules: access rules.
        parent: the DF it is in; None for the master file.
    """

    fid: int
    aid: bytes
    rules: FileRules
    parent: DedicatedFile | None = field(default=None, repr=False)
    children: dict[int, File] = field(default_factory=dict, repr=False)
    objects: dict[SdoName, SecurityDataObject] = field(default_factory=dict, repr=False)

    def add(self, *files: File) -> None:
        """Put files into this DF."""
        for file in files:
            self.children[file.fid] = file
            if isinstance(file, DedicatedFile):
                file.parent = self

    def install(self, *objects: SecurityDataObject) -> None:
        """Put security data objects into this DF."""
        self.objects.update({item.name: item for item in objects})

    def by_short_identifier(self, sfi: int) -> ElementaryFile | None:
        """The EF of this DF with that short file identifier."""
        files = (file for file in self.children.values() if isinstance(file, ElementaryFile))
        return next((file for file in files if file.sfi == sfi), None)

    def by_path(self, path: list[int]) -> File | None:
        """Follow file identifiers downwards from this DF."""
        file: File | None = self
        for fid in path:
            file = file.children.get(fid) if isinstance(file, DedicatedFile) else None
        return file

    def by_name(self, aid: bytes) -> DedicatedFile | None:
        """This DF or one below it whose DF name is exactly ``aid``."""
        if self.aid and self.aid == aid:
            return self
        below = (file.by_name(aid) for file in self.children.values() if isinstance(file, DedicatedFile))
        return next((found for found in below if found is not None), None)


File = ElementaryFile | DedicatedFile


def access_rules_of(fcp: bytes) -> bytes:
    """Value of tag A1 inside an FCP template.

    Raises:
        ValueError: the FCP shows no access rules.
    """
    template = tlv.parse(fcp)
    rules = tlv.find(tlv.parse(template[0].value), TAG_ACCESS_RULES)
    if rules is None:
        raise ValueError("FCP without access rules")
    return rules
