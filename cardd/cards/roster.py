"""Every reader and every card in one, on the loop; fed by the watch thread's events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from cardd.cards.connection import HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.present import CardServices, CardState, PresentCard
from cardd.cards.usb_witness import UsbWitness
from cardd.cards.worker import Workers
from cardd.readers.contactless import is_contactless
from cardd.readers.events import (
    Availability,
    CardDeparted,
    CardInserted,
    ConnectionLost,
    PcscFound,
    PcscLost,
    ReaderAdded,
    ReaderEvent,
    ReaderRemoved,
)
from cardd.readers.flapping import Damper
from cardd.readers.insertion import Departure, Insertion, TokenPlace
from cardd.readers.stack import PcscStack
from cardd.readers.udev import NOTHING_KNOWN, Devices, ReaderFacts
from cardd_drivers.contract import Memory

STOP_TIMEOUT = 2.0
"""Seconds that cards have for their last reset."""
RETURN_SECONDS = 1.0
"""After which a token comes back whose process ended: one that fails at once must not do so all the time."""
UNPLUGGED_SECONDS = 5.0
"""After which PC/SC is believed that still has a reader whose device udev saw go."""

logger = logging.getLogger(__name__)


class PresentReader:
    """A reader that is plugged in.

    Args:
        name: the PC/SC name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.facts: ReaderFacts = NOTHING_KNOWN
        self.card: PresentCard | None = None
        self.unplugged: asyncio.TimerHandle | None = None
        """Runs while its device is gone and PC/SC has not noticed yet."""
        self._pin_pad = False
        self.contactless = False
        """The card that was in it last was met without contact."""

    @property
    def has_pin_pad(self) -> bool:
        """Whether it has a PIN pad: known from the first card on that was identified in it."""
        self._pin_pad = self._pin_pad or (self.card is not None and self.card.pin_pad)
        return self._pin_pad


class RosterListener(Protocol):
    """Who is told, on the loop. A card's departure precedes anything new on its reader."""

    def reader_added(self, reader: PresentReader) -> None:
        """A reader is plugged in."""

    def reader_changed(self, reader: PresentReader) -> None:
        """Its facts changed."""

    def reader_removed(self, reader: PresentReader) -> None:
        """It is gone; its card departed before."""

    def card_inserted(self, card: PresentCard) -> None:
        """A card is in a reader; nothing is known of it yet."""

    def card_changed(self, card: PresentCard) -> None:
        """Something that is known of it changed."""

    def card_departed(self, card: PresentCard) -> None:
        """It is gone; its mark was set before."""


class Roster:
    """The registry.

    Args:
        stack: the PC/SC implementation that the watch thread uses too.
        drivers: who may speak to cards.
        listener: who is told.
        memory: what is remembered of cards.
        hold: how cards are kept from other programs.
        queue: jobs that may wait for one card.
        devices: where USB facts come from; None for this machine's udev.
        flapping: arrivals at one reader in a second that are told, as `cardd.readers.flapping` has it; 0: any number.
    """

    def __init__(
        self,
        stack: PcscStack,
        drivers: Drivers,
        listener: RosterListener,
        *,
        memory: Memory,
        hold: HoldMode,
        queue: int,
        devices: Devices | None = None,
        flapping: int = 0,
    ) -> None:
        self._listener = listener
        self._workers = Workers(stack, queue)
        self._services = CardServices(
            self._workers, drivers, memory, hold, look_again=self._ask_for_a_look, departed=self._card_departed
        )
        self._usb = UsbWitness(
            devices, learnt=self._facts_learnt, unplugged=self._unplugged, changed=self._ask_for_a_look
        )
        self._damper = Damper(flapping, self._take)
        self._look_again: Callable[[], None] | None = None
        self._readers: dict[str, PresentReader] = {}
        self._cards: dict[Insertion, PresentCard] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._suspended = False
        self.pcsc_reachable: bool | None = None
        """Whether the PC/SC service is there; None until it was looked for."""

    def watched_by(self, look_again: Callable[[], None]) -> None:
        """Name what asks the watch thread for a fresh look (`Watch.look_again`), and listen to udev too.

        Without it a card that another program held is not tried again. Called on the loop, before events come.
        """
        self._look_again = look_again
        self._usb.start()

    @property
    def readers(self) -> Iterable[PresentReader]:
        """The readers that are plugged in."""
        return tuple(self._readers.values())

    @property
    def cards(self) -> Iterable[PresentCard]:
        """The cards that are in readers."""
        return tuple(self._cards.values())

    def handle(self, event: ReaderEvent) -> None:
        """Take an event of the watch thread, in its order, on the loop."""
        self._damper.handle(event)

    def _take(self, event: ReaderEvent) -> None:
        match event:
            case ReaderAdded():
                self._reader_added(event.reader)
            case ReaderRemoved():
                self._reader_removed(event.reader)
            case CardInserted():
                self._card_inserted(event.insertion)
            case CardDeparted():
                self._card_departed(event.insertion)
            case Availability():
                self._availability(event)
            case ConnectionLost():
                self._connection_lost(event.insertion)
            case PcscLost() | PcscFound():
                self.pcsc_reachable = isinstance(event, PcscFound)

    async def suspend(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Let every card go before the machine sleeps, reset where it was held. None is there until `resume`.

        Args:
            timeout: seconds; what is stuck in the library longer is left behind.

        Returns:
            Whether every card's thread has ended.
        """
        self._suspended = True
        for card in self.cards:
            self._end(card, Departure.SUSPEND)
        return await asyncio.to_thread(self._workers.join, timeout)

    def resume(self) -> None:
        """Look at everything anew: what was in a reader before the machine slept is a new insertion, if it is there."""
        self._suspended = False
        self._ask_for_a_look()

    async def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Let every card go, reset where it was held.

        Args:
            timeout: seconds; what is stuck in the library longer is left behind.

        Returns:
            Whether every card's thread has ended.
        """
        self._usb.stop()
        self._damper.stop()
        for card in self.cards:
            self._end(card, Departure.DAEMON_STOPPED)
        for name in tuple(self._readers):
            self._reader_removed(name)
        for task in self._tasks:
            task.cancel()
        return await asyncio.to_thread(self._workers.join, timeout)

    def _reader_added(self, name: str) -> None:
        reader = self._readers[name] = PresentReader(name)
        self._listener.reader_added(reader)
        self._usb.reader_added(name)

    def _reader_removed(self, name: str) -> None:
        reader = self._readers.pop(name, None)
        self._usb.reader_removed(name)
        if reader is not None:
            if reader.unplugged is not None:
                reader.unplugged.cancel()
            self._listener.reader_removed(reader)

    def _card_inserted(self, insertion: Insertion) -> None:
        reader = self._readers.get(insertion.reader)
        if self._suspended or (reader is not None and reader.unplugged is not None):
            # The watch finds the mark when it looks again, and tells of what is there then.
            insertion.mark.set(Departure.SUSPEND if self._suspended else Departure.READER_REMOVED)
            return
        if insertion.token is not None and self._driven_natively(insertion.token):
            logger.info("%s is a card that a driver of cardd's own has; it is left to that", insertion.reader)
            insertion.mark.set(Departure.READER_REMOVED)
            return
        self._give_up_twins(insertion)
        card = self._cards[insertion] = PresentCard(insertion, self._services, self._card_changed)
        if reader is not None:
            reader.card = card
            reader.contactless = is_contactless(insertion.atr)
        self._listener.card_inserted(card)
        self._later(card.identify())

    def _driven_natively(self, token: TokenPlace) -> bool:
        """A PC/SC card that a driver of our own knows is not taken a second time through a module."""
        return any(
            one.token is None and _is_in(one.reader, token) and self._services.drivers.knows(one.atr)
            for one in self._cards
        )

    def _give_up_twins(self, insertion: Insertion) -> None:
        """The module was first to tell of a card that a driver of our own knows."""
        if insertion.token is not None or not self._services.drivers.knows(insertion.atr):
            return
        for card in self.cards:
            token = card.insertion.token
            if token is not None and _is_in(insertion.reader, token):
                self._end(card, Departure.READER_REMOVED)

    def _connection_lost(self, insertion: Insertion) -> None:
        """A token's process ended while it was held: what was logged in is not, so this stay of it is over."""
        card = self._cards.get(insertion)
        if card is not None and card.is_held:
            self._end(card, Departure.CARD_RESET)
            asyncio.get_running_loop().call_later(RETURN_SECONDS, self._ask_for_a_look)

    def _card_departed(self, insertion: Insertion) -> None:
        card = self._cards.pop(insertion, None)
        if card is None:
            return  # an operation on the card was the first witness
        reader = self._readers.get(insertion.reader)
        if reader is not None and reader.card is card:
            reader.card = None
        # The listener first: it tells of a session's end before anything that waits for the card can fail.
        self._listener.card_departed(card)
        card.close()

    def _card_changed(self, card: PresentCard) -> None:
        if card.insertion in self._cards:
            self._listener.card_changed(card)

    def _availability(self, event: Availability) -> None:
        card = self._cards.get(event.insertion)
        if card is None:
            return
        was = card.held_by_another()
        if card.availability(event):
            self._later(card.identify())
        elif card.held_by_another() != was and card.state is CardState.IDENTIFIED:
            self._listener.card_changed(card)

    def _end(self, card: PresentCard, reason: Departure) -> None:
        card.insertion.mark.set(reason)
        self._card_departed(card.insertion)

    def _unplugged(self, name: str) -> None:
        """udev was first to see the reader go: what is in it is over, and nothing comes into it until PC/SC agrees."""
        reader = self._readers.get(name)
        if reader is None or reader.unplugged is not None:
            return
        loop = asyncio.get_running_loop()
        reader.unplugged = loop.call_later(UNPLUGGED_SECONDS, self._still_there, reader)
        if reader.card is not None:
            self._end(reader.card, Departure.READER_REMOVED)

    def _still_there(self, reader: PresentReader) -> None:
        logger.warning("udev saw the reader go, and PC/SC still has it: %r", reader.name)
        reader.unplugged = None
        self._ask_for_a_look()

    def _facts_learnt(self, name: str, facts: ReaderFacts) -> None:
        reader = self._readers.get(name)
        if reader is not None and facts != reader.facts:
            reader.facts = facts
            self._listener.reader_changed(reader)

    def _ask_for_a_look(self) -> None:
        if self._look_again is not None:
            self._look_again()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_in(reader: str, token: TokenPlace) -> bool:
    """Whether a token's place is a PC/SC reader: modules name their slots by them, 64 bytes at most (CK_SLOT_INFO)."""
    return bool(token.pcsc_reader) and reader.encode()[:64].rstrip() == token.pcsc_reader.encode()
