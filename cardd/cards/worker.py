"""One thread for one card, on which everything runs that waits for the card."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from cardd.cards.queue import FairQueue, Priority, QueueFull
from cardd.readers.stack import Context, PcscError, PcscStack
from cardd_drivers.contract import Cancelled, CardRemoved, ReaderFailure

__all__ = ["CardWorker", "Priority", "QueueFull", "TooManyAbandoned", "Workers"]

ABANDONED_MOST = 8
ABANDONED_AFTER = 2.0
"""Seconds after which a worker that was told to stop counts as stuck in the library."""
STOPPING_MOST = 64
"""Workers that may be on their way out at one time, stuck or not."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


class TooManyAbandoned(ReaderFailure):
    """So many threads are stuck in the PC/SC library that no more are started."""


class Job(Generic[T]):
    """A function to run on the worker, and the future of its result. Cancelled between two commands."""

    def __init__(self, function: Callable[[Context], T], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self.cancelled = False
        self.future: asyncio.Future[T] = loop.create_future()
        self._loop = loop

    def run(self, context: Context) -> None:
        """Run the function and hand its outcome to the loop."""
        try:
            result = self._result(context)
        except Exception as error:  # whatever it is, it belongs to whoever waits for the result
            self.fail_soon(error)
        else:
            self._soon(lambda: self._deliver(result))

    def fail_soon(self, error: Exception) -> None:
        """Hand an error to the loop, from the worker's thread."""
        self._soon(lambda: self.fail(error))

    def fail(self, error: Exception) -> None:
        """Fail the future now, on the loop, unless it is done."""
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # whoever waited may be gone; that is no defect to be logged

    def _result(self, context: Context) -> T:
        if self.cancelled:
            raise Cancelled
        return self.function(context)

    def _deliver(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)
        elif isinstance(result, bytearray):  # a plaintext that nobody waits for any more
            result[:] = bytes(len(result))

    def _soon(self, deliver: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(deliver)


class CardWorker:
    """The thread, its PC/SC context and its queue. Made by `Workers.start`; its methods belong to the loop.

    Args:
        stack: where its context comes from.
        bound: jobs that may wait.
        finish: runs last on the thread, to close what the jobs left open.
        name: of the thread.
        clock: monotonic seconds.
    """

    def __init__(
        self, stack: PcscStack, bound: int, finish: Callable[[], None], name: str, clock: Callable[[], float]
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._finish = finish
        self._queue: FairQueue[Job[Any]] = FairQueue(bound)
        self._changed = threading.Condition()
        self._running: Job[Any] | None = None
        self._stopping = False
        self._context: Context | None = None
        self.stopped_at: float | None = None
        """When it was told to stop."""
        self.busy_since: float | None = None
        """When the running job began, or sent its last command; None while there is no job."""
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def run(
        self,
        function: Callable[[Context], T],
        *,
        caller: str,
        user: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> T:
        """Run a function on the thread when its turn comes.

        A cancelled caller's job is taken back, or, when it runs already, ends before its next command
        (`checkpoint`).

        Args:
            function: gets the worker's context.
            caller: whose turn it takes.
            user: the caller's uid; None: the daemon itself.
            priority: what it goes before.

        Raises:
            QueueFull: at once.
            CardRemoved: the worker was stopped.
            What the function raises.
        """
        job = Job(function, asyncio.get_running_loop())
        with self._changed:
            if self._stopping:
                raise CardRemoved("the card has departed")
            self._queue.put(job, caller, priority, user)
            self._changed.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            job.cancelled = True
            with self._changed:
                self._queue.discard(job)
            raise

    def checkpoint(self, beyond: float = 0.0) -> None:
        """Called on the thread before each command.

        Args:
            beyond: seconds that this command may take beyond a card's own time.

        Raises:
            Cancelled: the running job was given up.
        """
        job = self._running
        if job is not None and job.cancelled:
            raise Cancelled
        self.busy_since = self._clock() + beyond

    def stuck_for(self) -> float:
        """Seconds since the running job's last command went to the library; 0 while there is no job."""
        since = self.busy_since
        return 0.0 if since is None else self._clock() - since

    def stop(self, error: Exception) -> None:
        """Fail everything pending with `error` now, and let the thread end when it can. Never blocks."""
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
            self.stopped_at = self._clock()
            pending = self._queue.drain()
            running = self._running
            self._changed.notify()
        if running is not None:
            running.cancelled = True
            pending.append(running)
        for job in pending:
            job.fail(error)

    def _run(self) -> None:
        while self._work():
            pass
        try:
            self._finish()
        except Exception:  # a defect; the thread ends all the same
            logger.exception("closing a card")
        self._release()

    def _work(self) -> bool:
        """Do one job; False when there is none to come. A job, and the secrets in it, is not kept after its end."""
        job = self._next()
        if job is None:
            return False
        context = self._context_for(job)
        self.busy_since = self._clock()
        if context is not None:
            job.run(context)
        self.busy_since = None
        self._running = None
        return True

    def _next(self) -> Job[Any] | None:
        with self._changed:
            while not self._stopping:
                self._running = self._queue.take()
                if self._running is not None:
                    return self._running
                self._changed.wait()
        return None

    def _context_for(self, job: Job[Any]) -> Context | None:
        if self._context is None:
            try:
                self._context = self._stack.establish()
            except PcscError as error:
                job.fail_soon(ReaderFailure(str(error)))
        return self._context

    def _release(self) -> None:
        if self._context is None:
            return
        try:
            self._context.release()
        except PcscError as error:  # the service is gone, and with it the context
            logger.debug("release: %s", error)


class Workers:
    """Starts workers, and knows which of the stopped ones are stuck in the library.

    Args:
        stack: the PC/SC implementation.
        bound: jobs that may wait for one card.
        clock: monotonic seconds.
    """

    def __init__(self, stack: PcscStack, bound: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stack = stack
        self._bound = bound
        self._clock = clock
        self._started: list[CardWorker] = []

    @property
    def abandoned(self) -> int:
        """Number of workers that were told to stop a while ago and have not ended."""
        latest = self._clock() - ABANDONED_AFTER
        stopped = (worker.stopped_at for worker in self._on_their_way_out())
        return sum(1 for at in stopped if at is not None and at <= latest)

    def start(self, finish: Callable[[], None], name: str, stack: PcscStack | None = None) -> CardWorker:
        """A new worker, its thread running.

        Args:
            finish: runs last on the thread.
            name: of the thread.
            stack: another PC/SC implementation than that of all.

        Raises:
            TooManyAbandoned.
        """
        self._started = [worker for worker in self._started if worker.thread.is_alive()]
        if self.abandoned >= ABANDONED_MOST or len(self._on_their_way_out()) >= STOPPING_MOST:
            raise TooManyAbandoned("too many cards never gave an answer; restart pcscd, then cardd")
        worker = CardWorker(stack or self._stack, self._bound, finish, name, self._clock)
        worker.thread.start()
        self._started.append(worker)
        return worker

    def join(self, timeout: float) -> bool:
        """Wait for the stopped workers to end, `timeout` seconds for all; whether they have. Blocks."""
        deadline = time.monotonic() + timeout
        for worker in self._on_their_way_out():
            worker.thread.join(max(0.0, deadline - time.monotonic()))
        return not self._on_their_way_out()

    def _on_their_way_out(self) -> list[CardWorker]:
        return [worker for worker in self._started if worker.stopped_at is not None and worker.thread.is_alive()]
