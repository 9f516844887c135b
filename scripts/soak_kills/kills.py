"""Kill at random moments, and see what became of it."""

from __future__ import annotations

import asyncio
import enum
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from scripts.soak_kills.findings import Findings
from scripts.soak_kills.scene import VERIFIED, Process, Scene
from scripts.soak_kills.user import HANG_SECONDS, User

from cardd.client import CarddClient
from cardd.sessions.states import EndReason
from cardsim.stage import StageError

USERS = 3
LONGEST_LIFE = 1.5
"""Seconds within which the victim is killed again: from its start to well into a session."""
LONGEST_ABSENCE = 0.3
"""Seconds within which pcscd comes back."""
WHILE_STARTING = 0.25
"""Share of cardd's starts that are killed as well."""
LONGEST_START = 0.4
"""Seconds within which that comes."""
_JOURNAL_EVERY = 25
_WARM_UP = 5
"""Kills before cardd is measured for the first time."""
_MORE_DESCRIPTORS = 8
_MORE_THREADS = 4
_ENDS_BY_PCSCD = {EndReason.PCSCD_LOST, EndReason.CARD_REMOVED, EndReason.READER_REMOVED, EndReason.CARD_RESET}
_ENDS_BY_CARDD = {EndReason.DAEMON_STOPPED}


class Victim(enum.StrEnum):
    """Who is killed."""

    PCSCD = "pcscd"
    CARDD = "cardd"


@dataclass(slots=True)
class Result:
    """What a run gave, as the last line tells it."""

    victim: str
    seed: int
    kills: int = 0
    while_open: int = 0
    """Kills that met an open session."""
    while_starting: int = 0
    """Further kills, of a cardd that had not begun to serve."""
    signatures: int = 0
    tokens: int = 0
    journal: int = 0
    """Entries in the end."""
    ends: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


class Soak:
    """One run.

    Args:
        scene: set up.
        victim: who is killed.
        kills: how often.
        seed: of the moments.
        told: gets a line now and then.
    """

    def __init__(self, scene: Scene, victim: Victim, kills: int, seed: int, told: Callable[[str], None]) -> None:
        self._scene = scene
        self._victim = victim
        self._kills = kills
        self._told = told
        self._chance = random.Random(seed)  # noqa: S311  # when to kill
        self._findings = Findings()
        self._users = [User(f"user {number}", scene.bus.address, self._findings) for number in range(USERS)]
        self._result = Result(victim.value, seed)
        self._first: Process | None = None

    async def run(self) -> Result:
        """Kill as often as was asked for; whatever is found is in the result."""
        await self._prove_the_question()
        using = [asyncio.create_task(user.run()) for user in self._users]
        try:
            await self._recovered()
            for number in range(1, self._kills + 1):
                self._findings.kill = number
                await self._one_kill(number)
                if any(task.done() for task in using) or len(self._findings.told) > USERS:
                    break
            await self._recovered()
        finally:
            for task in using:
                task.cancel()
            outcomes = await asyncio.gather(*using, return_exceptions=True)
        for outcome in outcomes:
            if not isinstance(outcome, asyncio.CancelledError):
                self._findings.add(f"an application ended: {outcome!r}")
        await asyncio.to_thread(self._scene.cardd.stop)
        await asyncio.to_thread(self._compare)
        return self._summed_up()

    async def _prove_the_question(self) -> None:
        """A question that cannot tell a verified PIN would find nothing."""
        await asyncio.to_thread(self._scene.cardd.stop)
        if await self._scene.pin_asked(verified_first=True) != VERIFIED:
            raise RuntimeError("the card does not tell that its PIN is verified")
        await asyncio.to_thread(self._scene.cardd.start)

    async def _one_kill(self, number: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, LONGEST_LIFE))
        self._result.while_open += any(user.session is not None for user in self._users)
        self._result.kills = number
        match self._victim:
            case Victim.PCSCD:
                await asyncio.to_thread(self._scene.pcscd.crash)
                await asyncio.sleep(self._chance.uniform(0, LONGEST_ABSENCE))
                await asyncio.to_thread(self._scene.pcscd.start)
            case Victim.CARDD:
                await asyncio.to_thread(self._scene.cardd.kill)
                if await self._scene.pin_asked() == VERIFIED:
                    self._findings.add("the card still counts the PIN as verified, and its session is gone")
                if self._chance.random() < WHILE_STARTING:
                    await self._kill_while_starting()
                await self._start_cardd()
        if self._chance.random() < 0.5:  # otherwise the next kill may meet it while it begins
            await self._recovered()
        if number % _JOURNAL_EVERY == 0:
            if self._victim is Victim.CARDD:
                await asyncio.to_thread(self._compare)
            self._told(f"{number} kills, {len(self._findings.told)} findings")

    async def _start_cardd(self) -> None:
        try:
            await asyncio.to_thread(self._scene.cardd.start)
        except StageError as error:
            self._findings.add(str(error))
            await asyncio.to_thread(self._scene.cardd.start)

    async def _kill_while_starting(self) -> None:
        cardd = self._scene.cardd
        starting = asyncio.create_task(asyncio.to_thread(cardd.start))
        await asyncio.sleep(self._chance.uniform(0, LONGEST_START))
        await asyncio.to_thread(cardd.kill)
        with suppress(StageError):  # what the kill is to bring about
            await starting
            await asyncio.to_thread(cardd.kill)
        self._result.while_starting += 1

    async def _recovered(self) -> None:
        """Every application is served anew, by one session, and the daemon has not grown."""
        try:
            await asyncio.gather(*(user.served_anew() for user in self._users))
        except TimeoutError:
            self._findings.add(f"not served within {HANG_SECONDS:.0f} s")
            return
        async with await CarddClient.connect(self._scene.bus.address) as client:
            sessions = [one for one in await client.sessions() if one.level == "card"]
            cards = await client.cards()
        if len(sessions) != 1 or len(cards) != 1:
            self._findings.add(f"{len(sessions)} sessions on {len(cards)} cards, where one is in")
        self._look_at_growth()

    def _look_at_growth(self) -> None:
        if self._victim is not Victim.PCSCD or self._result.kills < _WARM_UP:
            return
        now = Process.of(self._scene.cardd.pid)
        first = self._first = self._first or now
        if now.descriptors > first.descriptors + _MORE_DESCRIPTORS or now.threads > first.threads + _MORE_THREADS:
            self._findings.add(f"cardd grew from {first} to {now}")

    def _compare(self) -> None:
        """What was handed out against what the disk has."""
        promised_digests = set[str]().union(*(user.digests for user in self._users))
        promised_tokens = set[str]().union(*(user.tokens for user in self._users))
        kept = self._scene.kept()
        if not kept.report.sound:
            self._findings.add(f"the journal: {kept.report.problems[0]}")
        self._findings.missing("signatures", promised_digests, kept.digests)
        self._findings.missing("tokens", promised_tokens, kept.tokens)
        self._findings.missing("registered tokens", promised_tokens, self._scene.registered())
        self._result.journal = kept.report.entries

    def _summed_up(self) -> Result:
        result, users = self._result, self._users
        result.signatures = sum(len(user.digests) for user in users)
        result.tokens = sum(len(user.tokens) for user in users)
        result.ends = dict(sum((user.ends for user in users), Counter()))
        result.refused = dict(sum((user.refused for user in users), Counter()))
        allowed = _ENDS_BY_PCSCD if self._victim is Victim.PCSCD else _ENDS_BY_CARDD
        for reason in sorted(result.ends.keys() - {one.value for one in allowed}):
            self._findings.add(f"{result.ends[reason]} sessions ended by {reason}")
        result.findings = self._findings.told
        return result
