"""`cardctl doctor`: what is wrong, and how to put it right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cardd.cli.checks.authorities import Authorities, check_authorities
from cardd.cli.checks.daemon import check_daemon
from cardd.cli.checks.host import check_clock, check_opensc, check_pcscd, check_policy, check_rights
from cardd.cli.checks.model import Finding, State, this_host
from cardd.cli.exit_codes import ExitCode
from cardd.cli.i18n import _, ngettext
from cardd.cli.options import ConfigOption
from cardd.cli.output import Output
from cardd.cli.settings import settings_of
from cardd.errors import N_, InvalidArgument


def doctor(
    context: typer.Context,
    config: ConfigOption = None,
    card_report: Annotated[
        Path | None,
        typer.Option(
            "--card-report",
            metavar="FILE",
            help=N_("Ask the card that is in what developers would like to know, without a PIN, into this file."),
        ),
    ] = None,
    reader: Annotated[
        str | None, typer.Option("--reader", metavar="NAME", help=N_("With --card-report: which reader."))
    ] = None,
    with_identity: Annotated[
        bool, typer.Option("--with-identity", help=N_("With --card-report: tell whose card it is, too."))
    ] = False,
) -> None:
    """Look for what is wrong, and say how to put it right; or report what the card answers."""
    settings = settings_of(context)
    if card_report is not None:
        from cardd.cli.commands.card_report import write_card_report  # noqa: PLC0415  # PC/SC: for this alone

        write_card_report(settings.output, card_report, reader, with_identity=with_identity)
        return
    if reader is not None or with_identity:
        argument = "--reader" if reader is not None else "--with-identity"
        raise InvalidArgument(argument=argument, reason=_("it goes with --card-report"))
    findings = examine(settings.bus, config)
    problems = sum(one.state is State.PROBLEM for one in findings)
    warnings = sum(one.state is State.WARNING for one in findings)
    output = settings.output
    output.document({"checks": findings, "problems": problems, "warnings": warnings})
    _show(output, findings)
    if problems:
        said = ngettext("{count} problem found.", "{count} problems found.", problems)
        output.line(said.format(count=problems), style="bold red")
        raise typer.Exit(ExitCode.FAILURE)
    if warnings:
        said = ngettext("No problem, {count} warning.", "No problem, {count} warnings.", warnings)
        output.line(said.format(count=warnings), style="bold yellow")
    else:
        output.line(_("Everything is in order."), style="bold green")


def examine(bus: str | None, config: Path | None) -> list[Finding]:
    """Run every check.

    Args:
        bus: address of the bus, None for the system bus: what concerns that one alone is left out otherwise.
        config: path of the configuration, None for the usual one.
    """
    host = this_host()
    # The usual configuration says nothing of a daemon on another bus; that one's own warnings are told below.
    authorities = Authorities(()) if bus and config is None else check_authorities(config, host.now)
    findings = list(authorities.findings)
    findings.append(check_clock(host, authorities.valid_from, authorities.valid_until))
    if authorities.uses_pcscd and not (bus and config is None):
        findings += [check_pcscd(host), check_opensc(host)]
    if bus is None:
        findings += [check_rights(host), check_policy(host)]
    return findings + asyncio.run(check_daemon(bus))


def _show(output: Output, findings: list[Finding]) -> None:
    marks = {
        State.OK: (_("ok"), "green"),
        State.WARNING: (_("warning"), "yellow"),
        State.PROBLEM: (_("PROBLEM"), "red"),
        State.SKIPPED: (_("skipped"), "dim"),
    }
    width = max(len(mark) for mark, _style in marks.values())
    for one in findings:
        mark, style = marks[one.state]
        output.marked(mark.ljust(width), style, one.finding)
        if one.remedy:
            output.marked(" " * width, "", f"→ {one.remedy}")
