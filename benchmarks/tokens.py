"""What a token costs beyond the card's own signature, and how long a redemption takes in a hospital's registry."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.as_the_daemon import as_the_daemon
from benchmarks.driver_time import driver_times
from benchmarks.figure import Figure, percentile
from cardd.journal import Journal, open_directory
from cardd.journal.refusals import Refusals
from cardd.sessions.account import Account
from cardd.sessions.session import Session
from cardd.sessions.token_settings import MintOrder, TokenSettings
from cardd.sessions.tokens import Tokens
from cardd.tokens.challenges import Challenges
from cardd.tokens.jose import token_hash
from cardd.tokens.mint import MintedToken
from cardd.tokens.redeem import Redeemer
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from tests.support.core import HOLDER, card_of, running_core
from tests.unit.tokens.support import CALLER, DAEMON, NOW, Clock, Device, authenticated, minter, verifier

MINTINGS = 200
REDEMPTIONS = 1000
WARM_UP = 20
SIZES = (10_000, int(os.environ.get("BENCH_TOKENS", "1000000")))
"""Rows of the registry; the greater one may be cut for a quick run."""
_GOAL = 5.0


def minting() -> Iterator[Figure]:
    """From the session's call to the token: claims, the card's signature and its check, the registry, the journal."""
    card, whole = asyncio.run(_minting())
    overhead = [all_of_it - own for all_of_it, own in zip(whole, card, strict=True)]
    note = f"{MINTINGS} tokens; registry and journal on the disk; the card is the simulator's"
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        own = percentile(card, share)
        yield Figure(
            f"token/mint/overhead/{name}", percentile(overhead, share), "ms", "the card's signature", own, note
        )


async def _minting() -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY")) as name, driver_times() as card:
        folder = Path(name)
        journal = Journal(open_directory(folder / "journal"))
        await journal.start()
        account = Account(journal, Refusals(journal))
        async with running_core(account=account) as core:
            session = await core.authenticated(card_of())
            tokens = Tokens(
                TokenSettings(folder / "tokens.sqlite", folder / "key.pem"),
                core.sessions._environment,  # noqa: SLF001  # as the daemon's own parts share one
                core.sessions,
                account,
            )
            order = MintOrder(Device().public.spki)
            await _mint(tokens, session, order, WARM_UP)
            card.clear()
            whole = await _mint(tokens, session, order, MINTINGS)
            own = [one * 1000 for one in card]
            await tokens.close()
        await journal.close()
    return own, whole


async def _mint(tokens: Tokens, session: Session, order: MintOrder, count: int) -> list[float]:
    taken: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        await tokens.mint(session, HOLDER, order)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def redemption() -> Iterator[Figure]:
    """From token and proof to the holder, in a registry of a million; the device's own work is not counted."""
    small, large = (asyncio.run(_redemptions(size)) for size in SIZES)
    rows = "1M" if SIZES[1] == 1_000_000 else str(SIZES[1])
    note = (
        f"{REDEMPTIONS} tokens of {SIZES[1]} rows, each once, in any order; without the device's signature; with "
        f"{SIZES[0]} rows {percentile(small, 0.99):.2f}"
    )
    yield Figure(f"token/redeem/{rows}/p50", statistics.median(large), "ms", "goal at p99", _GOAL, note)
    yield Figure(f"token/redeem/{rows}/p99", percentile(large, 0.99), "ms", "goal", _GOAL, note)


async def _redemptions(size: int) -> list[float]:
    clock, device, challenges = Clock(), Device(), Challenges(time.monotonic)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY")) as name:
        path = Path(name) / "tokens.sqlite"
        registry = await SqliteTokenRegistry.open(path, clock=clock)
        try:
            maker = minter(registry, clock)
            holder = authenticated()
            minted = [await maker.mint(holder, device.request()) for _ in range(REDEMPTIONS + WARM_UP)]
            _fill(path, size)
            redeemer = Redeemer(
                daemon=DAEMON,
                audiences=frozenset({DAEMON}),
                verifier=verifier(clock),
                registry=registry,
                challenges=challenges,
                clock=clock,
            )
            secrets.SystemRandom().shuffle(minted)
            return [await _redeem(redeemer, challenges, device, one) for one in minted][WARM_UP:]
        finally:
            await registry.close()


async def _redeem(redeemer: Redeemer, challenges: Challenges, device: Device, minted: MintedToken) -> float:
    proof = device.proof(challenges.give(CALLER), token_hash(minted.token))
    begun = time.perf_counter()
    redemption = await redeemer.redeem(minted.token, proof, CALLER)
    taken = (time.perf_counter() - begun) * 1000
    redemption.close()
    return taken


def _fill(path: Path, size: int) -> None:
    """Rows of other holders, each like one that was minted, under an id and a hash of its own."""
    with sqlite3.connect(path) as rows:
        names = [name for _, name, *_ in rows.execute("PRAGMA table_info(tokens)") if name != "sequence"]
        template = dict(zip(names, rows.execute(f"SELECT {', '.join(names)} FROM tokens").fetchone(), strict=True))  # noqa: S608  # of the table
        (present,) = rows.execute("SELECT count(*) FROM tokens").fetchone()
        ends = int((NOW + timedelta(hours=8)).timestamp())

        def others() -> Iterator[dict[str, object]]:
            for _ in range(size - present):
                own = {"token_id": secrets.token_urlsafe(16), "token_hash": secrets.token_bytes(32)}
                yield {**template, **own, "expires_at": ends}

        values = ", ".join(f":{name}" for name in names)
        rows.executemany(f"INSERT INTO tokens ({', '.join(names)}) VALUES ({values})", others())  # noqa: S608  # as above
    rows.close()


def measure() -> Iterator[Figure]:
    """Every figure of this file."""
    with as_the_daemon():
        yield from minting()
        yield from redemption()
