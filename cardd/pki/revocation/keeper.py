"""Keeps the data about revocation current: hears of new files, has them verified and indexed, opens the indexes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from cardd.pki.revocation.asker import AskerSettings, OcspAsker
from cardd.pki.revocation.asking_protocol import SOCKET
from cardd.pki.revocation.book import RevocationBook
from cardd.pki.revocation.faults import Fault
from cardd.pki.revocation.finding import Revocation, RevocationPolicy
from cardd.pki.revocation.index import SUFFIX, CrlIndex, IndexUnusable
from cardd.pki.revocation.indexing import IndexOrder, RefusedFile, report_from_json
from cardd.pki.trust import Trust
from cardd.pki.watching import DirectoryWatch

log = logging.getLogger(__name__)

INDEXING_SECONDS: Final = 300.0
_REPORT_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class RevocationSettings:
    """What the configuration says.

    Args:
        policy: how old data may be.
        index: directory of the daemon's own, for indexes of verified CRLs.
        sources: directories in which CRLs are put: by the fetcher, by an administrator.
        responders: OCSP responders that may be asked where lists are not current; none: nobody is asked.
        socket: where cardd-fetch is asked to ask them.
    """

    policy: RevocationPolicy
    index: Path
    sources: tuple[Path, ...]
    responders: tuple[str, ...] = ()
    socket: Path = SOCKET


@dataclass(frozen=True, slots=True)
class TrustedPlaces:
    """Whose CRLs are believed: as for `TrustStore.load`."""

    directory: Path
    unpinned: frozenset[str]
    simulator: Path | None


class RevocationKeeper:
    """A `cardd.pki.chain.RevocationStep` over the data at hand now.

    Args:
        settings: places and policy.
        places: whose CRLs are believed.
        clock: the time, aware.
        seen: told when an authority said that it is later than the clock has it.
    """

    def __init__(
        self,
        settings: RevocationSettings,
        places: TrustedPlaces,
        clock: Callable[[], datetime],
        seen: Callable[[datetime], None],
    ) -> None:
        self._settings = settings
        self._places = places
        self._clock = clock
        self._seen = seen
        self._indexes: list[CrlIndex] = []
        self._refused: Sequence[RefusedFile] = ()
        self._trouble = ""
        self._changed: Callable[[], None] = lambda: None
        self._watch: DirectoryWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self.book = RevocationBook({}, settings.policy, clock)
        self._asker = self._new_asker()
        self._open()

    def judge(self, trust: Trust, chain: Sequence[x509.Certificate]) -> Trust:
        """See `RevocationBook.judge`; has asked what the lists do not tell, for the next time."""
        judged = self.book.judge(trust, chain)
        if self._asker is not None and judged.revocation.state in (Revocation.STALE, Revocation.UNKNOWN):
            for certificate, issuer in itertools.pairwise(chain):
                if self.book.needs_answer(certificate, issuer):
                    self._asker.want(certificate, issuer)
        return judged

    @property
    def is_empty(self) -> bool:
        """Whether there are no data at all."""
        return not self._indexes

    def problems(self) -> list[str]:
        """What its administrator should know now."""
        said = [f"{one.source}: {one.detail}" for one in self._refused if one.fault is not Fault.OLDER]
        if self._trouble:
            said.append(self._trouble)
        if not self._settings.policy.needs_data:
            return said
        now = self._clock()
        if not self._indexes:
            said.append("there are no data about revocation, and no card is trusted without: is cardd-fetch.timer on?")
        for facts in (index.facts for index in self._indexes):
            if facts.base is None and facts.next_update < now:
                since = f"{facts.next_update:%Y-%m-%d %H:%M} UTC"
                said.append(f"the CRL of {facts.issuer_name} should have been replaced at {since}")
        return said

    def start(self, changed: Callable[[], None]) -> None:
        """Look for new files now and whenever some come; on the loop.

        Args:
            changed: called when there are other data.
        """
        self._changed = changed
        self._watch = DirectoryWatch(self._settings.sources, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look for new files; while that is being done, once more after it."""
        if self._task is not None:
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._refreshing())

    async def settled(self) -> None:
        """Wait until no file is being looked at."""
        while self._task is not None:
            await asyncio.wait({self._task})

    def close(self) -> None:
        """Look no more, give the files back; a program that runs is killed."""
        if self._watch is not None:
            self._watch.close()
        if self._task is not None:
            self._task.cancel()
        if self._asker is not None:
            self._asker.close()
        self._close()

    async def stop(self) -> None:
        """As `close`, and wait until nothing runs."""
        self.close()
        await self.settled()
        if self._asker is not None:
            await self._asker.stop()

    async def _refreshing(self) -> None:
        try:
            while True:
                self._again = False
                await self._refresh_once()
                if not self._again:
                    return
        finally:
            self._task = None

    async def _refresh_once(self) -> None:
        before = [index.facts for index in self._indexes]
        said = self.problems()
        try:
            self._refused = await self._index()
            self._trouble = ""
        except (OSError, ValueError, TimeoutError) as error:
            self._trouble = f"CRLs could not be read: {str(error) or type(error).__name__}"
        for one in self._refused:
            log.log(logging.INFO if one.fault is Fault.OLDER else logging.WARNING, "%s: %s", one.source, one.detail)
        self._open()
        if [index.facts for index in self._indexes] != before or self.problems() != said:
            self._changed()

    async def _index(self) -> list[RefusedFile]:
        order = IndexOrder(
            self._places.directory,
            self._places.unpinned,
            self._places.simulator,
            self._settings.sources,
            self._settings.index,
            self._clock(),
        )
        program = [sys.executable, "-I", "-m", "cardd.pki.revocation.indexing"]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, limit=_REPORT_MAX)
        try:
            async with asyncio.timeout(INDEXING_SECONDS):
                report, _ = await process.communicate(order.to_json().encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise ValueError(f"the program that reads them ended with status {process.returncode}")
        return report_from_json(report)

    def _open(self) -> None:
        """The indexes as they are now; what is no index is left to the program, which makes it anew."""
        self._close()
        for path in sorted(self._settings.index.glob(f"*{SUFFIX}")):
            try:
                self._indexes.append(CrlIndex(path))
            except IndexUnusable as error:
                log.warning("%s", error)
        crls: dict[str, list[CrlIndex]] = {}
        for index in self._indexes:
            crls.setdefault(index.facts.issuer, []).append(index)
            self._seen(index.facts.this_update)
        answers = {} if self._asker is None else {"answers": self._asker.answer}
        self.book = RevocationBook(crls, self._settings.policy, self._clock, **answers)

    def _new_asker(self) -> OcspAsker | None:
        if not self._settings.responders:
            return None
        settings = AskerSettings(self._settings.responders, self._settings.index / "ocsp", self._settings.socket)
        return OcspAsker(
            settings,
            self._clock,
            vouching=self._vouch,
            changed=self._answered,
        )

    def _vouch(self, responder: x509.Certificate, issuer: x509.Certificate) -> bool:
        return self.book.is_good(responder, issuer)

    def _answered(self) -> None:
        self._changed()

    def _close(self) -> None:
        for index in self._indexes:
            index.close()
        self._indexes = []
