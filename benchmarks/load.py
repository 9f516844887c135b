"""Many clients on one card, many cards, and how soon a card is known."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable
from dataclasses import replace

from benchmarks.figure import Figure, percentile
from benchmarks.in_this_process import Bench, Clients, Paced, with_daemon
from cardsim import personalise, profiles
from cardsim.card import SimulatedCard
from cardsim.timing import TimedCard
from tests.support.core import card_of, pki_store

CLIENTS = 50
SIGNATURE_SECONDS = 0.3
SIGNATURES_EACH = 3
READERS = 16
SIGNATURES_A_CARD = 20
INSERTIONS = 20


def utilisation() -> list[Figure]:
    """How busy fifty clients keep one card, and whether each gets its share."""
    card = Paced(card_of(), SIGNATURE_SECONDS)
    moments: list[list[int]] = []

    def story(bench: Bench) -> None:
        bench.reader.insert(card)
        with Clients(bench.bus, CLIENTS) as clients:
            clients.tell("sessions 1")
            clients.line()
            card.busy.clear()
            clients.tell(f"each {SIGNATURES_EACH}")
            moments.extend(json.loads(clients.line()))

    with_daemon(story)
    note = f"{CLIENTS} connections, {CLIENTS * SIGNATURES_EACH} signatures of {SIGNATURE_SECONDS * 1000:.0f} ms"
    waits = [one for client in moments for one in _between(client)]
    fair = CLIENTS * SIGNATURE_SECONDS * 1000
    return [
        Figure("card/utilisation/50-clients", _share(card.busy), "share", "goal", 0.95, note),
        Figure("card/longest-wait/50-clients", max(waits), "ms", "a turn of all", fair, "between two of one client"),
    ]


def sixteen_readers() -> list[Figure]:
    """A session on each of sixteen cards, all signing at once, beside a session on one."""
    cards = [Paced(card, SIGNATURE_SECONDS) for card in distinct_cards(READERS)]
    opened: dict[int, float] = {}
    shares: dict[int, float] = {}

    def story(bench: Bench) -> None:
        for count in (1, READERS):
            used = cards[:count]
            with Clients(bench.bus, count) as clients:
                opened[count] = _sessions(bench, clients, used)
                for card in used:
                    card.busy.clear()
                clients.tell(f"each {SIGNATURES_A_CARD}")
                clients.line()
            shares[count] = min(_share(card.busy) for card in used)
            for reader in bench.readers[:count]:
                reader.remove()

    with_daemon(story, READERS)
    note = (
        f"the least busy card; {SIGNATURES_A_CARD} signatures of {SIGNATURE_SECONDS * 1000:.0f} ms, one connection each"
    )
    begun = "all inserted at once; to a session on each"
    return [
        Figure("readers/16/authenticated", opened[READERS], "ms", "one card alone", opened[1], begun),
        Figure("readers/16/utilisation", shares[READERS], "share", "one card alone", shares[1], note),
    ]


def insertions() -> list[Figure]:
    """From an insertion to a client's knowing that the card is identified; the cards take the time of real ones."""
    figures = []
    for name in ("unknown", "known"):
        taken: list[float] = []
        own: list[float] = []

        def story(bench: Bench, name: str = name, taken: list[float] = taken, own: list[float] = own) -> None:
            cards = distinct_cards(INSERTIONS)
            with Clients(bench.bus, 1) as clients:
                if name == "known":
                    for card in cards:
                        _until_identified(bench, clients, card)
                for card in (Paced(TimedCard(card), 0) for card in cards):
                    taken.append(_until_identified(bench, clients, card))
                    own.append(1000 * sum(end - begun for begun, end in card.busy))

        with_daemon(story)
        note = f"{INSERTIONS} insertions; the rest is what cardd adds"
        for mark, share in (("p50", 0.5), ("p99", 0.99)):
            figures.append(
                Figure(
                    f"insert/identified/{name}/{mark}",
                    percentile(taken, share),
                    "ms",
                    "the card's own time",
                    percentile(own, share),
                    note,
                )
            )
    return figures


def distinct_cards(count: int) -> list[SimulatedCard]:
    """Physicians' cards, each with a serial number of its own."""
    profile = profiles.load("physician")
    settings = [replace(profile.card, serial=f"{number:08}") for number in range(1, count + 1)]
    return [personalise(replace(profile, card=one), pki_store()) for one in settings]


def _until_identified(bench: Bench, clients: Clients, card: SimulatedCard) -> float:
    """Insert a card and remove it; milliseconds from its insertion to a client's knowing it."""
    clients.tell("identified")
    clients.expect("watching")
    inserted = time.monotonic_ns()
    bench.reader.insert(card)
    known = int(clients.line())
    bench.reader.remove()
    return (known - inserted) / 1e6


def _sessions(bench: Bench, clients: Clients, cards: list[Paced]) -> float:
    """Insert the cards, one in each reader; milliseconds until a session is open on each."""
    clients.tell(f"sessions {len(cards)}")
    begun = time.monotonic_ns()
    for reader, card in zip(bench.readers, cards, strict=False):
        reader.insert(card)
    return (int(clients.line()) - begun) / 1e6


def _share(busy: list[tuple[float, float]]) -> float:
    """Of the time between the first command's beginning and the last one's end, how much was spent in commands."""
    return sum(end - begun for begun, end in busy) / (busy[-1][1] - busy[0][0])


def _between(moments: list[int]) -> Iterable[float]:
    """Milliseconds between neighbours."""
    return ((later - earlier) / 1e6 for earlier, later in itertools.pairwise(moments))
