"""How many commands, and bytes, stand between a card and what is wanted of it."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.figure import Figure
from cardd.cards.channel import Traffic
from cardd.cards.connection import HoldMode
from tests.support.core import HOLDER, Core, card_of, running_core


@dataclass(frozen=True, slots=True)
class Count:
    """Commands, and bytes each way."""

    commands: int
    sent: int
    received: int

    def __sub__(self, other: Count) -> Count:
        return Count(self.commands - other.commands, self.sent - other.sent, self.received - other.received)

    def figure(self, name: str, reference: str, reference_value: float) -> Figure:
        """The count as a figure."""
        note = f"{self.sent} bytes sent, {self.received} received"
        return Figure(name, self.commands, "commands", reference, reference_value, note)


def _count(traffic: Traffic) -> Count:
    return Count(traffic.commands, traffic.sent, traffic.received)


@dataclass(frozen=True, slots=True)
class Series:
    """The counts on one card.

    Args:
        prefix: of the figures' names.
        profile: the simulated card.
        reference: what the reference values are.
        unknown, known, shortest_run, sign, decrypt: reference values.
    """

    prefix: str
    profile: str
    reference: str
    unknown: int
    known: int
    shortest_run: int
    sign: int
    decrypt: int


CPS3 = Series("apdus", "physician", "goal", unknown=25, known=7, shortest_run=10, sign=3, decrypt=4)
# Recorded with certificates of 4 reads: 28 to enumerate an unknown card, 5 for one certificate, 2 to log in, 5 to sign;
# 15 for all that on a known card, without a challenge before.
CPS4 = Series(
    "apdus/cps4", "physician-cps4", "Cryptolib CPS 5.2.2", unknown=40, known=15, shortest_run=15, sign=4, decrypt=5
)


async def _figures(series: Series) -> AsyncIterator[Figure]:
    prefix, reference = series.prefix, series.reference
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder)
        for known, authenticated in (("unknown", series.unknown), ("known", series.known)):
            async with _core(memory) as core:
                presence = await core.insert(card_of(series.profile))
                traffic = presence.card.traffic
                name = f"{prefix}/{known}/identified"
                yield _count(traffic).figure(name, f"{reference} of authenticated", authenticated)
                await core.authenticate(presence)
                yield _count(traffic).figure(f"{prefix}/{known}/authenticated", reference, authenticated)
        async with _core(memory) as core:
            session = await core.authenticated(card_of(series.profile))
            (presence,) = core.sessions.presences
            await session.sign(HOLDER, "signature", "RS256", hashlib.sha256(b"first").digest())
            yield _count(presence.card.traffic).figure(f"{prefix}/known/shortest-run", reference, series.shortest_run)
            before = _count(presence.card.traffic)
            await session.sign(HOLDER, "signature", "RS256", hashlib.sha256(b"next").digest())
            yield (_count(presence.card.traffic) - before).figure(f"{prefix}/sign/next", reference, series.sign)
            key = presence.certificate.public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise TypeError("the card's key is RSA")
            before = _count(presence.card.traffic)
            await session.decrypt(HOLDER, "encryption", "RSA1_5", key.encrypt(b"secret", padding.PKCS1v15()))
            yield (_count(presence.card.traffic) - before).figure(f"{prefix}/decrypt/next", reference, series.decrypt)


@asynccontextmanager
async def _core(memory: Path) -> AsyncIterator[Core]:
    async with running_core(hold=HoldMode.INSERTION, memory=memory) as core:
        yield core


def measure() -> list[Figure]:
    """Every figure of this file, with hold = "insertion": on the CPS3's real layout, and on a CPS4."""

    async def collect() -> list[Figure]:
        return [figure for series in (CPS3, CPS4) async for figure in _figures(series)]

    return asyncio.run(collect())
