"""What is wrong with a command line, in the user's language (typer says it in English alone)."""

from __future__ import annotations

import re

from cardd.cli.i18n import _
from cardd.cli.wording import clean

_NO_SUCH_COMMAND = re.compile(r"No such command '(?P<name>.*?)'\.(?: Did you mean (?P<near>.*)\?)?", re.DOTALL)


def usage_sentence(error: Exception) -> str:
    """Say what typer found wrong with the command line.

    Args:
        error: one of typer's usage errors; they are told apart by name, for their classes are private to typer.
    """
    kind, message = type(error).__name__, getattr(error, "message", str(error))
    option = getattr(error, "option_name", None)
    hint = _hint(error)
    unknown = _NO_SUCH_COMMAND.fullmatch(message)
    if kind == "NoSuchOption" and option:
        near = ", ".join(getattr(error, "possibilities", None) or ())
        return _near(_("There is no option {name}."), _("There is no option {name}; perhaps {near}?"), option, near)
    if kind == "MissingParameter" and hint:
        return _("{name} is missing.").format(name=hint)
    if unknown is not None:
        near = (unknown["near"] or "").replace("'", "")
        sentences = _("There is no command {name}."), _("There is no command {name}; perhaps {near}?")
        return _near(*sentences, unknown["name"], near)
    if message == "Missing command.":
        return _("A command is missing.")
    if kind == "BadParameter" and hint:
        return _("The value of {name} cannot be used: {reason}").format(name=hint, reason=clean(message))
    return _("The command line cannot be used: {reason}").format(reason=clean(message))


def _near(plain: str, with_near: str, name: str, near: str) -> str:
    return (with_near if near else plain).format(name=clean(name), near=clean(near))


def _hint(error: Exception) -> str:
    parameter = getattr(error, "param", None)
    if parameter is None:
        return ""
    options: list[str] = getattr(parameter, "opts", [])
    is_option = bool(options) and options[0].startswith("-")
    return str(options[-1] if is_option else getattr(parameter, "metavar", None) or parameter.name)
