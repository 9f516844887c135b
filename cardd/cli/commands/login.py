"""`cardctl login` and `cardctl logout`: the session opened and ended."""

from __future__ import annotations

from typing import Annotated

import typer

from cardd.cli import wording
from cardd.cli.asking import authenticate_on, authenticate_on_reader, refuse_last_try
from cardd.cli.choice import choose_card, choose_session, named_session, while_inserted
from cardd.cli.i18n import _
from cardd.cli.options import CardOption, LastTryOption, PinFdOption
from cardd.cli.output import Output
from cardd.cli.settings import run_connected
from cardd.cli.terminal import controlling_terminal, read_line
from cardd.client import Card, CarddClient, Session
from cardd.errors import N_


def login(
    context: typer.Context,
    card: CardOption = None,
    pin_fd: PinFdOption = None,
    last_try: LastTryOption = False,  # typer's way to declare a flag
    wait: Annotated[bool, typer.Option("--wait", help=N_("Wait for a card to be inserted."))] = False,
) -> None:
    """Verify the PIN and open a session, which lasts as long as the card is in."""

    async def work(client: CarddClient, output: Output) -> None:
        chosen = await choose_card(client, card, wait=wait)
        holder = await chosen.get_holder()
        already = chosen.session is not None
        if already:
            session = await chosen.authenticate(interactive=False)
        elif pin_fd is not None:
            session = await _with_descriptor(chosen, pin_fd, last_try=last_try)
        else:
            session = await _on_terminal(client, chosen, wording.holder(holder), last_try=last_try)
        output.document({"session": session, "holder": holder, "already_open": already})
        said = _("The session of {holder} was open already.") if already else _("Session opened for {holder}.")
        output.line(said.format(holder=wording.holder(holder)))
        output.line(_("It ends when the card is taken out, or with `cardctl logout`."))
        output.line(_("Each use of the card is written down: `cardctl journal query` shows you your entries."))

    run_connected(context, work)


def logout(
    context: typer.Context,
    card: CardOption = None,
    session_name: Annotated[
        str | None,
        typer.Option("--session", metavar="SESSION", help=N_("Which session, as `cardctl status` numbers it.")),
    ] = None,
) -> None:
    """End the session; the card wants its PIN again, a token stays good."""

    async def work(client: CarddClient, output: Output) -> None:
        if session_name is None:
            session = await choose_session(client, card)
        else:
            session = await named_session(client, session_name)
        await session.end()
        output.document({"session": session, "reason": session.ended or "ended-by-user"})
        output.line(_("Session ended."))

    run_connected(context, work)


async def _with_descriptor(card: Card, pin_fd: int, *, last_try: bool) -> Session:
    refuse_last_try(card.pin_tries_left, allowed=last_try)
    return await card.authenticate(pin=read_line(pin_fd), last_try=last_try)


async def _on_terminal(client: CarddClient, card: Card, holder: str, *, last_try: bool) -> Session:
    with controlling_terminal() as terminal:
        terminal.tell(_("Card of {holder}").format(holder=holder))
        pads = [reader.name for reader in await client.readers() if reader.path == card.reader and reader.pin_pad]
        if pads:
            asking = authenticate_on_reader(terminal, card, pads[0], last_try=last_try)
        else:
            asking = authenticate_on(terminal, card, last_try=last_try)
        return await while_inserted(client, card, asking)
