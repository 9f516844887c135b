"""`cardctl agent`: asks the user for PINs and consents, for whatever program needs them."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Annotated

import typer

from cardd.cli.asking import TerminalAgent
from cardd.cli.i18n import _
from cardd.cli.output import Output
from cardd.cli.pinentry import PinentryAgent, find_pinentry
from cardd.cli.settings import run_connected
from cardd.cli.terminal import controlling_terminal
from cardd.client import Agent, CarddClient
from cardd.client.events import ServiceStarted
from cardd.errors import N_


def agent(
    context: typer.Context,
    terminal: Annotated[bool, typer.Option("--terminal", help=N_("Ask on the terminal, not in a window."))] = False,
) -> None:
    """Ask for PINs and consents until Ctrl-C: in a window by pinentry where there is one, else on the terminal."""

    async def work(client: CarddClient, output: Output) -> None:
        async with AsyncExitStack() as stack:
            asking = _agent(stack, terminal=terminal)
            await client.register_agent(asking)
            output.document({"agent": type(asking).__name__})
            output.line(_("Questions of cardd are asked here until Ctrl-C."))
            happening = await stack.enter_async_context(aclosing(client.watch()))
            first = True
            async for event in happening:
                # A daemon that starts again has forgotten its agents; the first one is the one that runs.
                if isinstance(event, ServiceStarted) and not first:
                    await client.register_agent(asking)
                first = first and not isinstance(event, ServiceStarted)

    run_connected(context, work)


def _agent(stack: AsyncExitStack, *, terminal: bool) -> Agent:
    pinentry: Path | None = None if terminal else find_pinentry(os.environ)
    if pinentry is not None:
        return PinentryAgent(pinentry)
    return TerminalAgent(stack.enter_context(controlling_terminal()), last_try=False)
