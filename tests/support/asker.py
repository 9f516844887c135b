"""Who asks for the PIN of a card that wants it anew, for tests without a bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cardd.errors import NoAgent
from cardd.sessions.pin import PinQuestion, PinSource
from cardd.sessions.secret import Secret


class Asker:
    """Asks whom a test says; keeps whose login session was asked in."""

    def __init__(self, source: PinSource | None) -> None:
        self.source = source
        self.asked: list[tuple[int, str | None]] = []

    async def ask_in(self, uid: int, login_session: str | None, question: PinQuestion) -> Secret:
        """See `cardd.sessions.pin_again.PinAsker`."""
        self.asked.append((uid, login_session))
        if self.source is None:
            raise NoAgent
        return await self.source.answer(question)

    @asynccontextmanager
    async def told_on_reader(self, uid: int, login_session: str | None, question: PinQuestion) -> AsyncIterator[None]:
        """See `cardd.sessions.pin_again.PinAsker`."""
        del question
        self.asked.append((uid, login_session))
        yield
