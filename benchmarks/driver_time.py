"""The driver's own time: what is spent in the card's thread, where driver and worker meet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cardd.cards.seat import Seat


@contextmanager
def driver_times() -> Iterator[list[float]]:
    """Seconds of each operation of a driver from now on, in order."""
    taken: list[float] = []
    operate = Seat.operate

    def timed(seat: Seat, *arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        result = operate(seat, *arguments, **named)
        taken.append(time.perf_counter() - begun)
        return result

    Seat.operate = timed  # type: ignore[method-assign, assignment]  # where driver and worker meet
    try:
        yield taken
    finally:
        Seat.operate = operate  # type: ignore[method-assign]  # as it was
