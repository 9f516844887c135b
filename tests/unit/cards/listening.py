"""A roster's listener that a test can wait on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cardd.cards.present import CardState, PresentCard
from cardd.cards.roster import PresentReader

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing waits as long when all is well."""


class Listener:
    """Keeps what it is told and lets a test wait."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.at_departure: Callable[[PresentCard], None] | None = None
        self._more = asyncio.Event()

    def _tell(self, what: str, detail: str) -> None:
        self.told.append((what, detail))
        self._more.set()

    def reader_added(self, reader: PresentReader) -> None:
        self._tell("reader_added", reader.name)

    def reader_changed(self, reader: PresentReader) -> None:
        self._tell("reader_changed", str(reader.facts.usb_ids))

    def reader_removed(self, reader: PresentReader) -> None:
        assert reader.card is None
        self._tell("reader_removed", reader.name)

    def card_inserted(self, card: PresentCard) -> None:
        assert card.state is CardState.PRESENT
        self._tell("card_inserted", str(card.insertion.reader))

    def card_changed(self, card: PresentCard) -> None:
        self._tell("card_changed", card.state.value)

    def card_departed(self, card: PresentCard) -> None:
        assert card.insertion.mark.is_set
        if self.at_departure is not None:
            self.at_departure(card)
        self._tell("card_departed", str(card.insertion.mark.reason))

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds after something was told."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._more.clear()
                await self._more.wait()

    async def until(self, *wanted: tuple[str, str], count: int = 1) -> None:
        """Wait until each of these was told `count` times."""
        await self.until_true(lambda: all(self.told.count(one) >= count for one in wanted))
