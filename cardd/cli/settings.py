"""The global options, and how a command is run with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import typer

from cardd.cli.output import Output
from cardd.client import CarddClient


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said before the command: the bus (None: the system bus) and whether JSON is wanted."""

    bus: str | None
    as_json: bool

    @property
    def output(self) -> Output:
        """Where the command writes."""
        return Output(as_json=self.as_json)


Work = Callable[[CarddClient, Output], Awaitable[None]]
"""What a command does once it is connected."""


def settings_of(context: typer.Context) -> Settings:
    """Return the global options of this run."""
    found = context.find_object(Settings)
    return found if found is not None else Settings(bus=None, as_json=False)


def run_connected(context: typer.Context, work: Work) -> None:
    """Connect, work, disconnect.

    Raises:
        CarddError: to be told by `cardd.cli.main`.
    """
    settings = settings_of(context)

    async def connected() -> None:
        async with await CarddClient.connect(settings.bus) as client:
            await work(client, settings.output)

    asyncio.run(connected())
