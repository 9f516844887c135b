"""A card in a reader, as the loop sees it: what is known of it, and the way to have it do something."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from cardd.cards.channel import Checkpoint, Traffic, require_present
from cardd.cards.connection import ANOTHER_PROGRAM, HeldByAnother, HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.foreign import ForeignKind, foreign_kind
from cardd.cards.seat import CardChanged, Known, NoDriver, Possession, Seat
from cardd.cards.way import PcscWay, TokenWay, Way, no_pcsc
from cardd.cards.worker import CardWorker, Priority, Workers
from cardd.readers.events import Availability
from cardd.readers.insertion import Insertion
from cardd.readers.stack import Context
from cardd_drivers.contract import (
    Capabilities,
    Card,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    ErrorReference,
    Identity,
    KeyName,
    Memory,
    PinBlocked,
    PinIncorrect,
    PinStatus,
    ReaderFailure,
)

__all__ = ["CardChanged", "CardServices", "CardState", "NoDriver", "NotReady", "PresentCard"]

T = TypeVar("T")
_ATTEMPTS_MOST = 3
"""Identifications of one insertion, where it fails for a reason that may pass."""
_MAY_PASS = (CardReset, CardMute, ReaderFailure)
"""Another program's reset, and contacts that bounce while the card goes in."""
PATIENCE = 10.0
"""Seconds that a command may take; a card's waiting time is 4 s, its slowest command half a second."""
_IDENTIFIER = "cardd"

logger = logging.getLogger(__name__)


class CardState(enum.StrEnum):
    """How far a card is known."""

    PRESENT = "present"
    IDENTIFIED = "identified"
    IN_USE = "in-use"
    """Another program holds it, so that it could not be identified."""
    UNKNOWN = "unknown"
    """No driver knows it."""
    FOREIGN = "foreign"
    """It is known, and left alone (`cardd.cards.foreign`)."""
    FAILED = "failed"


class NotReady(CardError):
    """The card is not identified.

    Args:
        state: where it stands.
    """

    def __init__(self, state: CardState) -> None:
        super().__init__(state.value)
        self.state = state


@dataclass(frozen=True, slots=True)
class CardServices:
    """What every present card needs.

    Args:
        workers: gives each card its thread.
        drivers: who may speak to it.
        memory: what is remembered of cards.
        hold: how a card is kept from other programs.
        look_again: asks the watch thread for a fresh look; called on the loop.
        departed: ends an insertion whose mark is set, before the watch thread's own word arrives; called on the loop.
    """

    workers: Workers
    drivers: Drivers
    memory: Memory
    hold: HoldMode
    look_again: Callable[[], None]
    departed: Callable[[Insertion], None]


class PresentCard:
    """One insertion; belongs to the loop.

    Args:
        insertion: the card in its reader.
        services: what it needs.
        changed: called on the loop after each change of what is known.
    """

    def __init__(self, insertion: Insertion, services: CardServices, changed: Callable[[PresentCard], None]) -> None:
        self.insertion = insertion
        self.state = CardState.PRESENT
        self.problem: Exception | None = None
        self.traffic = Traffic()
        self._services = services
        self._changed = changed
        self._known: Known | None = None
        self._pin_status: PinStatus | None = None
        self._seat = Seat(self._way(), services.memory, services.hold)
        self._worker: CardWorker | None = None
        self._closed = False
        self._stuck = False
        self._next_look: asyncio.TimerHandle | None = None
        # Loop-side view of the seat: connections of our own that are open, or may be.
        self._held = False
        self._at_work = 0
        self._vanished = 0
        self._other_holder: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def driver_name(self) -> str | None:
        """The driver, None until one was chosen."""
        return None if self._known is None else self._known.driver

    @property
    def foreign(self) -> ForeignKind | None:
        """Which card it is that is left alone; None for any other."""
        return foreign_kind(self.insertion.atr)

    @property
    def kind(self) -> str:
        """What sort of card; empty until it is known."""
        if self.foreign is not None:
            return self.foreign.value
        return "" if self.identity is None else self.identity.kind.value

    @property
    def identity(self) -> Identity | None:
        """What names the card."""
        return None if self._known is None else self._known.identity

    @property
    def capabilities(self) -> Capabilities | None:
        """What the card can do."""
        return None if self._known is None else self._known.capabilities

    @property
    def certificates(self) -> Mapping[KeyName, bytes]:
        """The certificates read so far (DER)."""
        return {} if self._known is None else self._known.certificates

    @property
    def possession(self) -> Possession | None:
        """How it answered a challenge that needs no PIN, when it was identified; None for a card that wants one."""
        return None if self._known is None else self._known.possession

    @property
    def pin_status(self) -> PinStatus | None:
        """Tries left, as the card told last."""
        return self._pin_status

    def note_pin_status(self, status: PinStatus) -> None:
        """Take over what the card said of its PIN within an operation."""
        self._pin_status = status

    def doubt(self) -> None:
        """What was read of the card leads nowhere: nothing of it is remembered, so that it is read anew next time."""
        if self.identity is not None:
            self._services.memory.forget(self.identity.serial)

    @property
    def certain_pin_status(self) -> PinStatus | None:
        """`pin_status`, where nobody can have spent tries since; for the card's thread alone (`Seat` has more)."""
        return self._seat.certain_pin_status

    @property
    def pin_pad(self) -> bool:
        """The reader has a PIN pad; known once the card is."""
        return self._seat.pad.verify is not None

    @property
    def pin_pad_changes(self) -> bool:
        """New PINs can be typed on that pad, too."""
        return self.pin_pad and self._seat.pad.modify is not None

    @property
    def is_held(self) -> bool:
        """`hold` succeeded and nothing ended it since."""
        return self._held

    @property
    def is_ours_alone(self) -> bool:
        """It is held, and no other program can reach it: nobody else can have reset it."""
        return self._held and self._services.hold is not HoldMode.SHARED

    def held_by_another(self) -> str | None:
        """The program that kept us off the card last, as far as it can be known; None when none does now."""
        return self._other_holder

    async def identify(self) -> None:
        """Learn what the card is; `state` and `problem` say how it went. Raises nothing of the card's."""
        if self.foreign is not None:
            self._settle(CardState.FOREIGN, None)
            return
        try:
            known = await self._identified()
        except HeldByAnother as error:
            self._settle(CardState.IN_USE, error)
        except NoDriver:
            self._settle(CardState.UNKNOWN, None)
        except CardRemoved as error:
            # The watch thread will say so; should it not, PC/SC contradicts itself, and a few more tries decide.
            self._vanished += 1
            if self._vanished >= _ATTEMPTS_MOST:
                self._settle(CardState.FAILED, error)
        except Exception as error:  # a card or a third party's driver; the other cards must be served
            if not isinstance(error, CardError):
                logger.exception("identification")
            self._settle(CardState.FAILED, error)
        else:
            self._learn(known)

    async def relearn(self, *, caller: str, user: int | None = None) -> None:
        """Forget what is remembered of the card and read it anew.

        Args:
            caller, user: whose turn it takes in the queue.

        Raises:
            As `run`.
        """
        self._learn(await self._on_worker(self._seat.relearn, caller, Priority.AUTHENTICATION, user))

    async def hold(self) -> None:
        """Keep the card until `release`; the card that answers is the one that was identified.

        Raises:
            HeldByAnother, CardChanged, CardError, NotReady, QueueFull.
        """
        self._require_identified()
        try:
            await self._on_worker(self._seat.hold, _IDENTIFIER, Priority.AUTHENTICATION)
        except asyncio.CancelledError:
            # It may succeed all the same; nobody would ever give the card back.
            self._later(self._seat.release)
            raise

    async def release(self) -> None:
        """Reset the card, so that a verified PIN does not outlive its session, and let it go.

        With `HoldMode.INSERTION` it is taken again at once; when another program was faster, `state` says so.
        Harmless when the card is not held, or gone.
        """
        if self._closed or self._worker is None:
            return
        try:
            await self._on_worker(self._seat.release, _IDENTIFIER, Priority.HOUSEKEEPING)
        except asyncio.CancelledError:
            self._later(self._seat.release)
            raise
        except HeldByAnother as error:
            self._settle(CardState.IN_USE, error)
        except Exception as error:  # as in `identify`: with HoldMode.INSERTION the driver has named the card again
            if not isinstance(error, CardError):
                logger.exception("taking the card again")
            self._settle(CardState.FAILED, error)

    async def run(
        self,
        operation: Callable[[Card], T],
        *,
        caller: str,
        user: int | None = None,
        priority: Priority = Priority.NORMAL,
        under_hold: bool = False,
    ) -> T:
        """Run an operation on the card's thread: under the hold, else on a connection of its own.

        Cancelling the call ends the operation before its next command.

        Args:
            operation: gets the driver's card; runs on another thread.
            caller: whose turn it takes in the queue.
            user: the caller's uid; None: the daemon itself.
            priority: what it goes before.
            under_hold: refuse (CardReset) where the hold is gone.

        Raises:
            NotReady, QueueFull, HeldByAnother, CardChanged, CardError, and what the operation raises.
        """
        self._require_identified()
        try:
            return await self._on_worker(
                lambda context, checkpoint: self._seat.operate(context, checkpoint, operation, under_hold=under_hold),
                caller,
                priority,
                user,
            )
        except (PinIncorrect, PinBlocked) as error:
            self._note_tries(error)
            raise

    def close(self) -> None:
        """The insertion is over: what waits fails with `CardRemoved` now, the connection ends on its thread."""
        self._closed = True
        self._held = False
        if self._worker is not None:
            self._worker.stop(CardRemoved(str(self.insertion.mark.reason or "closed")))

    def availability(self, event: Availability) -> bool:
        """Take notice of how programs hold the card; whether it is worth trying to identify it again."""
        held_by_other = event.exclusive or (event.in_use and self._services.hold is not HoldMode.SHARED)
        if not held_by_other:
            self._other_holder = None
        elif not self._held and not self._at_work and self._other_holder is None:
            self._other_holder = ANOTHER_PROGRAM
        needs_all = self._services.hold is HoldMode.INSERTION
        unidentified = self.state in (CardState.PRESENT, CardState.IN_USE) and not self._at_work
        return unidentified and not event.exclusive and not (needs_all and event.in_use)

    async def _identified(self) -> Known:
        for _ in range(_ATTEMPTS_MOST - 1):
            with suppress(*_MAY_PASS):
                return await self._on_worker(self._seat.identify, _IDENTIFIER, Priority.AUTHENTICATION)
        return await self._on_worker(self._seat.identify, _IDENTIFIER, Priority.AUTHENTICATION)

    async def _on_worker(
        self,
        function: Callable[[Context, Checkpoint], T],
        caller: str,
        priority: Priority,
        user: int | None = None,
    ) -> T:
        self._require_present()
        worker = self._worker = self._worker or self._new_worker()
        self._at_work += 1
        self._look_later(worker, PATIENCE)
        try:
            result = await worker.run(
                lambda context: function(context, worker.checkpoint), caller=caller, user=user, priority=priority
            )
        except (HeldByAnother, CardRemoved, ReaderFailure) as error:
            if isinstance(error, HeldByAnother):
                self._other_holder = error.holder
            # PC/SC does not tell when a card is held, unless it was known to be, and a swap may leave no trace in it.
            if not self._closed:
                self._services.look_again()
            self._end_if_marked()
            raise
        finally:
            self._at_work -= 1
            if self._next_look is not None and not self._at_work:
                self._next_look.cancel()
                self._next_look = None
            self._held = self._seat.is_held and not self._closed and not self._stuck
        if self._held and self._services.hold is not HoldMode.SHARED:
            self._other_holder = None
        return result

    def _look_later(self, worker: CardWorker, seconds: float) -> None:
        """One timer for all that is under way; none while nothing is."""
        if self._next_look is None:
            loop = asyncio.get_running_loop()
            self._next_look = loop.call_later(seconds, self._look_for_stuck, worker)

    def _look_for_stuck(self, worker: CardWorker) -> None:
        self._next_look = None
        stuck = worker.stuck_for()
        if stuck >= PATIENCE:
            self._give_up(worker)
        elif self._at_work:
            self._look_later(worker, PATIENCE - stuck)

    def _give_up(self, worker: CardWorker) -> None:
        """The card, or the library, does not come back from a command: leave its thread to itself."""
        logger.error("card %d has not answered for %g s; it is left alone", self.insertion.number, PATIENCE)
        self._stuck = True
        self._held = False
        worker.stop(CardMute("the card never answered"))
        self._settle(CardState.FAILED, CardMute("the card never answered"))

    def _new_worker(self) -> CardWorker:
        stack = None if self.insertion.token is None else no_pcsc()
        return self._services.workers.start(self._seat.close, f"card-{self.insertion.number}", stack)

    def _way(self) -> Way:
        token = self.insertion.token
        if token is not None:
            return TokenWay(self.insertion, token)
        return PcscWay(self.insertion, self._services.drivers, self._services.memory, self.traffic)

    def _later(self, function: Callable[[Context, Checkpoint], None]) -> None:
        """Run housekeeping that nobody waits for."""

        async def quietly() -> None:
            with suppress(CardError):  # the card went: nothing is held any more
                await self._on_worker(function, _IDENTIFIER, Priority.HOUSEKEEPING)

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end_if_marked(self) -> None:
        """Whoever waits for a session must hear of its end before the work that waits for the card fails."""
        if self.insertion.mark.is_set and not self._closed:
            self._services.departed(self.insertion)

    def _require_present(self) -> None:
        self._end_if_marked()
        require_present(self.insertion)
        if self._closed:
            raise CardRemoved("closed")
        if self._stuck:
            raise CardMute("the card never answered")

    def _require_identified(self) -> None:
        self._require_present()
        if self.state is not CardState.IDENTIFIED:
            raise NotReady(self.state)

    def _learn(self, known: Known) -> None:
        self._known = known
        self._pin_status = known.pin_status
        self._settle(CardState.IDENTIFIED, None)

    def _settle(self, state: CardState, problem: Exception | None) -> None:
        if self._closed or self.insertion.mark.is_set:
            return
        self.state, self.problem = state, problem
        self._changed(self)

    def _note_tries(self, error: PinIncorrect | PinBlocked) -> None:
        if error.reference is ErrorReference.PIN:
            self._pin_status = PinStatus(error.tries_left if isinstance(error, PinIncorrect) else 0)
