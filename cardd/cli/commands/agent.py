"""`cardctl agent`: asks the user for PINs and consents, for whatever program needs them."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from cardd.cli import wording
from cardd.cli.asking import TerminalAgent
from cardd.cli.i18n import _
from cardd.cli.output import Output
from cardd.cli.pinentry import PinentryAgent, find_pinentry
from cardd.cli.settings import run_connected
from cardd.cli.terminal import controlling_terminal
from cardd.client import Agent, CarddClient
from cardd.errors import N_, CarddError


def agent(
    context: typer.Context,
    terminal: Annotated[bool, typer.Option("--terminal", help=N_("Ask on the terminal, not in a window."))] = False,
) -> None:
    """Ask for PINs and consents until Ctrl-C: in a window by pinentry where there is one, else on the terminal."""

    async def work(client: CarddClient, output: Output) -> None:
        async with AsyncExitStack() as stack:
            asking = _agent(stack, terminal=terminal)
            await client.keep_agent(asking, _Teller(output, type(asking).__name__).tell)

    run_connected(context, work)


class _Teller:
    """Tells whether questions come here now; a restart of the daemon is no news.

    Args:
        output: where to.
        asks_by: what asks, for programs.
    """

    def __init__(self, output: Output, asks_by: str) -> None:
        self._output = output
        self._asks_by = asks_by
        self._told = False

    def tell(self, failure: CarddError | None) -> None:
        """Take what came of a registration."""
        if failure is not None:
            self._output.complain(wording.sentence_of(failure))
            self._output.complain(_("Questions of cardd are asked here once it runs."))
        elif not self._told:
            self._output.document({"agent": self._asks_by})
            self._output.line(_("Questions of cardd are asked here until Ctrl-C."))
        self._told = failure is None


def _agent(stack: AsyncExitStack, *, terminal: bool) -> Agent:
    pinentry: Path | None = None if terminal else find_pinentry(os.environ)
    if pinentry is not None:
        return PinentryAgent(pinentry)
    return TerminalAgent(stack.enter_context(controlling_terminal()), last_try=False)
