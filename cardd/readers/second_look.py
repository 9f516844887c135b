"""A second pair of eyes for the watch thread, whose wait is blind to what happened just before it began.

PC/SC compares the list of readers with the list as it was when the wait began: a reader that was added between the
watch's listing and its wait is told of by nobody. So 100 ms after each new wait this thread looks once more, in a
context of its own, and ends the wait where it differs. It does the same for whoever asks for a fresh look. A cancel
that comes before the wait began is lost, hence it is repeated until the watch has begun a new round. Idle, it sleeps.

A hold that another program gives up soon after it was seen is not told of either: pcscd compares the number of holds
every 0.4 s and wakes nobody for one that came and went in between, though every look sees it. So a wait that knows of a
hold is looked after once more when pcscd must have counted it; from then on its end ends the wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from cardd.readers.stack import Context, Flag, PcscError, PcscStack, ReaderState

LOOK_AFTER = 0.1
"""Seconds between the beginning of a wait and the second look."""
HOLD_COUNTED_AFTER = 1.0
"""Seconds from a second look to the next one at a hold: pcscd has counted by then, on a busy machine too."""
_HELD = Flag.EXCLUSIVE | Flag.INUSE
_CANCEL_EVERY = 0.02
_CANCEL_AT_LEAST_EVERY = 1.0

logger = logging.getLogger(__name__)


class Watched(Protocol):
    """What the second look needs of the watch."""

    @property
    def round(self) -> int:
        """Number of times that the watch has begun to list readers."""

    def interrupt(self) -> None:
        """End the wait or the pause that is under way, if any."""

    def want_fresh_look(self) -> None:
        """Begin the next round with a look at every reader, whatever is known of it."""


class SecondLook:
    """The thread.

    Args:
        stack: where to look.
        watched: what to interrupt.
    """

    def __init__(self, stack: PcscStack, watched: Watched) -> None:
        self._stack = stack
        self._watched = watched
        self._changed = threading.Condition()
        self._due: float | None = None
        self._expected: tuple[ReaderState, ...] = ()
        self._holds_counted = False
        self._interrupt_round: int | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="readers-second-look", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the thread to end; does not wait for it."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end, `timeout` seconds at most; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def wait_begins(self, known: Sequence[ReaderState]) -> None:
        """The watch is about to wait for a change from these states."""
        with self._changed:
            self._expected = tuple(known)
            self._holds_counted = False
            due = time.monotonic() + LOOK_AFTER
            if self._due is None or due < self._due:
                self._due = due
                self._changed.notify()

    def interrupt(self) -> None:
        """Make the watch begin a new round; returns at once."""
        with self._changed:
            self._interrupt_round = self._watched.round
            self._changed.notify()

    def _run(self) -> None:
        while (task := self._next_task()) is not None:
            try:
                task()
            except Exception:  # a defect here must not end the thread, on which fresh looks depend
                logger.exception("second look")

    def _next_task(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopping:
                if self._interrupt_round is not None:
                    return self._interrupt
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    self._due = None
                    return self._look
                self._changed.wait(left)
        return None

    def _look(self) -> None:
        began = self._watched.round
        try:
            seen = self._see()
        except PcscError as error:
            # The watch's own wait meets the same and knows what it means.
            logger.debug("second look: %s", error)
            return
        with self._changed:
            if self._watched.round != began:
                return  # the watch has looked itself meanwhile; its new wait has its own second look
            differs = self._differs(seen)
            if not differs and not self._holds_counted and any(state.flags & _HELD for state in self._expected):
                self._holds_counted = True
                self._due = time.monotonic() + HOLD_COUNTED_AFTER
        if differs:
            # Waiting on what is known would not do: a counter of 0 is compared with nothing.
            self._watched.want_fresh_look()
            self.interrupt()

    def _differs(self, seen: Sequence[ReaderState]) -> bool:
        """Other readers or cards than the wait knows, or a hold that has ended. One that began is no news to a wait."""
        now = {state.reader: state for state in seen}
        known = {state.reader: state for state in self._expected}
        return now.keys() != known.keys() or any(
            now[name].counter != state.counter or state.flags & _HELD & ~now[name].flags
            for name, state in known.items()
        )

    def _see(self) -> tuple[ReaderState, ...]:
        context = self._stack.establish()
        try:
            return context.look(context.list_readers())
        finally:
            _release(context)

    def _interrupt(self) -> None:
        """Repeat until the watch has begun a round after the request."""
        pause = _CANCEL_EVERY
        while True:
            with self._changed:
                since = self._interrupt_round
                if self._stopping or since is None:
                    return
                if self._watched.round > since:
                    self._interrupt_round = None
                    return
            self._watched.interrupt()
            with self._changed:
                if not self._is_done(since):
                    self._changed.wait(pause)
            pause = min(2 * pause, _CANCEL_AT_LEAST_EVERY)

    def _is_done(self, since: int) -> bool:
        return self._stopping or self._watched.round > since

    def round_began(self) -> None:
        """The watch has begun a new round."""
        with self._changed:
            self._changed.notify()


def _release(context: Context) -> None:
    try:
        context.release()
    except PcscError as error:  # the service is gone, and with it the context
        logger.debug("second look: %s", error)
