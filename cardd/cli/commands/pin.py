"""`cardctl pin change` and `cardctl pin unblock`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from cardd.cli.asking import TerminalAgent, agree_to_last_try, refuse_last_try
from cardd.cli.choice import choose_card
from cardd.cli.i18n import _
from cardd.cli.options import CardOption, LastTryOption, PinFdOption, WithoutPinPadOption
from cardd.cli.output import Output
from cardd.cli.settings import run_connected
from cardd.cli.terminal import controlling_terminal, read_line
from cardd.client import Agent, CarddClient, PinPurpose
from cardd.errors import LastPukTry, LastTry

_Operation = Callable[[Agent, bool], Awaitable[None]]
"""Changes or unblocks, with an agent that asks, and with leave to spend the last try or not."""


def change(
    context: typer.Context,
    card: CardOption = None,
    pin_fd: PinFdOption = None,
    last_try: LastTryOption = False,  # typer's way to declare a flag
    without_pin_pad: WithoutPinPadOption = False,
) -> None:
    """Change the PIN. By --pin-fd: a line with the present PIN, then one with the new PIN."""

    async def work(client: CarddClient, output: Output) -> None:
        chosen = await choose_card(client, card)
        if pin_fd is not None:
            refuse_last_try(chosen.pin_tries_left, allowed=last_try)
            current, new = read_line(pin_fd), read_line(pin_fd)
            await chosen.change_pin(current=current, new=new, last_try=last_try)
        else:

            async def operate(agent: Agent, agreed: bool) -> None:
                await chosen.change_pin(agent=agent, last_try=agreed, without_pin_pad=without_pin_pad)

            await _on_terminal(operate, PinPurpose.CHANGE_CURRENT, last_try=last_try)
        output.document({"card": chosen.path, "pin": "changed"})
        output.line(_("The PIN was changed."))

    run_connected(context, work)


def unblock(
    context: typer.Context,
    card: CardOption = None,
    pin_fd: PinFdOption = None,
    last_try: LastTryOption = False,  # typer's way to declare a flag
    without_pin_pad: WithoutPinPadOption = False,
) -> None:
    """Unblock the PIN with the unblocking code (PUK). By --pin-fd: a line with the code, then one with the new PIN."""

    async def work(client: CarddClient, output: Output) -> None:
        chosen = await choose_card(client, card)
        if pin_fd is not None:
            puk, new = read_line(pin_fd), read_line(pin_fd)
            await chosen.unblock_pin(puk=puk, new=new, last_try=last_try)
        else:

            async def operate(agent: Agent, agreed: bool) -> None:
                await chosen.unblock_pin(agent=agent, last_try=agreed, without_pin_pad=without_pin_pad)

            await _on_terminal(operate, PinPurpose.UNBLOCK_PUK, last_try=last_try)
        output.document({"card": chosen.path, "pin": "unblocked"})
        output.line(_("The PIN was unblocked and set anew."))

    run_connected(context, work)


async def _on_terminal(operate: _Operation, purpose: PinPurpose, *, last_try: bool) -> None:
    with controlling_terminal() as terminal:
        agent = TerminalAgent(terminal, last_try=last_try)
        try:
            await operate(agent, last_try)
        except (LastTry, LastPukTry):  # the reader's PIN pad cannot ask
            await agree_to_last_try(terminal, 1, purpose)
            await operate(agent, True)
