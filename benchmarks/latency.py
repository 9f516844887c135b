"""How soon a removal counts and is told, and what D-Bus adds to a signature."""

from __future__ import annotations

import json
import statistics
import time
from contextlib import ExitStack

from benchmarks.clients import LARGE_AT_ONCE
from benchmarks.driver_time import driver_times
from benchmarks.figure import Figure, percentile
from benchmarks.in_this_process import Bench, Clients, Paced, with_daemon
from tests.support.core import card_of

CONNECTIONS = 20
REMOVALS = 1000
SIGNATURE_SECONDS = 0.05
"""A tenth of what a real card's RSA takes."""
LARGE_BYTES = 250_000
"""Just below what the daemon takes in one message."""
SIGNATURES = 1000


def removals() -> list[Figure]:
    """From the event of a removal to the mark, and to `Ended` at the clients."""
    busy = f"{REMOVALS} removals while {CONNECTIONS} connections of one process"
    paced = f"{busy} sign, {SIGNATURE_SECONDS * 1000:.0f} ms each"
    flat_out = f"{busy} keep both processors busy"
    large = f"{paced}, and another process sends messages of {LARGE_BYTES // 1000} kB, {LARGE_AT_ONCE} at a time"
    return [
        *_removals("", SIGNATURE_SECONDS, paced),
        *_removals("-large-messages", SIGNATURE_SECONDS, large, large=True),
        *_removals("-flat-out", 0, flat_out),
    ]


def _removals(suffix: str, seconds: float, note: str, *, large: bool = False) -> list[Figure]:
    marked: list[float] = []
    first: list[float] = []
    last: list[float] = []

    def story(bench: Bench) -> None:
        card = Paced(card_of(), seconds)
        with ExitStack() as running:
            clients = running.enter_context(Clients(bench.bus, CONNECTIONS))
            if large:
                running.enter_context(Clients(bench.bus, 0)).tell(f"large {LARGE_BYTES}")
            for _ in range(REMOVALS):
                bench.reader.insert(card)
                clients.tell("sign")
                clients.expect("signing")
                (presence,) = bench.daemon.sessions.presences
                removed = time.monotonic_ns()
                bench.reader.remove()
                ends = json.loads(clients.line())
                ending = presence.card.insertion.mark.ending
                if ending is None:
                    raise RuntimeError("the removal was not marked")
                marked.append((ending.at - removed) / 1e6)
                first.append((ends[0] - removed) / 1e6)
                last.append((max(ends) - removed) / 1e6)

    with_daemon(story)
    return [
        Figure(f"removal{suffix}/marked/p50", percentile(marked, 0.5), "ms", "floor at p99", 1, note),
        Figure(f"removal{suffix}/marked/p99", percentile(marked, 0.99), "ms", "floor", 1, note),
        Figure(f"removal{suffix}/ended/p50", percentile(first, 0.5), "ms", "floor at p99", 5, note),
        Figure(f"removal{suffix}/ended/p99", percentile(first, 0.99), "ms", "floor", 5, note),
        Figure(
            f"removal{suffix}/ended-everywhere/p99",
            percentile(last, 0.99),
            "ms",
            "floor",
            5,
            "at the last client object",
        ),
    ]


def sign_overhead() -> list[Figure]:
    """What a signature takes at the client beyond what the card's thread takes for it."""
    taken: list[float] = []

    def story(bench: Bench) -> None:
        bench.reader.insert(card_of())
        with Clients(bench.bus, 1) as clients:
            clients.tell("time 20")
            clients.line()
            driver.clear()
            clients.tell(f"time {SIGNATURES}")
            taken.extend(json.loads(clients.line()))

    with driver_times() as driver:
        with_daemon(story)
    overhead = [(all_of_it - own) * 1000 for all_of_it, own in zip(taken, driver[-len(taken) :], strict=True)]
    note = f"{len(overhead)} signatures; the driver's own time was {statistics.median(driver) * 1000:.2f} ms (median)"
    return [
        Figure("dbus/sign-overhead/p50", percentile(overhead, 0.5), "ms", "floor at p99", 3, note),
        Figure("dbus/sign-overhead/p99", percentile(overhead, 0.99), "ms", "floor", 3, note),
    ]


def measure() -> list[Figure]:
    """Every figure of this file."""
    return [*removals(), *sign_overhead()]
