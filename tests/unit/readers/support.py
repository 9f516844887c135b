"""What the tests of the watch thread share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cardd.readers.events import CardDeparted, CardInserted, ReaderAdded, ReaderEvent
from cardd.readers.insertion import Insertion
from cardd.readers.stack import PNP_NOTIFICATION, Flag, PcscStack
from cardd.readers.watch import Watch
from cardsim.transports.inprocess import InProcessPcsc

READER = "Fictional Reader 00 00"
PATIENCE = 20.0
"""Seconds after which a test gives up; nothing waits as long when all is well."""

E = TypeVar("E")
_HELD = Flag.EXCLUSIVE | Flag.INUSE


class Recorder:
    """Keeps events and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: ReaderEvent) -> None:
        if isinstance(event, CardDeparted):
            assert event.insertion.mark.is_set, "the mark is set before anybody is told"
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[E]) -> list[E]:
        """The events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on the events holds."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), self.events

    def wait(self, kind: type[E], count: int = 1) -> E:
        """The count-th event of a kind."""
        self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def insertion(self, count: int = 1) -> Insertion:
        """The count-th insertion."""
        return self.wait(CardInserted, count).insertion


class Hooked:
    """A PC/SC stack whose calls a test can step into; for the rest the one inside."""

    def __init__(self, inside: Any) -> None:
        self.inside = inside
        self.before_long_wait: Callable[[], object] | None = None
        self.before_cancel: Callable[[], object] | None = None
        self.waits = 0
        self.tells_of_holds = True
        """Whether the end of a hold that is known ends a wait."""
        self.looked = threading.Event()
        """Set whenever somebody has looked without waiting."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inside, name)

    def SCardGetStatusChange(self, context: int, timeout: int, states: list[tuple[str, int]]) -> Any:  # noqa: N802
        """As inside, after the hook when this is a wait for the next change."""
        if (PNP_NOTIFICATION, 0) in states:
            self.waits += 1
            if all(state for name, state in states if name != PNP_NOTIFICATION):
                hook, self.before_long_wait = self.before_long_wait, None
                if hook is not None:
                    hook()
        if timeout and not self.tells_of_holds:
            states = [(name, state & ~int(_HELD)) for name, state in states]
        told = self.inside.SCardGetStatusChange(context, timeout, states)
        if not timeout:
            self.looked.set()
        return told

    def SCardCancel(self, context: int) -> Any:  # noqa: N802
        """As inside, after the hook."""
        result = self.inside.SCardCancel(context)
        hook, self.before_cancel = self.before_cancel, None
        if hook is not None:
            hook()
        return result


class Scene:
    """A watch over an in-process PC/SC with one reader."""

    def __init__(self, *, readers: int = 1) -> None:
        self.pcsc = InProcessPcsc()
        self.readers = [self.pcsc.add_reader(f"Fictional Reader 0{number} 00") for number in range(readers)]
        self.hooked = Hooked(self.pcsc)
        self.seen = Recorder()
        self.watch = Watch(PcscStack(self.hooked), self.seen)

    @property
    def reader(self) -> Any:
        """The first reader."""
        return self.readers[0]


@contextmanager
def watched(*, readers: int = 1) -> Iterator[Scene]:
    """A scene whose watch runs and knows the readers; it is stopped at the end."""
    scene = Scene(readers=readers)
    scene.watch.start()
    try:
        scene.seen.until(lambda: len(scene.seen.of(ReaderAdded)) == readers)
        yield scene
    finally:
        assert scene.watch.stop(PATIENCE)
        scene.pcsc.close()
