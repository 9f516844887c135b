"""One thread for one card."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from cardd.cards.worker import (
    ABANDONED_AFTER,
    ABANDONED_MOST,
    CardWorker,
    Priority,
    QueueFull,
    TooManyAbandoned,
    Workers,
)
from cardd.readers.stack import Context, PcscStack
from cardd_drivers.contract import Cancelled, CardRemoved, ReaderFailure
from cardsim.transports.inprocess import InProcessPcsc

PATIENCE = 20.0


class Scene:
    """A worker whose jobs a test can hold."""

    def __init__(self, bound: int = 8) -> None:
        self.pcsc = InProcessPcsc()
        self.now = 0.0
        self.workers = Workers(PcscStack(self.pcsc), bound, clock=lambda: self.now)
        self.finished = threading.Event()
        self.gates: list[threading.Event] = []
        self.worker = self.start()

    def start(self) -> CardWorker:
        return self.workers.start(self.finished.set, "card-test")

    def gated(self) -> tuple[threading.Event, threading.Event, Callable[[Context], str]]:
        """A job that says when it runs and waits until it may end."""
        running, gate = threading.Event(), threading.Event()
        self.gates.append(gate)

        def job(_: Context) -> str:
            running.set()
            assert gate.wait(PATIENCE)
            return "done"

        return running, gate, job

    async def busy(self) -> threading.Event:
        """Give the worker something to do; returns what ends it."""
        running, gate, job = self.gated()
        task = asyncio.ensure_future(self.worker.run(job, caller="busy"))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        assert await asyncio.to_thread(running.wait, PATIENCE)
        return gate


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    for gate in scene.gates:
        gate.set()
    scene.worker.stop(CardRemoved())
    assert await asyncio.to_thread(scene.workers.join, PATIENCE)


def thread_id(_: Context) -> int:
    return threading.get_ident()


async def test_a_job_runs_on_the_cards_thread(scene: Scene) -> None:
    assert await scene.worker.run(thread_id, caller="a") == scene.worker.thread.ident
    assert await scene.worker.run(thread_id, caller="b") == scene.worker.thread.ident


async def test_the_thread_has_one_context_of_its_own(scene: Scene) -> None:
    first = await scene.worker.run(lambda context: context, caller="a")
    assert await scene.worker.run(lambda context: context, caller="a") is first


async def test_what_a_job_raises_reaches_its_caller_and_the_worker_serves_on(scene: Scene) -> None:
    with pytest.raises(ZeroDivisionError):
        await scene.worker.run(lambda _: 1 // 0, caller="a")
    assert await scene.worker.run(lambda _: 1, caller="a") == 1


async def test_callers_take_turns_and_authentication_goes_first(scene: Scene) -> None:
    gate = await scene.busy()
    order: list[str] = []

    def note(name: str) -> Callable[[Context], None]:
        return lambda _: order.append(name)

    jobs = [("a1", Priority.NORMAL), ("a2", Priority.NORMAL), ("b1", Priority.NORMAL), ("c1", Priority.AUTHENTICATION)]
    tasks = [
        asyncio.ensure_future(scene.worker.run(note(name), caller=name[0], priority=priority))
        for name, priority in jobs
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert order == ["c1", "a1", "b1", "a2"]


async def test_a_full_queue_is_said_at_once(scene: Scene) -> None:
    await scene.busy()
    tasks = [asyncio.ensure_future(scene.worker.run(thread_id, caller=str(number % 4))) for number in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await scene.worker.run(thread_id, caller="late")
    for task in tasks:
        task.cancel()


async def test_a_cancelled_job_that_waits_never_runs(scene: Scene) -> None:
    gate = await scene.busy()
    ran = threading.Event()
    task = asyncio.ensure_future(scene.worker.run(lambda _: ran.set(), caller="a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await scene.worker.run(thread_id, caller="b")
    assert not ran.is_set()


async def test_a_cancelled_job_that_runs_ends_at_its_next_checkpoint(scene: Scene) -> None:
    running, gate, wait = scene.gated()
    ended: list[type[BaseException]] = []

    def job(context: Context) -> None:
        scene.worker.checkpoint()
        wait(context)
        try:
            scene.worker.checkpoint()
        except Cancelled as error:
            ended.append(type(error))
            raise

    task = asyncio.ensure_future(scene.worker.run(job, caller="a"))
    assert await asyncio.to_thread(running.wait, PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await scene.worker.run(lambda _: scene.worker.checkpoint(), caller="b")
    assert ended == [Cancelled]


async def test_a_plaintext_that_nobody_waits_for_is_wiped(scene: Scene) -> None:
    running, gate, wait = scene.gated()
    plaintext = bytearray(b"plaintext")

    def job(context: Context) -> bytearray:
        wait(context)
        return plaintext

    task = asyncio.ensure_future(scene.worker.run(job, caller="a"))
    assert await asyncio.to_thread(running.wait, PATIENCE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    gate.set()
    await scene.worker.run(thread_id, caller="b")
    assert plaintext == bytes(9)


async def test_stopping_fails_everything_at_once_even_what_is_stuck(scene: Scene) -> None:
    await scene.busy()
    waiting = asyncio.ensure_future(scene.worker.run(thread_id, caller="a"))
    _, _, stuck_job = scene.gated()
    stuck = asyncio.ensure_future(scene.worker.run(stuck_job, caller="b"))
    await asyncio.sleep(0)
    scene.worker.stop(CardRemoved("card-removed"))
    for task in (waiting, stuck):
        with pytest.raises(CardRemoved, match="card-removed"):
            await task
    assert scene.worker.thread.is_alive(), "nobody waited for the thread"
    assert not scene.finished.is_set()


async def test_the_job_that_runs_fails_at_once_when_the_worker_is_stopped(scene: Scene) -> None:
    running, _, job = scene.gated()
    task = asyncio.ensure_future(scene.worker.run(job, caller="a"))
    assert await asyncio.to_thread(running.wait, PATIENCE)
    scene.worker.stop(CardRemoved())
    with pytest.raises(CardRemoved):
        await task


async def test_a_stopped_worker_closes_up_on_its_own_thread_and_takes_nothing_more(scene: Scene) -> None:
    scene.worker.stop(CardRemoved())
    scene.worker.stop(CardRemoved())
    assert await asyncio.to_thread(scene.finished.wait, PATIENCE)
    with pytest.raises(CardRemoved):
        await scene.worker.run(thread_id, caller="a")


async def test_a_service_that_is_not_there_fails_the_job_and_not_the_worker(scene: Scene) -> None:
    scene.pcsc.die()
    with pytest.raises(ReaderFailure):
        await scene.worker.run(thread_id, caller="a")
    scene.pcsc.revive()
    assert await scene.worker.run(lambda _: 1, caller="a") == 1


async def test_a_defect_while_closing_up_ends_the_thread_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers(PcscStack(InProcessPcsc()), 1)

    def defect() -> None:
        raise ZeroDivisionError

    worker = workers.start(defect, "card-test")
    worker.stop(CardRemoved())
    assert await asyncio.to_thread(workers.join, PATIENCE)
    assert "closing a card" in caplog.text


async def test_stuck_workers_are_counted_and_bounded(scene: Scene) -> None:
    for _ in range(ABANDONED_MOST):
        await scene.busy()
        scene.worker.stop(CardRemoved())
        scene.worker = scene.start()
    assert scene.workers.abandoned == 0, "they may be on their way out"
    scene.now += ABANDONED_AFTER
    assert scene.workers.abandoned == ABANDONED_MOST
    with pytest.raises(TooManyAbandoned):
        scene.start()
    assert await scene.worker.run(lambda _: 1, caller="a") == 1, "those at work go on"
    scene.gates[0].set()
    stuck = scene.workers._started[0].thread
    await asyncio.to_thread(stuck.join, PATIENCE)
    scene.start().stop(CardRemoved())


async def test_many_on_their_way_out_are_bounded_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.cards.worker.STOPPING_MOST", 2)
    for _ in range(2):
        await scene.busy()
        scene.worker.stop(CardRemoved())
        scene.worker = CardWorker(PcscStack(scene.pcsc), 1, lambda: None, "never started", lambda: 0.0)
        with suppress(TooManyAbandoned):
            scene.worker = scene.start()
    with pytest.raises(TooManyAbandoned):
        scene.start()
