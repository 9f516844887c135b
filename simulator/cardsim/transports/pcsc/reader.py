"""One reader of the in-process PC/SC: the card in it, its power, who shares it. Tests hold it by its public methods."""

from __future__ import annotations

import enum
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim.card import CardProtocol
from cardsim.faults import FaultInjector
from cardsim.inserted import CardMuteError, InsertedCard
from cardsim.trace import ExchangeFeed
from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.pin_pad import PinPad
from cardsim.transports.pcsc.worker import CardWorker
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import SimulatedCard
    from cardsim.transports.pcsc.manager import Handle, Manager

# pcscd takes the power from a card that nobody is connected to (PCSCLITE_POWER_OFF_GRACE_PERIOD).
_GRACE_SECONDS = 5.0
_COUNTER_MASK = 0xFFFF
_SHARED_BY_NOBODY = 0
_EXCLUSIVE = -1


class ReaderState(enum.IntFlag):
    """State of a reader as SCardStatus gives it (pcsclite.h)."""

    UNKNOWN = 0x01
    ABSENT = 0x02
    PRESENT = 0x04
    SWALLOWED = 0x08
    POWERED = 0x10
    NEGOTIABLE = 0x20


_READY = ReaderState.PRESENT | ReaderState.POWERED | ReaderState.NEGOTIABLE
_MUTE = ReaderState.PRESENT | ReaderState.SWALLOWED


@dataclass(slots=True, eq=False)
class Insertion:
    """A card from its insertion to its removal.

    Attributes:
        card: the card, with the reader's faults before it.
        worker: the thread that it computes on.
    """

    card: InsertedCard
    worker: CardWorker


class InProcessReader:
    """A reader of ``InProcessPcsc``; a ``CardReader``. Made by ``InProcessPcsc.add_reader``.

    The attributes beyond the test methods belong to the resource manager, under its lock.
    """

    def __init__(self, name: str, manager: Manager) -> None:
        self.name = name
        self.faults = FaultInjector()
        self.exchanges = ExchangeFeed()
        # Source of the garbage that faults make, for the cards that are put in from now on.
        self.random_bytes: Callable[[int], bytes] = secrets.token_bytes
        self.state = ReaderState.ABSENT
        self.atr = b""
        self.counter = 0
        self.protocol = C.SCARD_PROTOCOL_UNDEFINED
        self.handles: dict[int, Handle] = {}
        # Number of connections; -1: one, exclusive.
        self.sharing = _SHARED_BY_NOBODY
        self.lock_owner = 0
        self.lock_count = 0
        # A command is with the card.
        self.busy = False
        self.insertion: Insertion | None = None
        self.before: Callable[[int, bytes], None] | None = None
        self.after: Callable[[int, bytes, bytes], None] | None = None
        self.before_count = 0
        self.after_count = 0
        self.pin_pad: PinPad | None = None
        self._manager = manager
        self._powered = False
        self._unused_since = 0.0
        self._broken = False
        self._last_worker: CardWorker | None = None

    # What tests and the control socket do

    @property
    def card(self) -> SimulatedCard | None:
        """Return the card that is in."""
        insertion = self.insertion
        return None if insertion is None else insertion.card.card

    def add_pin_pad(self, *, changes_pins: bool = True) -> PinPad:
        """Give the reader a PIN pad; programs learn of it when they ask for its features.

        Args:
            changes_pins: new PINs can be typed on it, too.
        """
        with self._manager.lock:
            self.pin_pad = self.pin_pad or PinPad(self._manager, changes_pins=changes_pins)
            return self.pin_pad

    def insert(self, card: SimulatedCard) -> None:
        """Put a card in; it is powered and visible when this returns.

        Raises: ``ReaderError`` when one is in.
        """
        with self._manager.lock:
            if self.insertion is not None:
                raise ReaderError(f"a card is in {self.name} already")
            self._take_in(card)
            self._count()
            self._manager.changes.notify_all()

    def remove(self) -> None:
        """Take the card out: waiters see it, handles are over, and a command in hand ends without its answer."""
        with self._manager.lock:
            if self.insertion is None:
                return
            self._let_out()
            self._count()
            self._manager.changes.notify_all()

    def swap(self, card: SimulatedCard, counted: bool) -> None:
        """Replace the card faster than a waiter looks: it never sees the reader empty.

        Args:
            card: the new one.
            counted: whether the event counter moves (by two); without, a waiter cannot know.

        Raises: ``ReaderError`` when no card is in.
        """
        with self._manager.lock:
            if self.insertion is None:
                raise ReaderError(f"no card is in {self.name}")
            self._let_out()
            self._take_in(card)
            if counted:
                self._count()
                self._count()
                self._manager.changes.notify_all()

    def reset_by_other(self) -> None:
        """Reset the card as a program with another handle would: each handle hears of it at its next call."""
        with self._manager.lock:
            self._manager.turns.wait_for(lambda: not self.busy)
            self.reset(cold=False)

    def reset_between(self) -> None:
        """As ``reset_by_other``, from a hook: the card is reset before the command in hand reaches it, or after it
        was answered."""
        with self._manager.lock:
            self.reset(cold=False)

    def break_down(self) -> None:
        """Stop answering pcscd, as a reader does that is losing its plug."""
        with self._manager.lock:
            self._broken = True
            self._mark(ReaderState.UNKNOWN, b"")
            self._manager.changes.notify_all()
            self._manager.pass_turn()

    def recover(self) -> None:
        """Answer pcscd again; it treats the card that is in as a new one."""
        with self._manager.lock:
            self._broken = False
            if self.insertion is None:
                self._mark(ReaderState.ABSENT, b"")
                self._end_handles(C.SCARD_W_REMOVED_CARD)
            else:
                self._power_up()
            self._count()
            self._manager.changes.notify_all()

    def before_apdu(self, hook: Callable[[int, bytes], None] | None) -> None:
        """Call ``hook(n, command)`` in the transmitting thread before the card sees its n-th command from now.

        Args:
            hook: may remove the card; None ends it.
        """
        with self._manager.lock:
            self.before, self.before_count = hook, 0

    def after_apdu(self, hook: Callable[[int, bytes, bytes], None] | None) -> None:
        """Call ``hook(n, command, answer)`` in the transmitting thread when the card has computed its n-th answer
        from now, before the program gets it.

        Args:
            hook: may remove the card, and the answer is lost; None ends it.
        """
        with self._manager.lock:
            self.after, self.after_count = hook, 0

    # What the resource manager does, under its lock

    def start(self) -> None:
        """pcscd has found the reader; the counter starts at 0 and does not count what is in it already."""
        self.counter = 0
        if self.insertion is None:
            self._mark(ReaderState.ABSENT, b"")
        else:
            self._power_up()

    def lose_manager(self) -> None:
        """pcscd has died: connections and locks are gone, the card has no power."""
        self._end_handles(C.SCARD_W_REMOVED_CARD)
        self.handles.clear()
        self.sharing = _SHARED_BY_NOBODY
        self._power_down()

    def unplug(self) -> None:
        """The reader itself is gone, with the card in it."""
        self.lose_manager()
        if self.insertion is not None:
            self._let_out()
        self._broken = True
        self._manager.changes.notify_all()
        self._manager.pass_turn()

    @property
    def unavailable(self) -> bool:
        """Return whether it does not answer."""
        return self._broken

    def reset(self, cold: bool) -> bool:
        """Reset the card; every handle hears of it.

        Args:
            cold: through power off.

        Returns: whether the card answered. Without one the reader is ABSENT, with a mute one SWALLOWED.
        """
        self._set_events(C.SCARD_W_RESET_CARD)
        self.protocol = C.SCARD_PROTOCOL_UNDEFINED
        if self.insertion is None:
            self._mark(ReaderState.ABSENT, b"")
            return False
        if cold:
            self.insertion.card.power_off()
        self._power_up()
        self._manager.changes.notify_all()
        return self._powered

    def unpower(self) -> None:
        """Take the card's power; every handle hears of it as of a reset."""
        self._set_events(C.SCARD_W_RESET_CARD)
        self.protocol = C.SCARD_PROTOCOL_UNDEFINED
        if self.insertion is None:
            self._mark(ReaderState.ABSENT, b"")
            return
        self._power_down()
        self.state = ReaderState.PRESENT
        self._manager.changes.notify_all()

    def power_for_use(self) -> bool:
        """Power the card for a new connection, anew where pcscd has taken its power meanwhile; return whether it is.

        pcscd takes it 5 s after the last use. Nobody can tell when within those it happened, so it is done here, at
        the next use, and no timer runs.
        """
        unused = self.sharing == _SHARED_BY_NOBODY
        if self._powered and unused and self._manager.clock() - self._unused_since >= _GRACE_SECONDS:
            self._power_down()
        if not self._powered:
            self._power_up()
        return self._powered

    def leave(self, handle: Handle) -> None:
        """Take one connection off the reader."""
        self.handles.pop(handle.identifier, None)
        self.sharing = _SHARED_BY_NOBODY if self.sharing == _EXCLUSIVE else max(self.sharing - 1, 0)
        if self.sharing == _SHARED_BY_NOBODY:
            self._unused_since = self._manager.clock()
        self._manager.changes.notify_all()
        self._manager.pass_turn()

    def _take_in(self, card: SimulatedCard) -> None:
        # A card that still computes for its last insertion here cannot be powered yet.
        last = self._last_worker
        if last is not None and last.card.card is card:
            self._manager.turns.wait_for(lambda: not last.busy)
        insertion: Insertion
        inserted = InsertedCard(
            card,
            self.faults,
            lambda other: self._eject(insertion, other),
            random_bytes=self.random_bytes,
            feed=self.exchanges,
        )
        insertion = Insertion(inserted, CardWorker(inserted, self._manager.turns, self.name))
        self.insertion = insertion
        if self._manager.alive and not self._broken:
            self._power_up()

    def _eject(self, insertion: Insertion, replacement: SimulatedCard | None) -> None:
        """Take a card out as a fault wants it; called on the card's own thread."""
        with self._manager.lock:
            if self.insertion is not insertion:
                return
            if replacement is None:
                self.remove()
            elif replacement is not insertion.card.card:
                self.swap(replacement, counted=True)
            else:  # the same card goes in once its thread has done with it
                self.remove()
                threading.Thread(target=self.insert, args=(replacement,), name=f"cardsim {self.name}").start()

    def _let_out(self) -> None:
        insertion, self.insertion = self.insertion, None
        if insertion is None:
            return
        self._last_worker = insertion.worker
        insertion.card.withdraw()
        insertion.worker.end()
        if not insertion.worker.busy:  # one that computes loses its volatile state at its next power-up
            insertion.card.power_off()
        self._powered = False
        if not self._broken:
            self._mark(ReaderState.ABSENT, b"")
        self._end_handles(C.SCARD_W_REMOVED_CARD)

    def _power_up(self) -> None:
        if self.insertion is None:
            return
        self.protocol = C.SCARD_PROTOCOL_UNDEFINED
        self._unused_since = self._manager.clock()
        try:
            atr = self.insertion.card.power_on()
        except CardMuteError:
            self._powered = False
            self._mark(_MUTE, b"")
        else:
            self._powered = True
            self._mark(_READY, atr)

    def _power_down(self) -> None:
        self._powered = False
        self.protocol = C.SCARD_PROTOCOL_UNDEFINED
        if self.insertion is not None and not self.busy:
            self.insertion.card.power_off()

    def _mark(self, state: ReaderState, atr: bytes) -> None:
        self.state = state
        self.atr = atr
        if not atr:
            self.protocol = C.SCARD_PROTOCOL_UNDEFINED

    def _count(self) -> None:
        self.counter = (self.counter + 1) & _COUNTER_MASK

    def _set_events(self, event: int) -> None:
        for handle in self.handles.values():
            handle.event = event

    def _end_handles(self, event: int) -> None:
        self._set_events(event)
        self.lock_owner = 0
        self.lock_count = 0
        self._manager.pass_turn()

    @property
    def offered_protocol(self) -> int:
        """Return the protocol of the card that is in, as SCARD_PROTOCOL_*."""
        card = self.card
        return C.SCARD_PROTOCOL_T1 if card is not None and card.protocol is CardProtocol.T1 else C.SCARD_PROTOCOL_T0
