"""The watch thread: blocks in PC/SC until a reader or a card comes or goes, and tells."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cardd.readers.events import PcscFound, PcscLost, ReaderEvent
from cardd.readers.insertion import Departure
from cardd.readers.second_look import SecondLook
from cardd.readers.stack import Code, Context, PcscError, PcscStack
from cardd.readers.tracker import Tracker

BACK_OFF_FIRST = 0.05
BACK_OFF_MOST = 5.0
"""Seconds between attempts to reach the service."""
STOP_TIMEOUT = 5.0
_CANCEL_EVERY = 0.02
_ATR_EVERY = 100
"""Milliseconds between looks at a card that is being powered up."""
_ATR_LOOKS_MOST = 50

logger = logging.getLogger(__name__)

Notify = Callable[[ReaderEvent], None]
"""Called in the watch thread, which it must not block: hand the event to a loop and return."""


class Watch:
    """One thread, one context.

    Args:
        stack: the PC/SC implementation.
        notify: gets each event; an insertion's end mark is set before. What it raises is logged.
    """

    def __init__(self, stack: PcscStack, notify: Notify) -> None:
        self._stack = stack
        self._notify = notify
        self._tracker = Tracker()
        self._thread = threading.Thread(target=self._run, name="readers-watch", daemon=True)
        self._second_look = SecondLook(stack, self)
        self._stopping = threading.Event()
        # Ends a pause between two attempts to reach the service.
        self._awake = threading.Event()
        self._context: Context | None = None
        self._fresh_look = False
        self._tell_availability = False
        self._found: bool | None = None
        self._atr_looks = 0
        self._unknown_readers = 0
        self._round = 0

    @property
    def round(self) -> int:
        """Number of times that the watch has begun to list the readers, or to reach the service."""
        return self._round

    def start(self) -> None:
        """Start the thread. Never blocks on the service."""
        self._second_look.start()
        self._thread.start()

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """End the thread; every insertion ends with `Departure.DAEMON_STOPPED`.

        Args:
            timeout: seconds; a thread that is stuck in the library longer is left behind, its insertions marked.

        Returns:
            Whether the thread has ended.
        """
        if self._thread.ident is None:
            return True
        self._stopping.set()
        self._second_look.stop()
        self._awake.set()
        # A cancel that comes before the wait began is lost.
        for _ in range(max(1, int(timeout / _CANCEL_EVERY))):
            self.interrupt()
            self._thread.join(_CANCEL_EVERY)
            if not self._thread.is_alive():
                return self._second_look.join(timeout)
        logger.error("the PC/SC library does not return from its wait; its thread is left behind")
        self._tracker.clear(Departure.DAEMON_STOPPED)
        return False

    def look_again(self) -> None:
        """Look at everything afresh soon, and tell `Availability` for each card. From any thread; returns at once."""
        self._tell_availability = True
        self._fresh_look = True
        self._second_look.interrupt()

    def want_fresh_look(self) -> None:
        """Begin the next round with a look at every reader. From any thread."""
        self._fresh_look = True

    def interrupt(self) -> None:
        """End the wait or the pause that is under way, if any. From any thread."""
        self._awake.set()
        context = self._context
        if context is None:
            return
        try:
            context.cancel()
        except PcscError as error:  # the service is gone: the wait has ended by that
            logger.debug("cancel: %s", error)

    def _run(self) -> None:
        back_off = BACK_OFF_FIRST
        while not self._stopping.is_set():
            self._begin_round()
            try:
                self._watch_until_lost()
            except PcscError as error:
                self._lost(str(error))
            except Exception:  # a defect: no card may outlive the one thread that sees it go
                logger.exception("the watch failed")
                self._lost("the watch failed")
            back_off = BACK_OFF_FIRST if self._context is not None else min(2 * back_off, BACK_OFF_MOST)
            self._context = None
            self._pause(back_off)
        self._tell(self._tracker.clear(Departure.DAEMON_STOPPED))

    def _pause(self, seconds: float) -> None:
        self._awake.clear()
        if not self._stopping.is_set():
            self._awake.wait(seconds)

    def _watch_until_lost(self) -> None:
        context = self._stack.establish()
        try:
            names = context.list_readers()
            self._context = context
            self._is_found()
            while not self._stopping.is_set():
                self._tell(self._tracker.readers_are(names))
                self._watch_once(context)
                self._begin_round()
                names = context.list_readers()
        except PcscError:
            # Before the release, which may take its time.
            self._tell(self._tracker.clear(Departure.PCSCD_LOST))
            raise
        finally:
            _release(context)

    def _watch_once(self, context: Context) -> None:
        try:
            self._look_or_wait(context)
            self._unknown_readers = 0
        except PcscError as error:
            if error.code not in (Code.E_UNKNOWN_READER, Code.E_READER_UNAVAILABLE):
                raise
            # A reader went between listing and waiting. One that stays listed and unknown must not make a busy loop.
            self._unknown_readers += 1
            if self._unknown_readers > 1:
                self._stopping.wait(min(BACK_OFF_FIRST * self._unknown_readers, BACK_OFF_MOST))

    def _look_or_wait(self, context: Context) -> None:
        if self._fresh_look:
            self._fresh_look = False
            tell_availability, self._tell_availability = self._tell_availability, False
            states = context.look(self._tracker.readers)
            self._tell(self._tracker.update(states, tell_availability=tell_availability))
        elif self._tracker.awaits_atr and self._atr_looks < _ATR_LOOKS_MOST:
            # PC/SC tells of no change when the answer to reset comes.
            self._atr_looks += 1
            self._second_look.wait_begins(self._tracker.known)
            changed = context.wait(self._tracker.known, pnp=True, timeout=_ATR_EVERY)
            self._tell(self._tracker.update(changed or context.look(self._tracker.readers)))
        else:
            self._second_look.wait_begins(self._tracker.known)
            self._tell(self._tracker.update(context.wait(self._tracker.known, pnp=True)))
        if not self._tracker.awaits_atr:
            self._atr_looks = 0

    def _begin_round(self) -> None:
        self._round += 1
        self._second_look.round_began()

    def _is_found(self) -> None:
        if self._found is not True:
            self._found = True
            logger.info("the PC/SC service is there")
            self._tell([PcscFound()])

    def _lost(self, why: str) -> None:
        self._tell(self._tracker.clear(Departure.PCSCD_LOST))
        if self._found is not False:
            self._found = False
            logger.warning("the PC/SC service is not there: %s", why)
            self._tell([PcscLost()])

    def _tell(self, events: Sequence[ReaderEvent]) -> None:
        for event in events:
            try:
                self._notify(event)
            except Exception:  # whatever the other side does, the next removal must still be seen
                logger.exception("an event was not taken")


def _release(context: Context) -> None:
    try:
        context.release()
    except PcscError as error:  # the service is gone, and with it the context
        logger.debug("release: %s", error)
