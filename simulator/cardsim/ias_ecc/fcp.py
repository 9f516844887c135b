"""File control parameters (ISO 7816-4, 7.4.3), in the order in which real cards give them."""

from __future__ import annotations

from cardsim import tlv
from cardsim.ias_ecc.access_rules import TAG_ACCESS_RULES
from cardsim.ias_ecc.files import DedicatedFile, ElementaryFile, File

TAG_FCP, TAG_FCI = 0x62, 0x6F
DESCRIPTOR_TRANSPARENT_EF = b"\x01"
DESCRIPTOR_DF = b"\x38"
LIFE_CYCLE_ACTIVATED = b"\x05"


def encode(file: File, *, rules_last: bool = False, template: int = TAG_FCP) -> bytes:
    """The FCP template of a file: size 80, descriptor 82, identifier 83, name 84, SFI 88, rules A1, life cycle 8A.

    Args:
        file: which.
        rules_last: put the rules behind the life cycle.
        template: FCP, or FCI for cards that give the same under that tag.
    """
    rules = tlv.encode(TAG_ACCESS_RULES, file.rules.encode())
    life_cycle = tlv.encode(0x8A, LIFE_CYCLE_ACTIVATED)
    specific = _ef(file) if isinstance(file, ElementaryFile) else _df(file)
    return tlv.encode(template, specific, *((life_cycle, rules) if rules_last else (rules, life_cycle)))


def _ef(file: ElementaryFile) -> bytes:
    # The short identifier stands in the high five bits.
    short = b"" if file.sfi is None else tlv.encode(0x88, bytes([file.sfi << 3]))
    return b"".join(
        (
            tlv.encode(0x80, len(file.content).to_bytes(2, "big")),
            tlv.encode(0x82, DESCRIPTOR_TRANSPARENT_EF),
            tlv.encode(0x83, file.fid.to_bytes(2, "big")),
            short,
        )
    )


def _df(file: DedicatedFile) -> bytes:
    return b"".join(
        (
            tlv.encode(0x82, DESCRIPTOR_DF),
            tlv.encode(0x83, file.fid.to_bytes(2, "big")),
            tlv.encode(0x84, file.aid) if file.aid else b"",
        )
    )
