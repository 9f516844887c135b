"""What it costs to know who asks and whether they may: the rules, the caller's facts, polkit."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.as_the_daemon import as_the_daemon
from benchmarks.figure import Figure, percentile
from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.callers import Callers
from cardd.access.facts import CallerFacts, gather
from cardd.access.hours import parse_hours
from cardd.access.logins import LogindFiles
from cardd.access.rulebook import Rulebook
from cardd.access.rules import AccessRequest, Effect, Rule, RuleSource
from cardd.bus.peers import credentials_of
from cardd.bus.transport import RemoteMethod, Transport, connect
from cardsim.stage import PrivateBus
from tests.integration.test_polkit import peer
from tests.support.host import CARDD_UID, MEMBER_UID, Host, stage
from tests.support.ward import log_in, shell, start_polkit
from tests.unit.access.support import facts, request

RULES = 1000
DECISIONS = 20_000
LOOK_UPS = 1000
RULES_GOAL = 50.0
"""Microseconds."""
_CHANCE = random.Random(12)  # noqa: S311  # the same rules each time


def rules(count: int = RULES) -> list[Rule]:
    """Rules as a hospital might come to have them: most name one program, a third a family of them by "*"; some look at
    profession, place or hours. None of them fits the programs that are asked about, the last aside."""
    return [*(_rule(number) for number in range(1, count)), Rule(RuleSource("rules.toml", count), Effect.ASK)]


def _rule(number: int) -> Rule:
    conditions: dict[str, Any] = {"actions": frozenset({Action.SIGN}), "keys": frozenset({"signature"})}
    match number % 6:
        case 0:
            conditions["user_units"] = frozenset({f"app-*-org.example.Editor{number}-*.scope"})
        case 1:
            conditions["units"] = frozenset({f"service-{number}.service"})
        case 2:
            conditions["flatpaks"] = frozenset({f"org.example.App{number}"})
        case 3:
            conditions["executables"] = frozenset({f"/opt/vendor{number % 40}/*/bin/tool{number}"})
        case 4:
            conditions |= {"card_types": frozenset({"CPS"}), "professions": frozenset({20 + number % 60})}
        case _:
            conditions["hours"] = parse_hours([f"sun {number % 20:02d}:00-{number % 20 + 1:02d}:30"])
    return Rule(RuleSource("rules.toml", number), _CHANCE.choice(list(Effect)), **conditions)


def starred(count: int = RULES) -> list[Rule]:
    """The worst for a new name: every rule names a family of programs by "*"."""
    names = [f"app-*-org.example.Editor{number}-*.scope" for number in range(1, count + 1)]
    return [
        Rule(RuleSource("rules.toml", number), Effect.ALLOW, user_units=frozenset({name}))
        for number, name in enumerate(names, 1)
    ]


def _program(number: int) -> CallerFacts:
    """A program that no rule names, and that looks like those which rules name."""
    unit = f"app-gnome-org.example.Viewer{number}-{4000 + number}.scope"
    return facts(user_unit=unit, executable=f"/opt/vendor{number % 40}/current/bin/viewer{number}")


def decisions() -> list[Figure]:
    """One decision among a thousand rules: of a program that asked before, and of one that never did."""
    book, families = Rulebook(rules()), Rulebook(starred())
    again = request(facts=_program(0))
    known = _timed(book, [again] * DECISIONS)
    strangers = [request(facts=_program(number)) for number in range(1, DECISIONS + 1)]
    new, worst = _timed(book, strangers), _timed(families, strangers)
    one_by_one = [_microseconds(lambda: book.explain(again)) for _ in range(50)]
    note = f"{DECISIONS} decisions; every rule looked at in turn: {percentile(one_by_one, 0.5):.0f} µs (median)"
    name, every = f"access/rules/{RULES}", 'names never seen before, every rule names programs by "*"'
    return [
        Figure(f"{name}/p50", percentile(known, 0.5), "µs", "goal", RULES_GOAL, note),
        Figure(f"{name}/p99", percentile(known, 0.99), "µs", "goal", RULES_GOAL, note),
        Figure(f"{name}/new-program/p50", percentile(new, 0.5), "µs", "goal", RULES_GOAL, "names never seen before"),
        Figure(f"{name}/new-program/p99", percentile(new, 0.99), "µs", "goal", RULES_GOAL, "names never seen before"),
        Figure(f"{name}/new-program/families/p99", percentile(worst, 0.99), "µs", "goal", RULES_GOAL, every),
    ]


def _timed(book: Rulebook, asked: list[AccessRequest]) -> list[float]:
    book.decide(asked[0])
    with as_the_daemon():
        return [_microseconds(functools.partial(book.decide, one)) for one in asked]


def _microseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begun) / 1000


def look_ups() -> list[Figure]:
    """Who a connection is: gathered at its first call, kept for the later ones. Beside one bare call to the bus."""
    with PrivateBus() as bus:
        first, later, bare = asyncio.run(_look_ups(bus.address))
    note = f"{LOOK_UPS} times; process, control group, login session, and the bus asked a second time"
    floor = percentile(bare, 0.5)
    return [
        Figure("access/caller/first/p50", percentile(first, 0.5), "ms", "one call to the bus", floor, note),
        Figure("access/caller/first/p99", percentile(first, 0.99), "ms", "the same", percentile(bare, 0.99), note),
        Figure("access/caller/later/p99", percentile(later, 0.99), "ms", "one call to the bus", floor, "kept"),
    ]


async def _look_ups(address: str) -> tuple[list[float], list[float], list[float]]:
    daemon, other = await connect(address), await connect(address)
    credentials, logins = functools.partial(credentials_of, daemon), LogindFiles()
    caller = await credentials(other.unique_name)
    if caller is None:
        raise RuntimeError("the bus does not know the connection")

    async def look(one: Caller) -> CallerFacts:
        return await gather(one, credentials, logins)

    def anew() -> Awaitable[object]:
        callers = Callers(look)
        return callers.facts(caller)

    kept = Callers(look)
    await kept.facts(caller)
    first, bare = await _turns(anew, lambda: _ping(daemon))
    later, _ = await _turns(lambda: kept.facts(caller), lambda: _ping(daemon))
    daemon.close()
    other.close()
    return first, later, bare


async def _ping(transport: Transport) -> None:
    await transport.call_bus("GetId", "", (), "s")


async def _turns(
    one: Callable[[], Awaitable[object]], two: Callable[[], Awaitable[object]], count: int = LOOK_UPS
) -> tuple[list[float], list[float]]:
    """Milliseconds of the one and the other, turn by turn."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(count + 20):
        for work, times in zip((one, two), taken, strict=True):
            begun = time.perf_counter_ns()
            await work()
            if turn >= 20:
                times.append((time.perf_counter_ns() - begun) / 1e6)
    return taken


POLKIT = """
import asyncio, json, os, sys
from benchmarks.access import polkit_turns
print(json.dumps(asyncio.run(polkit_turns(sys.argv[1], int(sys.argv[2])))))
"""


async def polkit_turns(name: str, uid: int) -> dict[str, list[float]]:
    """Run inside the little host, as the daemon's user: milliseconds of first and later questions about a connection.

    Args:
        name: of the connection.
        uid: its user.
    """
    from cardd.access.polkit import Details, Polkit  # noqa: PLC0415  # beside the rest of this function
    from cardd.bus.polkit import NAME, PATH, BusAuthority  # noqa: PLC0415  # as above

    transport = await connect()
    polkit = Polkit(BusAuthority(transport), own_uid=os.getuid())
    await polkit.start()
    caller, numbers = Caller(name, uid), iter(range(1_000_000))
    ping = RemoteMethod("org.freedesktop.DBus.Peer", "Ping", "")

    def require(card: int) -> Awaitable[None]:
        details = Details(card=str(card), card_type="CPS", profession="10", key="signature")
        return polkit.require(caller, Action.SIGN, details, owner_uid=uid, interactive=False)

    first, bare = await _turns(lambda: require(next(numbers)), lambda: transport.call(NAME, PATH, ping))
    later, _ = await _turns(lambda: require(0), lambda: transport.call(NAME, PATH, ping))
    transport.close()
    return {"first": first, "later": later, "bare": bare}


def _asked(staged: Path, scratch: Path) -> dict[str, list[float]]:
    """What `polkit_turns` measures inside a little host with a user at the desk."""
    with Host(stage(staged), scratch) as host:
        shell(host, "mkdir -p /run/systemd/sessions /run/systemd/users /run/systemd/seats /run/systemd/machines")
        host.start_bus()
        start_polkit(host)
        log_in(host, "active")
        done = host.run([sys.executable, "-c", POLKIT, peer(host, MEMBER_UID), str(MEMBER_UID)], CARDD_UID)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
    taken: dict[str, list[float]] = json.loads(done.stdout)
    return taken


def polkit() -> Iterator[Figure]:
    """The real polkitd on a system bus of its own; for root, who can make one."""
    if os.geteuid() != 0:
        print("access/polkit: for root alone (namespaces, other users)", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch, tempfile.TemporaryDirectory() as staged:
        taken = _asked(Path(staged), Path(scratch))
    note = f"{LOOK_UPS} questions by system-bus-name, each with other details"
    for share, named in ((0.5, "p50"), (0.99, "p99")):
        yield Figure(
            f"access/polkit/first/{named}",
            percentile(taken["first"], share),
            "ms",
            "one bare call to polkitd",
            percentile(taken["bare"], share),
            note,
        )
    yield Figure(
        "access/polkit/later/p99",
        percentile(taken["later"], 0.99),
        "ms",
        "one bare call to polkitd",
        percentile(taken["bare"], 0.5),
        "kept until polkit says that something changed",
    )


def measure() -> list[Figure]:
    """Every figure of this file."""
    return [*decisions(), *look_ups(), *polkit()]
