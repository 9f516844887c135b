"""Which card and which session a command means."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from cardd.cli.failures import NoCard, NoReader, NoSession, SeveralCards
from cardd.client import Card, CarddClient, CardState, Session, events
from cardd.errors import CardRemoved

TOKEN_LEVEL = "token"  # noqa: S105 - a word
"""Word of Session.Level for what no PIN opened: every other level has keys."""

_READING_PATIENCE = 30.0
"""Seconds for a card to be identified: the slowest real ones need a few."""

_T = TypeVar("_T")


async def choose_card(client: CarddClient, wanted: str | None, *, wait: bool = False) -> Card:
    """Find the card that a command means, which is to take a PIN, and let it be identified.

    A patient's card and one that is held to a contactless reader are meant only by name, or where there is no other.

    Args:
        client: connected.
        wanted: object path of the card, or its last part; None where there is but one.
        wait: for a card, where there is none.

    Raises:
        NoReader, NoCard, SeveralCards: there is not exactly one.
        CarddError: the card cannot be used, as the daemon says.
    """
    _, readers, cards, _ = await client.overview()
    if wanted is not None:
        cards = [card for card in cards if _is(card.path, wanted)]
    if not cards and wait:
        return await client.wait_for_card()
    if not cards:
        raise NoReader if not readers and wanted is None else NoCard
    if len(cards) > 1:
        cards = [card for card in cards if _may_take_pin(card)] or cards
    if len(cards) > 1:
        raise SeveralCards(choices=", ".join(card.path.rpartition("/")[2] for card in cards))
    (card,) = cards
    if card.state == CardState.PRESENT:
        card = await _read(client, card)
    if not card.identified:
        await card.get_holder()  # raises what is wrong with it, with its details
    return card


async def choose_session(client: CarddClient, wanted: str | None) -> Session:
    """Find the card's session that a command means.

    Args:
        client: connected.
        wanted: object path of its card, or the last part; None where there is but one session.

    Raises:
        NoSession, SeveralCards: there is not exactly one.
    """
    on_cards = [one for one in await client.sessions() if one.level != TOKEN_LEVEL]
    sessions = [one for one in on_cards if wanted is None or _is(one.card, wanted)]
    if not sessions:
        raise NoSession
    if len(sessions) > 1:
        raise SeveralCards(choices=", ".join(one.card.rpartition("/")[2] for one in sessions))
    return sessions[0]


async def named_session(client: CarddClient, wanted: str) -> Session:
    """Find a session, whatever it rests on, by its object path or the last part of it.

    Raises:
        NoSession: it is not there.
    """
    for session in await client.sessions():
        if _is(session.path, wanted):
            return session
    raise NoSession


async def while_inserted(client: CarddClient, card: Card, asking: Coroutine[Any, Any, _T]) -> _T:
    """Ask the user something about a card, but only as long as it is in.

    Raises:
        CardRemoved: it was taken out before the answer.
    """
    question = asyncio.ensure_future(asking)
    removal = asyncio.ensure_future(_removal(client, card))
    try:
        await asyncio.wait((question, removal), return_when=asyncio.FIRST_COMPLETED)
        if question.done():
            return question.result()
        removal.result()  # the bus may have been lost instead
        raise CardRemoved
    finally:
        for task in (question, removal):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _removal(client: CarddClient, card: Card) -> None:
    async with aclosing(client.watch()) as happening:
        async for event in happening:
            match event:
                case events.ServiceStarted():
                    # From here on nothing is missed; what went before is seen by looking.
                    if card.path not in [one.path for one in await client.cards()]:
                        return
                case events.CardRemoved(found) if found.path == card.path:
                    return
                case events.ServiceStopped():
                    return


async def _read(client: CarddClient, card: Card) -> Card:
    def is_read(found: Card) -> bool:
        return found.path == card.path and found.state != CardState.PRESENT

    with suppress(TimeoutError):
        async with asyncio.timeout(_READING_PATIENCE):
            return await client.wait_for_card(is_read)
    return card


def _may_take_pin(card: Card) -> bool:
    return card.state != CardState.FOREIGN and card.capabilities.possession is None


def _is(path: str, wanted: str) -> bool:
    return wanted in (path, path.rpartition("/")[2])
