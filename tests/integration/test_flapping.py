"""A card whose contacts are loose: the journal is not flooded, other sessions go on, and what stays is served."""

from __future__ import annotations

import asyncio
import time

from cardd.journal import Kind
from cardd.readers.events import CardDeparted, CardInserted, ReaderEvent
from cardd.sessions.states import EndReason, State
from cardsim.transports.inprocess import InProcessPcsc
from tests.support.core import HOLDER, PATIENCE, Core, card_of, running_core

FLAPS = 150
LIMIT = 20


class Seen:
    """The watch thread's events at one reader, as they reach the loop."""

    def __init__(self, core: Core, reader: str) -> None:
        self._handle = core.roster.handle
        self._reader = reader
        self.news: asyncio.Queue[ReaderEvent] = asyncio.Queue()
        core.roster.handle = self.handle  # type: ignore[method-assign]  # between the watch and the roster

    def handle(self, event: ReaderEvent) -> None:
        self._handle(event)
        if isinstance(event, CardInserted | CardDeparted) and event.insertion.reader == self._reader:
            self.news.put_nowait(event)

    async def next(self) -> ReaderEvent:
        async with asyncio.timeout(PATIENCE):
            return await self.news.get()


async def test_a_flapping_card_floods_nothing_and_is_served_when_it_stays() -> None:
    pcsc = InProcessPcsc()
    loose = pcsc.add_reader("Loose Reader 00 00")
    async with running_core(pcsc=pcsc, flapping=LIMIT) as core:
        steady = await core.authenticated(card_of("nurse"))
        seen, card, began = Seen(core, loose.name), card_of(), time.monotonic()
        insertions = []
        for _ in range(FLAPS):
            loose.insert(card)
            event = await seen.next()
            assert isinstance(event, CardInserted)
            insertions.append(event.insertion)
            loose.remove()
            assert isinstance(await seen.next(), CardDeparted)
        seconds = time.monotonic() - began
        assert all(insertion.mark.is_set for insertion in insertions), "the watch thread's marks wait for nobody"
        written = [event for event in core.journal.events if event.kind is Kind.CARD_INSERTED]
        assert len(written) <= 1 + LIMIT * (seconds + 1), "one of them is the steady card's"
        assert core.heard.ends() == []
        assert await steady.sign(HOLDER, "signature", "RS256", bytes(32))
        loose.insert(card)

        def is_trusted() -> bool:
            there = [one for one in core.sessions.presences if one.card.insertion.reader == loose.name]
            return [one.state for one in there] == [State.TRUSTED]

        await core.until(is_trusted)
        presence = next(one for one in core.sessions.presences if one.card.insertion.reader == loose.name)
        session = await core.authenticate(presence)
        assert await session.sign(HOLDER, "signature", "RS256", bytes(32))
        loose.remove()
        await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
        assert steady.end_reason is None
