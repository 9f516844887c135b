"""An application that uses the card without end, and remembers what it was promised."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scripts.soak_kills.findings import Findings

from cardd.client import CarddClient, Session
from cardd.errors import CarddError, Internal

HANG_SECONDS = 60.0
"""What is not answered by then hangs: far more than the slowest machine takes."""
PAUSE_SECONDS = 0.02
SIGNATURES_A_TOKEN = 5
PIN = b"1234"

T = TypeVar("T")


class User:
    """Opens a session, signs and mints tokens until it ends, and begins anew.

    Args:
        name: makes its digests its own.
        bus: address.
        findings: where a hang and an answer that must not be are told.
    """

    def __init__(self, name: str, bus: str, findings: Findings) -> None:
        self.digests: set[str] = set()
        """Of the signatures that were handed out (hexadecimal)."""
        self.tokens: set[str] = set()
        """Ids of the tokens that were handed out."""
        self.ends: Counter[str] = Counter()
        """Why its sessions ended."""
        self.refused: Counter[str] = Counter()
        """What else it was told."""
        self.session: Session | None = None
        self._name = name
        self._bus = bus
        self._findings = findings
        self._number = 0
        self._served = asyncio.Event()
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        self._device = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    async def run(self) -> None:
        """Use the card until cancelled."""
        async with await CarddClient.connect(self._bus) as client:
            while True:
                with self._noted():
                    await self._use(client)
                await asyncio.sleep(PAUSE_SECONDS)

    async def served_anew(self) -> None:
        """Wait until it gets a signature that it asks for from now on."""
        self._served.clear()
        async with asyncio.timeout(HANG_SECONDS):
            await self._served.wait()

    async def _use(self, client: CarddClient) -> None:
        cards = [card for card in await self._answered(client.cards(), "cards") if card.identified]
        if not cards:
            return
        self.session = session = await self._answered(cards[0].authenticate(pin=bytearray(PIN)), "authenticate")
        over = False
        while not over:
            with self._noted() as noted:
                await self._work(session)
            over = session.ended is not None or "SessionEnded" in noted
            await asyncio.sleep(PAUSE_SECONDS)
        # Whoever was refused by the end of the session is told of the end as well.
        self.ends[str(await self._answered(session.wait_ended(), "the end of the session"))] += 1
        self.session = None

    @contextmanager
    def _noted(self) -> Iterator[list[str]]:
        """Note what is refused inside; gives its name, once it is known."""
        names: list[str] = []
        try:
            yield names
        except CarddError as error:
            names.append(error.short_name)
            self.refused[error.short_name] += 1
            if isinstance(error, Internal):
                self._findings.add(f"{self._name}: {error.message}")

    async def _work(self, session: Session) -> None:
        self._number += 1
        digest = hashlib.sha256(f"{self._name} {self._number}".encode())
        await self._answered(session.sign("signature", "RS256", digest.digest()), "sign")
        self.digests.add(digest.hexdigest())
        self._served.set()
        if self._number % SIGNATURES_A_TOKEN == 0:
            minted = await self._answered(session.mint_token(self._device), "mint")
            self.tokens.add(minted.token_id)

    async def _answered(self, call: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(HANG_SECONDS):
                return await call
        except TimeoutError:
            self._findings.add(f"{self._name}: {what} hangs")
            raise
