"""What is killed, and around it what stays: a bus, the simulated card, the journal and the registry on the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from scripts.soak_kills.user import HANG_SECONDS, PIN

from cardd.journal.files import DirectoryFiles
from cardd.journal.problems import Report
from cardd.journal.query import Query, search
from cardd.journal.verify import verify
from cardd.readers.stack import Code, Disposition, PcscError, Share, load_stack
from cardsim import PkiStore, personalise, profiles
from cardsim.pki import export
from cardsim.stage import CarddProcess, PrivateBus
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.pcscd import PrivatePcscd

_TRY_AGAIN_SECONDS = 0.02
_PIN_ASKED = bytes.fromhex("00200001")
"""VERIFY without data (ISO 7816-4, 7.5.6): 9000 while the PIN counts as verified, 63CX otherwise."""
VERIFIED = b"\x90\x00"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the disk has, read without cardd.

    Args:
        report: of the journal's verifier.
        digests: of the signatures in the journal (hexadecimal).
        tokens: ids in the journal.
    """

    report: Report
    digests: set[str]
    tokens: set[str]


@dataclass(slots=True)
class Process:
    """How much a process has."""

    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Look at one that runs."""
        proc = Path(f"/proc/{pid}")
        return cls(len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir())))


@dataclass(slots=True)
class Scene:
    """Sets all of it up, and ends all of it on leaving the context.

    Args:
        folder: for everything that is written; exists.
        store: the fictional PKI of the card.
    """

    folder: Path
    store: PkiStore
    bus: PrivateBus = field(init=False)
    pcscd: PrivatePcscd = field(init=False)
    cardd: CarddProcess = field(init=False)
    _running: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self.bus = starting.enter_context(PrivateBus())
            self.pcscd = starting.enter_context(PrivatePcscd())
            authorities = self.folder / "authorities"
            export(self.store, authorities)
            reader = VpcdReader(VpcdAddress(port=self.pcscd.ports[0]))
            reader.insert(personalise(profiles.load("physician"), self.store))
            starting.callback(reader.remove)
            self.cardd = starting.enter_context(CarddProcess(self.folder, self.bus.address, authorities=authorities))
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._running.close()

    def kept(self) -> Kept:
        """Read and verify the journal."""
        files = DirectoryFiles(self.folder / "journal")
        try:
            report = verify(files)
            kinds = frozenset({"signed", "token-minted"})
            entries = [found.entry for found in search(files, Query(kinds=kinds, result="ok"))]
        finally:
            files.close()
        digests = {str(entry.what["digest"]) for entry in entries if entry.kind == "signed"}
        tokens = {str(entry.what["token"]) for entry in entries if entry.kind == "token-minted"}
        return Kept(report, digests, tokens)

    def registered(self) -> set[str]:
        """Ids of the tokens in the registry that are not revoked."""
        registry = f"file:{self.folder / 'tokens.sqlite'}?mode=ro"
        with closing(sqlite3.connect(registry, uri=True)) as database:
            rows = database.execute(
                "SELECT token_id FROM tokens WHERE token_id NOT IN (SELECT token_id FROM revocations)"
            )
            return {str(row[0]) for row in rows}

    async def pin_asked(self, *, verified_first: bool = False) -> bytes:
        """Ask the card, as another program would, whether the PIN counts as verified; the card is reset afterwards.

        Tries again while the reader is held: pcscd lets a dead program's hold go when it notices.

        Args:
            verified_first: give the PIN before, to see what a verified one looks like.

        Raises:
            TimeoutError: the reader stays held.
        """
        async with asyncio.timeout(HANG_SECONDS):
            while True:
                try:
                    return await asyncio.to_thread(self._pin_asked, verified_first)
                except PcscError as error:
                    if error.code != Code.E_SHARING_VIOLATION:
                        raise
                await asyncio.sleep(_TRY_AGAIN_SECONDS)

    def _pin_asked(self, verified_first: bool) -> bytes:
        context = load_stack("pcsc", {}).establish()
        try:
            handle = context.connect(self.pcscd.reader_names[0], Share.SHARED)
            try:
                if verified_first:
                    handle.transmit(_PIN_ASKED + b"\x08" + PIN.ljust(8, b"\xff"))
                return handle.transmit(_PIN_ASKED)
            finally:
                handle.disconnect(Disposition.RESET)
        finally:
            context.release()
