"""`cardctl version`."""

from __future__ import annotations

import asyncio

import typer

from cardd import __version__
from cardd.cli.i18n import _
from cardd.cli.output import Output
from cardd.cli.settings import settings_of
from cardd.client import CarddClient
from cardd.errors import CarddError


def version(context: typer.Context) -> None:
    """Show the versions of cardctl and of the running daemon, without starting one."""
    settings = settings_of(context)
    daemon = asyncio.run(_daemon_version(settings.bus))
    output: Output = settings.output
    output.document({"cardctl": __version__, "cardd": daemon})
    output.line(f"cardctl {__version__}")
    output.line(f"cardd {daemon}" if daemon is not None else _("cardd is not running, or not for this user."))


async def _daemon_version(bus: str | None) -> str | None:
    try:
        async with await CarddClient.connect(bus) as client:
            return (await client.service()).version if client.daemon_runs else None
    except CarddError:
        return None  # the version of cardctl is shown all the same
