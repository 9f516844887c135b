"""The commands and their global options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from cardd.cli.commands import (
    agent,
    doctor,
    journal,
    journal_proof,
    keys,
    login,
    pin,
    rules,
    session,
    status,
    token,
    token_verify,
    trust,
    trust_lists,
    version,
    watch,
)
from cardd.cli.exit_codes import MEANINGS
from cardd.cli.i18n import LANGUAGES, _
from cardd.cli.settings import Settings
from cardd.cli.translated import Command, Group
from cardd.errors import N_

# Words of typer that our catalogue translates (it asks gettext for them).
_TYPER_WORDS = (
    N_("Arguments"),
    N_("Commands"),
    N_("Options"),
    N_("required"),
    N_("default: {default}"),
    N_("env var: {var}"),
    N_("Show this message and exit."),
)

_SUMMARY = N_("Use and look after the health professional's card on this computer.")
_PIN_SUMMARY = N_("Change or unblock the PIN.")
_TRUST_SUMMARY = N_("The authorities whose cards are believed.")
_TOKEN_SUMMARY = N_("Tokens, which say who somebody is where the card cannot stay.")
_SESSION_SUMMARY = N_("The open session: in which work situation its work is done.")
_RULES_SUMMARY = N_("The rules: who may do what with a card.")
_JOURNAL_SUMMARY = N_("What happened, for whom and who asked.")
_GLOBAL = N_("Global options (--bus, --json, --lang) may stand anywhere.")
_EXIT_CODES = N_("Exit codes:")

_HELP = {
    "status": N_("Show readers, cards and sessions."),
    "watch": N_("Tell what happens, until Ctrl-C."),
    "login": N_("Verify the PIN and open a session. It lasts as long as the card is in the reader."),
    "logout": N_("End the session. The card wants its PIN again; a token stays good."),
    "sign": N_("Sign a file with the card. Gives the raw signature; on a terminal, in base64."),
    "decrypt": N_("Decrypt one RSA block with the card. A file of plaintext is for its owner alone (mode 0600)."),
    "change": N_("Change the PIN. By --pin-fd: a line with the present PIN, then one with the new PIN."),
    "unblock": N_(
        "Unblock the PIN with the unblocking code (PUK). By --pin-fd: a line with the code, then one with the new PIN."
    ),
    "add": N_("Install certificates of authorities. Run it as root; cardd then reads them, if it runs."),
    "list": N_("List the authorities that cardd believes here."),
    "lists": N_("Show the lists of revoked certificates that are here, and what could not be fetched."),
    "token mint": N_("Have the card of the open session sign a token for a device."),
    "token list": N_("List the tokens that were minted for this user."),
    "token show": N_("Show what is registered of one token."),
    "token redeem": N_("Open a session with a token and the key of its device."),
    "token revoke": N_("Revoke a token for ever; what it opened ends at once."),
    "token verify": N_("Verify a token without cardd. Whether it was revoked is not known here."),
    "session activities": N_("Show the holder's work situations, which the card tells after the PIN."),
    "session select": N_("Choose a work situation: journal, assertions and tokens tell it from now on."),
    "agent": N_("Ask for PINs and consents until Ctrl-C: by pinentry in a window, else on the terminal."),
    "whoami": N_("Show what cardd sees of this program, by the names that rules use."),
    "check": N_("Tell which rule decides about this program or another one, and why the others do not."),
    "show": N_("Show the files of rules as they are now."),
    "journal follow": N_("Tell what is written into the journal, until Ctrl-C."),
    "journal query": N_("Search the journal: everything for root; the holder's entries for who has a session open."),
    "journal verify": N_("Verify the journal, a copy of it or an export."),
    "journal export": N_("Write lines of the journal and a proof that convinces without cardd. For root."),
    "journal timestamp": N_("Have a timestamp authority (RFC 3161) witness where the journal stands."),
    "doctor": N_("Look for what is wrong, and say what to do."),
    "version": N_("Show the versions of cardctl and of cardd. It starts nothing."),
}


def build() -> typer.Typer:
    """Put the commands together, in the language that is spoken."""
    app = _group(_(_SUMMARY), epilog=f"{_(_GLOBAL)}\n\n\b\n{_exit_codes()}")
    app.callback()(_root)
    _add(app, "status", status.status)
    _add(app, "watch", watch.watch)
    _add(app, "login", login.login)
    _add(app, "logout", login.logout)
    _add(app, "sign", keys.sign)
    _add(app, "decrypt", keys.decrypt)
    pins = _group(_(_PIN_SUMMARY))
    _add(pins, "change", pin.change)
    _add(pins, "unblock", pin.unblock)
    app.add_typer(pins, name="pin")
    authorities = _group(_(_TRUST_SUMMARY))
    _add(authorities, "add", trust.add)
    _add(authorities, "list", trust.list_trusted)
    _add(authorities, "lists", trust_lists.lists)
    app.add_typer(authorities, name="trust")
    tokens = _group(_(_TOKEN_SUMMARY))
    _add(tokens, "mint", token.mint, "token mint")
    _add(tokens, "list", token.list_tokens, "token list")
    _add(tokens, "show", token.show, "token show")
    _add(tokens, "redeem", token.redeem, "token redeem")
    _add(tokens, "revoke", token.revoke, "token revoke")
    _add(tokens, "verify", token_verify.verify, "token verify")
    app.add_typer(tokens, name="token")
    sessions = _group(_(_SESSION_SUMMARY))
    _add(sessions, "activities", session.activities, "session activities")
    _add(sessions, "select", session.select, "session select")
    app.add_typer(sessions, name="session")
    access = _group(_(_RULES_SUMMARY))
    _add(access, "check", rules.check)
    _add(access, "show", rules.show)
    app.add_typer(access, name="rules")
    _add(app, "whoami", rules.whoami)
    _add(app, "agent", agent.agent)
    records = _group(_(_JOURNAL_SUMMARY))
    _add(records, "follow", journal.follow, "journal follow")
    _add(records, "query", journal.query, "journal query")
    _add(records, "verify", journal_proof.verify, "journal verify")
    _add(records, "export", journal.export, "journal export")
    _add(records, "timestamp", journal_proof.timestamp, "journal timestamp")
    app.add_typer(records, name="journal")
    _add(app, "doctor", doctor.doctor)
    _add(app, "version", version.version)
    return app


def translate(command: Any) -> None:
    """Translate the help of parameters, which typer read from the annotations before a language was chosen.

    Args:
        command: of typer (its class is private), with its parameters and the commands below it.
    """
    for parameter in (*command.params, command.get_help_option(typer.Context(command))):
        if parameter.help:
            parameter.help = _(parameter.help)
    for below in getattr(command, "commands", {}).values():
        translate(below)


def _root(
    context: typer.Context,
    bus: Annotated[
        str | None,
        typer.Option("--bus", metavar="ADDRESS", envvar="CARDD_BUS", help=N_("Another message bus than the system's.")),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help=N_("JSON for programs; `watch`: one document a line."))
    ] = False,
    language: Annotated[str | None, typer.Option("--lang", metavar="|".join(LANGUAGES), help=N_("Language."))] = None,
) -> None:
    del language  # chosen before the commands were built
    context.obj = Settings(bus=bus, as_json=as_json)


def _group(summary: str, epilog: str | None = None) -> typer.Typer:
    return typer.Typer(
        cls=Group,
        help=summary,
        epilog=epilog,
        rich_markup_mode=None,  # plain help: no import of rich, and scripts can read it
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def _add(group: typer.Typer, name: str, function: Callable[..., None], help_of: str | None = None) -> None:
    group.command(name, cls=Command, help=_(_HELP[help_of or name]))(function)


def _exit_codes() -> str:
    lines = [f"  {code:>3}  {_(meaning)}" for code, meaning in MEANINGS.items()]
    return "\n".join([_(_EXIT_CODES), *lines])
