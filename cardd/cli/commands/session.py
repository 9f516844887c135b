"""`cardctl session`: the work situations of the open session's holder."""

from __future__ import annotations

from typing import Annotated

import typer

from cardd.cli.choice import choose_session, named_session
from cardd.cli.i18n import _
from cardd.cli.options import CardOption
from cardd.cli.output import Output, Section
from cardd.cli.settings import run_connected
from cardd.cli.wording import clean
from cardd.client import Activity, CarddClient, Session
from cardd.errors import N_, InvalidArgument

SessionOption = Annotated[
    str | None,
    typer.Option("--session", metavar="SESSION", help=N_("Which session, as `cardctl status` numbers it.")),
]


def activities(context: typer.Context, card: CardOption = None, session: SessionOption = None) -> None:
    """Show the work situations that the card tells."""

    async def work(client: CarddClient, output: Output) -> None:
        found = await (await _session(client, card, session)).get_activities()
        output.document({"activities": found})
        if not found:
            output.line(_("The card tells no work situation."))
        output.sections(_section(each) for each in found)

    run_connected(context, work)


def select(
    context: typer.Context,
    activity_id: Annotated[
        str | None, typer.Argument(metavar="ID", help=N_("As `cardctl session activities` numbers it."))
    ] = None,
    none: Annotated[bool, typer.Option("--none", help=N_("Choose none of them."))] = False,
    card: CardOption = None,
    session: SessionOption = None,
) -> None:
    """Choose the work situation in which the session's work is done from now on."""
    if (activity_id is None) != none:
        raise InvalidArgument(argument="ID", reason=_("give the number of one, or --none"))

    async def work(client: CarddClient, output: Output) -> None:
        chosen = await _session(client, card, session)
        await chosen.select_activity(activity_id or "")
        output.document({"session": chosen, "activity": activity_id})
        if activity_id is None:
            output.line(_("No work situation is chosen."))
        else:
            output.line(_("Chosen: {activity}").format(activity=await _name(chosen, activity_id)))

    run_connected(context, work)


async def _session(client: CarddClient, card: str | None, session: str | None) -> Session:
    return await (choose_session(client, card) if session is None else named_session(client, session))


async def _name(session: Session, activity_id: str) -> str:
    for each in await session.get_activities():
        if each.activity_id == activity_id:
            return clean(_heading(each))
    return activity_id


def _heading(activity: Activity) -> str:
    return f"{activity.activity_id}: {activity.structure_name or activity.structure_id or _('unnamed')}"


def _section(activity: Activity) -> Section:
    sector = " — ".join(part for part in (activity.sector, activity.sector_label) if part)
    rows = [
        (_("Structure"), activity.structure_id or ""),
        (_("Sector"), sector),
        (_("Chosen"), _("yes") if activity.selected else ""),
        (_("Odd"), ", ".join(activity.warnings)),
    ]
    return Section(_heading(activity), tuple(row for row in rows if row[1]))
