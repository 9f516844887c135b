"""`cardctl rules` and `cardctl whoami`: who may do what, and why."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Annotated

import typer

from cardd.cli.commands.trust import configuration
from cardd.cli.failures import FileUnusable
from cardd.cli.i18n import _
from cardd.cli.options import ConfigOption
from cardd.cli.output import Output, Section
from cardd.cli.settings import run_connected, settings_of
from cardd.client import CarddClient
from cardd.client.access import Explanation, Step
from cardd.errors import N_, InvalidArgument


def whoami(context: typer.Context) -> None:
    """Show what cardd sees of this program, as rules name it."""

    async def work(client: CarddClient, output: Output) -> None:
        found = await client.access.who_am_i()
        output.document({"caller": found})
        output.sections([Section(_("cardd sees"), tuple((name, str(value)) for name, value in sorted(found.items())))])

    run_connected(context, work)


def check(
    context: typer.Context,
    action: Annotated[str, typer.Argument(metavar="ACTION", help=N_("sign, decrypt, assert, authenticate…"))],
    key: Annotated[str | None, typer.Option("--key", help=N_("Key of the card."))] = None,
    algorithm: Annotated[str | None, typer.Option("--alg", metavar="ALG", help=N_("Algorithm."))] = None,
    kind: Annotated[str | None, typer.Option("--kind", help=N_("Kind of the document."))] = None,
    card_type: Annotated[str | None, typer.Option("--card-type", help=N_("CPS, CPF, CPE or CPA."))] = None,
    profession: Annotated[int | None, typer.Option("--profession", min=0, help=N_("Code of the profession."))] = None,
    unit: Annotated[str | None, typer.Option("--unit", help=N_("As this system unit."))] = None,
    user_unit: Annotated[str | None, typer.Option("--user-unit", help=N_("As this unit of the user."))] = None,
    flatpak: Annotated[str | None, typer.Option("--flatpak", help=N_("As this Flatpak application."))] = None,
    snap: Annotated[str | None, typer.Option("--snap", help=N_("As this Snap."))] = None,
    executable: Annotated[str | None, typer.Option("--executable", help=N_("As this program."))] = None,
    container: Annotated[
        str | None, typer.Option("--container", help=N_("As a program in such a container: docker, podman, lxc…"))
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help=N_("As this user: name or number."))] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session", help=N_("own-active: in front of this machine; own: remote or switched away; other.")
        ),
    ] = None,
    seat: Annotated[str | None, typer.Option("--seat", help=N_("At this seat."))] = None,
    when: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help=N_("At this local time: 2026-03-02T12:00."))
    ] = None,
) -> None:
    """Tell which rule decides about this program or another one, and why the others do not."""
    uid = None if user is None else _uid(user)

    async def work(client: CarddClient, output: Output) -> None:
        found = await client.access.explain(
            action,
            key=key,
            algorithm=algorithm,
            document_kind=kind,
            card_type=card_type,
            profession=profession,
            unit=unit,
            user_unit=user_unit,
            flatpak=flatpak,
            snap=snap,
            executable=executable,
            container=container,
            uid=uid,
            session=session,
            seat=seat,
            when=when,
        )
        output.document({"access": found})
        output.sections([_decision(found), *(_told(step) for step in found.steps)])
        output.line(_("polkit must agree as well."))

    run_connected(context, work)


def show(context: typer.Context, config: ConfigOption = None) -> None:
    """Show the files of rules, as they are now; `systemctl reload cardd` puts a change in force."""
    output = settings_of(context).output
    files = configuration(config).access.rules
    texts = {str(file): _text(file) for file in files}
    output.document({"files": texts})
    for name, text in texts.items():
        output.line(f"# {name}", style="dim")
        output.line(text.rstrip("\n"))


def _uid(user: str) -> int:
    """The number of a user.

    Raises:
        InvalidArgument: this machine knows no such user.
    """
    if user.isascii() and user.isdigit() and int(user) < 1 << 32:
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):  # ValueError: a NUL in it
        raise InvalidArgument(argument="--user", reason=_("this machine knows no such user")) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileUnusable(file=str(file), reason=error.strerror or type(error).__name__) from error


def _decision(found: Explanation) -> Section:
    rows = ((_("decided by"), found.rule or _("no rule")), (_("because"), found.reason))
    return Section(found.effect, rows)


def _told(step: Step) -> Section:
    rows = []
    if step.failing:
        rows.append((_("does not fit"), ", ".join(step.failing)))
    if step.unknown:
        rows.append((_("not known"), ", ".join(step.unknown)))
    if step.on_claims:
        rows.append((_("narrows only"), _("it looks at what the program says of itself")))
    return Section(f"{step.rule}: {step.effect}", tuple(rows) or ((_("fits"), ""),))
