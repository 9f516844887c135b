"""The files of the older side: one level after another, each with a size, an identifier and a type."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

from cardsim import tlv

MASTER_FILE = 0x3F00
BILLING_DF = 0x7F01
EF_BILLING_SITUATION = 0x4000
"""CPS_SIT_FACT, in the billing DF."""
EF_FIRST_ACTIVITY = 0x4010
"""CPS2TER_ACTIVITY_01_PS to _16_PS, 4010 to 401F, in the master file."""
_TAG_FILE = 0x85


class FileType(enum.IntEnum):
    """Last byte of what SELECT tells."""

    MASTER_FILE = 0x01
    DEDICATED = 0x02
    ELEMENTARY = 0x04


@dataclass(slots=True, eq=False)
class OlderFile:
    """A file of the older side.

    Args:
        fid: file identifier.
        type: what it is.
        content: of an EF.
        children: of a DF.
        parent: the DF it is in.
    """

    fid: int
    type: FileType
    content: bytes = field(default=b"", repr=False)
    children: dict[int, OlderFile] = field(default_factory=dict, repr=False)
    parent: OlderFile | None = field(default=None, repr=False)

    def add(self, *files: OlderFile) -> OlderFile:
        """Put files into this DF; returns it."""
        for file in files:
            self.children[file.fid] = file
            file.parent = self
        return self

    def describe(self) -> bytes:
        """``85 L size fid type``: what GET RESPONSE gives after SELECT."""
        value = len(self.content).to_bytes(2, "big") + self.fid.to_bytes(2, "big") + bytes([self.type])
        return tlv.encode(_TAG_FILE, value)


def master_file(billing_situation: bytes, activities: Iterable[tuple[int, bytes]]) -> OlderFile:
    """The older side of a card.

    Args:
        billing_situation: content of CPS_SIT_FACT.
        activities: number 1 to 16 and content of each CPS2TER_ACTIVITY.
    """
    billing = OlderFile(BILLING_DF, FileType.DEDICATED).add(
        OlderFile(EF_BILLING_SITUATION, FileType.ELEMENTARY, billing_situation)
    )
    files = (OlderFile(EF_FIRST_ACTIVITY + number - 1, FileType.ELEMENTARY, content) for number, content in activities)
    return OlderFile(MASTER_FILE, FileType.MASTER_FILE).add(billing, *files)
