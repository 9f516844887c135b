"""The command line ``cardsim``: which commands there are.

Exit codes: 0 done, 1 failed (one line on standard error says why), 2 wrong usage.
"""

from __future__ import annotations

import typer

from cardsim.cli import catalogue, recording, remote, run, trace

app = typer.Typer(
    name="cardsim",
    help="A simulated health professional card (CPS), in the real pcscd.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("insert")(remote.insert)
app.command("remove")(remote.remove)
app.command("tap")(remote.tap)
app.command("pad")(remote.pad)
app.command("trace")(trace.trace)
app.command("record")(recording.record)
app.command("replay")(recording.replay)
app.command("fault")(remote.fault)
app.command("status")(remote.status)
app.command("profiles")(catalogue.list_profiles)
app.command("switches")(catalogue.list_switches)

pki = typer.Typer(help="The fictional PKI that the cards' certificates come from.", no_args_is_help=True)
pki.command("export")(catalogue.export_pki)
app.add_typer(pki, name="pki")


def main() -> None:
    """Entry point of ``cardsim``."""
    app()
