"""All that trust rests on, kept current: authorities, revocation, the block list, the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cardd.pki.blocklist import BlockListUnusable, load_block_list
from cardd.pki.clock import MonotoneClock
from cardd.pki.revocation.finding import RevocationMode
from cardd.pki.revocation.keeper import RevocationKeeper, RevocationSettings, TrustedPlaces
from cardd.pki.store import TrustStore
from cardd.pki.watching import DirectoryWatch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """What the configuration says.

    Args:
        places: the trust directory, what it may hold, the simulator's.
        blocked: the block list; None for none.
        clock_mark: where the latest time seen is kept; None: nowhere.
        revocation: how revocation is asked; None: not at all.
    """

    places: TrustedPlaces
    blocked: Path | None
    clock_mark: Path | None
    revocation: RevocationSettings | None


class TrustKeeper:
    """What cards are judged by now.

    Args:
        settings: what is kept.

    Raises:
        BlockListUnusable: the block list cannot be read.
    """

    def __init__(self, settings: TrustSettings) -> None:
        self._settings = settings
        self._changed: Callable[[], None] = lambda: None
        self._watch: DirectoryWatch | None = None
        self._trouble = ""
        self.clock = MonotoneClock(_wall, _boot, settings.clock_mark, self._told)
        self.blocks = load_block_list(settings.blocked)
        self._revocation = self._new_revocation()
        self.store = self._load()

    def start(self, changed: Callable[[], None]) -> None:
        """Look out for what changes; on the loop.

        Args:
            changed: called when cards are to be judged anew, or warnings differ.
        """
        self._changed = changed
        self._begin()

    def reload(self, settings: TrustSettings) -> None:
        """Take other settings over, and read everything again.

        Raises:
            BlockListUnusable: nothing has changed.
        """
        blocks = load_block_list(settings.blocked)
        old, watch = self._revocation, self._watch
        self._settings, self.blocks, self._trouble = settings, blocks, ""
        self._revocation = self._new_revocation()
        self.store = self._load()
        if watch is not None:
            watch.close()
            self._begin()
        if old is not None:
            old.close()

    async def ready(self) -> None:
        """Wait, at the first start of all, until the CRLs that are there were read: without data no card is trusted."""
        if self._revocation is not None and self._revocation.is_empty:
            await self._revocation.settled()

    async def stop(self) -> None:
        """Look out no more."""
        if self._watch is not None:
            self._watch.close()
        if self._revocation is not None:
            await self._revocation.stop()
        self.clock.keep()

    def warnings(self) -> Iterator[str]:
        """What an administrator should know now."""
        for problem in self.store.problems:
            yield f"{problem.source}: {problem.detail}"
        if self._trouble:
            yield self._trouble
        if self._revocation is not None:
            yield from self._revocation.problems()

    @property
    def mode(self) -> RevocationMode | None:
        """By which policy revocation is asked, None where it is not."""
        return None if self._settings.revocation is None else self._settings.revocation.policy.mode

    def _begin(self) -> None:
        blocked = self._settings.blocked
        self._watch = DirectoryWatch([] if blocked is None else [blocked.parent], self._read_blocks)
        if self._revocation is not None:
            self._revocation.start(self._told)

    def _told(self) -> None:
        self._changed()

    def _read_blocks(self) -> None:
        """Something happened beside the block list, or to it. One that cannot be read leaves what was in force."""
        try:
            self.blocks = load_block_list(self._settings.blocked)
        except BlockListUnusable as error:
            log.error("%s", error)
            self._trouble = f"{error}; the block list that was read before is in force"
        else:
            self._trouble = ""
        self._changed()

    def _new_revocation(self) -> RevocationKeeper | None:
        settings = self._settings
        if settings.revocation is None:
            return None
        return RevocationKeeper(settings.revocation, settings.places, self.clock, self.clock.seen)

    def _load(self) -> TrustStore:
        places = self._settings.places
        store = TrustStore.load(
            places.directory, unpinned=places.unpinned, simulator=places.simulator, clock=self.clock
        )
        for problem in store.problems:
            log.warning("%s: %s", problem.source, problem.detail)
        return store if self._revocation is None else store.asking(self._revocation)


def _wall() -> datetime:
    return datetime.now(UTC)


def _boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
