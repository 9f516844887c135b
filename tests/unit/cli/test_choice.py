"""A question about a card is moot once the card has left, whenever that is noticed."""

from __future__ import annotations

import asyncio

import pytest

from cardd.cli.choice import while_inserted
from cardd.client import CarddClient
from cardd.errors import CardRemoved
from tests.unit.client.fake import FakeDaemon


async def _never() -> None:
    await asyncio.Event().wait()


async def test_the_card_leaves_while_the_question_is_open(daemon: FakeDaemon) -> None:
    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
        asking = asyncio.create_task(while_inserted(client, card, _never()))
        # Of the three lists, the last is asked for once the watching has begun: what follows is heard.
        while daemon.calls.count("GetManagedObjects") < 3:
            await asyncio.sleep(0)
        await client.cards()
        daemon.withdraw()
        with pytest.raises(CardRemoved):
            await asking


async def test_the_card_left_before_the_question(daemon: FakeDaemon) -> None:
    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
        daemon.withdraw()
        with pytest.raises(CardRemoved):
            await while_inserted(client, card, _never())


async def test_the_daemon_stops_while_the_question_is_open(bus: object, daemon: FakeDaemon) -> None:
    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
        asking = asyncio.create_task(while_inserted(client, card, _never()))
        while daemon.calls.count("GetManagedObjects") < 3:
            await asyncio.sleep(0)
        await client.cards()
        daemon.release_name()
        with pytest.raises(CardRemoved):
            await asking


async def test_the_answer_is_returned_and_a_failure_raised(daemon: FakeDaemon) -> None:
    async def answer() -> int:
        return 7

    async def fail() -> None:
        raise CardRemoved

    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
        assert await while_inserted(client, card, answer()) == 7
        with pytest.raises(CardRemoved):
            await while_inserted(client, card, fail())
