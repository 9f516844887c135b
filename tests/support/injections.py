"""What goes wrong at the n-th command of an operation, and what the daemon then owes its callers: faults by family."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cardd.readers.insertion import Departure
from cardsim.card import SimulatedCard
from cardsim.faults import Fault
from tests.support.operations import Workbench

Arm = Callable[[Workbench, int], None]
"""Lays the fault ready for the n-th command from now, counted from 1."""


class Family(enum.Enum):
    """Faults after which the same is owed."""

    LEAVES = "the card is gone, or nothing can reach it any more"
    RESET = "it was reset: its volatile state is gone"
    MUTE = "it let its time pass"
    ANSWERS = "it answered something that it should not have"
    SLOW = "it took its time"


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault.

    Args:
        name: for people.
        family: what is owed.
        arm: lays it ready.
        reason: what ends a session by it, for `Family.LEAVES`.
    """

    name: str
    family: Family
    arm: Arm
    reason: Departure | None = None


def disarm(bench: Workbench) -> None:
    """Everything works again; what was taken away is back, but for the card."""
    reader = bench.core.reader
    reader.faults.clear()
    reader.before_apdu(None)
    reader.after_apdu(None)
    if not bench.core.pcsc.alive:
        bench.core.pcsc.revive()
    if reader.unavailable:
        reader.recover()
    bench.replug()


def _armed(text: str) -> Arm:
    """A fault of the simulator's own; ``{}`` stands for the command's number."""

    def arm(bench: Workbench, at: int) -> None:
        bench.core.reader.faults.cards = lambda _: bench.other.card
        bench.core.reader.faults.arm(Fault.parse(text.format(at)))

    return arm


def _before(act: Callable[[Workbench], None]) -> Arm:
    """Something that happens while the n-th command is on its way to the card."""

    def arm(bench: Workbench, at: int) -> None:
        def hook(number: int, command: bytes) -> None:
            del command
            if number == at:
                act(bench)

        bench.core.reader.before_apdu(hook)

    return arm


def _between(act: Callable[[Workbench], None]) -> Arm:
    """Something that happens after the command before the n-th was answered."""

    def arm(bench: Workbench, at: int) -> None:
        def hook(number: int, command: bytes, answer: bytes) -> None:
            del command, answer
            if number == at - 1:
                act(bench)

        if at == 1:
            act(bench)
        else:
            bench.core.reader.after_apdu(hook)

    return arm


def _swap_unseen(bench: Workbench) -> None:
    other: SimulatedCard = bench.other.card
    bench.core.reader.swap(other, counted=False)


DEPARTURES: Final = (
    Injection("removal", Family.LEAVES, _armed("remove@{}"), Departure.CARD_REMOVED),
    Injection("removal, computed", Family.LEAVES, _armed("remove-after@{}"), Departure.CARD_REMOVED),
    Injection("swap", Family.LEAVES, _armed("swap@{}:other"), Departure.CARD_REMOVED),
    Injection("swap, uncounted", Family.LEAVES, _before(_swap_unseen), Departure.CARD_REMOVED),
    Injection(
        "reader unplugged",
        Family.LEAVES,
        _before(lambda bench: bench.core.pcsc.remove_reader(bench.core.reader.name)),
        Departure.READER_REMOVED,
    ),
    Injection(
        "reader broken", Family.LEAVES, _before(lambda bench: bench.core.reader.break_down()), Departure.READER_REMOVED
    ),
    Injection("pcscd dead", Family.LEAVES, _before(lambda bench: bench.core.pcsc.die()), Departure.PCSCD_LOST),
)
LAPSES: Final = (
    Injection("reset", Family.RESET, _between(lambda bench: bench.core.reader.reset_between())),
    Injection("mute", Family.MUTE, _armed("mute@{}:0")),
    Injection("mute for good", Family.MUTE, _armed("mute@{}+:0")),
    Injection("slow", Family.SLOW, _armed("delay@{}:3")),
)
STATUS_WORDS: Final = (
    *("6700", "6982", "6983", "6985", "6A80", "6A82", "6A88", "6D00", "6F00", "6881", "6281", "FFFF", "0000"),
    *("9000", "63C0", "63C2", "6100", "6110", "61FF", "6C00", "6C10", "6CFF"),
)
SHAPES: Final = (
    *("garbage@{}", "garbage@{}:2", "garbage@{}:258", "truncate@{}:0", "truncate@{}", "truncate@{}:2"),
    *("oversize@{}:258", "oversize@{}:300", "oversize@{}", "tlv@{}", "tlv@{}:0", "endless@{}"),
)
ANSWERS: Final = (
    *(Injection(f"SW {word}", Family.ANSWERS, _armed(f"sw@{{}}:{word}")) for word in STATUS_WORDS),
    *(
        Injection(f"SW {word} for good", Family.ANSWERS, _armed(f"sw@{{}}+:{word}"))
        for word in ("6F00", "6110", "6C10")
    ),
    *(Injection(shape.replace("@{}", ""), Family.ANSWERS, _armed(shape)) for shape in SHAPES),
)
INJECTIONS: Final[Sequence[Injection]] = (*DEPARTURES, *LAPSES, *ANSWERS)
