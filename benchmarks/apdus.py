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


async def _figures() -> AsyncIterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder)
        for known in ("unknown", "known"):
            async with _core(memory) as core:
                presence = await core.insert(card_of())
                traffic = presence.card.traffic
                yield _count(traffic).figure(f"apdus/{known}/identified", "goal of authenticated", _GOALS[known])
                await core.authenticate(presence)
                yield _count(traffic).figure(f"apdus/{known}/authenticated", "goal", _GOALS[known])
        async with _core(memory) as core:
            session = await core.authenticated(card_of())
            (presence,) = core.sessions.presences
            await session.sign(HOLDER, "signature", "RS256", hashlib.sha256(b"first").digest())
            yield _count(presence.card.traffic).figure("apdus/known/shortest-run", "goal", 10)
            before = _count(presence.card.traffic)
            await session.sign(HOLDER, "signature", "RS256", hashlib.sha256(b"next").digest())
            yield (_count(presence.card.traffic) - before).figure("apdus/sign/next", "goal", 3)
            key = presence.certificate.public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise TypeError("the card's key is RSA")
            before = _count(presence.card.traffic)
            await session.decrypt(HOLDER, "encryption", "RSA1_5", key.encrypt(b"secret", padding.PKCS1v15()))
            yield (_count(presence.card.traffic) - before).figure("apdus/decrypt/next", "goal", 4)


_GOALS = {"unknown": 25, "known": 7}


@asynccontextmanager
async def _core(memory: Path) -> AsyncIterator[Core]:
    async with running_core(hold=HoldMode.INSERTION, memory=memory) as core:
        yield core


def measure() -> list[Figure]:
    """Every figure of this file, on the real layout with hold = "insertion"."""

    async def collect() -> list[Figure]:
        return [figure async for figure in _figures()]

    return asyncio.run(collect())
