"""What of a card is remembered: its directories as they were read, parsed again each time they are read back.

One parser serves the card and the memory, so that a memory that was spoilt is refused as a hostile card would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cardd_drivers.contract import KeyName, KeyNotFound, MalformedCardData
from cardd_drivers.ias_ecc.directories import parse_aodf, parse_cdf, parse_ef_dir, parse_odf, parse_prkdf
from cardd_drivers.ias_ecc.objects import Application, Certificate, Directory, KeyUsage, Path, PinObject, PrivateKey

_Entry = TypeVar("_Entry")

CONTACT_AID = bytes.fromhex("E828BD080F8025000001FF0010")
CONTACTLESS_AID = bytes.fromhex("E828BD080F8025000001FF0020")

READ_DIRECTORIES = (Directory.AUTHENTICATION_OBJECTS, Directory.PRIVATE_KEYS, Directory.CERTIFICATES)
"""The directories that identification reads, in this order; data objects wait until one is asked for."""


@dataclass(frozen=True, slots=True)
class Side:
    """What is looked for on a card: the application of one of its interfaces.

    Args:
        aid: its application's DF name.
        interface: its name in errors.
        others: DF names that are never taken; an application of a fourth name is, rather than none.
        directories: which of its directories are read, in this order.
        keys: the uses that its keys can have.
        remembered: what its names in the memory begin with: both interfaces show one serial number.
    """

    aid: bytes
    interface: str
    others: frozenset[bytes]
    directories: tuple[Directory, ...]
    keys: frozenset[KeyName]
    remembered: str

    def application(self, applications: tuple[Application, ...]) -> Application:
        """Its application, wherever EF.DIR has it; one under another AID rather than none.

        Raises:
            MalformedCardData: EF.DIR names none.
        """
        for application in applications:
            if application.aid == self.aid:
                return application
        for application in applications:
            if application.aid not in self.others:
                return application
        raise MalformedCardData(f"EF.DIR names no application for the {self.interface} interface")


CONTACT = Side(
    aid=CONTACT_AID,
    interface="contact",
    others=frozenset({CONTACTLESS_AID}),
    directories=READ_DIRECTORIES,
    keys=frozenset({KeyName.AUTHENTICATION, KeyName.SIGNATURE, KeyName.ENCRYPTION}),
    remembered="",
)
CONTACTLESS = Side(
    aid=CONTACTLESS_AID,
    interface="contactless",
    others=frozenset({CONTACT_AID}),
    # No PIN is looked for: none goes over the air.
    directories=(Directory.PRIVATE_KEYS, Directory.CERTIFICATES),
    keys=frozenset({KeyName.TECHNICAL}),
    remembered="contactless-",
)

_MAGIC = b"ias-ecc layout 1\n"
"""Name and version: another version is unknown, and the card is read again."""
_EF_DIR = 0x61
_ODF = 0x31
_LENGTH_OCTETS = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The directories as the card gave them.

    Args:
        ef_dir, odf: content of these files.
        directories: kind and content of each directory that the ODF points to, `READ_DIRECTORIES` only.
    """

    ef_dir: bytes
    odf: bytes
    directories: tuple[tuple[Directory, bytes], ...]

    def encode(self) -> bytes:
        """To bytes for the memory."""
        records = [(_EF_DIR, self.ef_dir), (_ODF, self.odf), *((int(kind), data) for kind, data in self.directories)]
        return _MAGIC + b"".join(
            bytes((kind,)) + len(data).to_bytes(_LENGTH_OCTETS, "big") + data for kind, data in records
        )

    @classmethod
    def decode(cls, stored: bytes) -> Snapshot:
        """From the memory.

        Raises:
            MalformedCardData: not what `encode` writes.
        """
        records = _records(stored)
        if [kind for kind, _ in records[:2]] != [_EF_DIR, _ODF]:
            raise MalformedCardData("a remembered layout does not begin with EF.DIR and the ODF")
        kinds = {int(kind): kind for kind in READ_DIRECTORIES}
        if any(kind not in kinds for kind, _ in records[2:]):
            raise MalformedCardData("a remembered layout with an unknown directory")
        return cls(records[0][1], records[1][1], tuple((kinds[kind], data) for kind, data in records[2:]))

    def is_whole(self, side: Side) -> bool:
        """Each kind of directory that this side has is there, and none of them is empty."""
        there = {kind for kind, data in self.directories if data}
        return there.issuperset(side.directories) and all(data for _, data in self.directories)

    def ends_at(self, piece: int) -> bool:
        """Whether a file ends at a multiple of `piece` bytes, where a card that gives no more at once could cut it."""
        files = (self.ef_dir, self.odf, *(data for _, data in self.directories))
        return any(data and len(data) % piece == 0 for data in files)


def _records(stored: bytes) -> list[tuple[int, bytes]]:
    if not stored.startswith(_MAGIC):
        raise MalformedCardData("a remembered layout of another version")
    records = []
    position = len(_MAGIC)
    while position < len(stored):
        start = position + 1 + _LENGTH_OCTETS
        end = start + int.from_bytes(stored[position + 1 : start], "big")
        if start > len(stored) or end > len(stored):
            raise MalformedCardData("a remembered layout was cut", position)
        records.append((stored[position], stored[start:end]))
        position = end
    return records


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories, understood.

    Args:
        application: whose DF everything lies in.
        data_directories: where the DODFs are.
        pins: all PINs and PUKs.
        keys: all private keys.
        certificates: all certificates.
        uses: that its keys can have.
    """

    application: Application
    data_directories: tuple[Path, ...]
    pins: tuple[PinObject, ...]
    keys: tuple[PrivateKey, ...]
    certificates: tuple[Certificate, ...]
    uses: frozenset[KeyName] = CONTACT.keys

    @classmethod
    def parse(cls, snapshot: Snapshot, side: Side = CONTACT) -> Layout:
        """Understand the directories.

        Raises:
            MalformedCardData: one cannot be read, or EF.DIR names no application of this side.
        """

        def entries(kind: Directory, parser: Callable[[bytes], tuple[_Entry, ...]]) -> tuple[_Entry, ...]:
            return tuple(entry for found, data in snapshot.directories if found is kind for entry in parser(data))

        return cls(
            side.application(parse_ef_dir(snapshot.ef_dir)),
            parse_odf(snapshot.odf)[Directory.DATA_OBJECTS],
            entries(Directory.AUTHENTICATION_OBJECTS, parse_aodf),
            entries(Directory.PRIVATE_KEYS, parse_prkdf),
            entries(Directory.CERTIFICATES, parse_cdf),
            side.keys,
        )

    def key(self, name: KeyName) -> PrivateKey:
        """The key for a use, told by its usage bits alone: non-repudiation marks the signature key.

        Raises:
            KeyNotFound: none has this use, or it has no reference.
        """
        for key in self.keys:
            if self._is_usable(key, name):
                return key
        raise KeyNotFound(f"the card has no {name} key")

    def has(self, name: KeyName) -> bool:
        """Whether `key` finds one."""
        return any(self._is_usable(key, name) for key in self.keys)

    def certificate(self, key: PrivateKey) -> Certificate | None:
        """The certificate that shares the key's identifier, or None."""
        return next((found for found in self.certificates if found.identifier == key.identifier), None)

    def pin(self) -> PinObject | None:
        """The holder's PIN: the one that protects a key, or else the first that unblocks no other."""
        protecting = {key.attributes.auth_id for key in self.keys}
        candidates = [pin for pin in self.pins if not pin.unblocks]
        return next(iter((*(pin for pin in candidates if pin.identifier in protecting), *candidates)), None)

    def puk(self) -> PinObject | None:
        """What unblocks the PIN: named by its authId, or else the one that says so of itself.

        Published CPS3 cards give the PIN an authId (02) that the PUK (04) does not have.
        """
        pin = self.pin()
        if pin is None:
            return None
        others = [other for other in self.pins if other is not pin]
        named = [other for other in others if other.identifier == pin.attributes.auth_id]
        return next(iter((*named, *(other for other in others if other.unblocks))), None)

    def _is_usable(self, key: PrivateKey, name: KeyName) -> bool:
        return name in self.uses and key.reference is not None and _serves(key, name)


def _serves(key: PrivateKey, name: KeyName) -> bool:
    non_repudiation = KeyUsage.NON_REPUDIATION in key.usage
    match name:
        case KeyName.SIGNATURE:
            return non_repudiation
        case KeyName.AUTHENTICATION | KeyName.TECHNICAL:
            return KeyUsage.SIGN in key.usage and not non_repudiation
        case KeyName.ENCRYPTION:
            return bool(key.usage & {KeyUsage.DECIPHER, KeyUsage.UNWRAP}) and not non_repudiation
