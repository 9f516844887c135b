"""Entry point of cardctl: the language, global options wherever they stand, failures as sentences and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from cardd.cli import i18n
from cardd.cli.app import build, translate
from cardd.cli.exit_codes import ExitCode, code_of
from cardd.cli.failures import Unforeseen
from cardd.cli.output import Output
from cardd.cli.usage import usage_sentence
from cardd.cli.wording import sentence_of
from cardd.errors import CarddError
from cardd.hardening import close_memory

_FLAGS = ("--json",)
_WITH_VALUE = ("--bus", "--lang")
_DEBUG = "CARDCTL_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cardctl.

    Args:
        arguments: of the command line; None: of this process.

    Returns:
        The exit code (`cardd.cli.exit_codes.ExitCode`).
    """
    close_memory()
    ordered = hoist(sys.argv[1:] if arguments is None else arguments)
    i18n.speak(i18n.choose(os.environ, _value_of(ordered, "--lang")))
    try:
        return _run(ordered)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more can be told there, not even by the interpreter at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def hoist(arguments: Sequence[str]) -> list[str]:
    """Put the global options first, wherever they stand before a `--`: `cardctl status --json` works as well."""
    before = list(arguments)
    after: list[str] = []
    if "--" in before:
        cut = before.index("--")
        before, after = before[:cut], before[cut:]
    front: list[str] = []
    rest: list[str] = []
    words = iter(before)
    for word in words:
        if word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(word)
        elif word in _WITH_VALUE:
            front += [word, *(value for value in [next(words, None)] if value is not None)]
        else:
            rest.append(word)
    return [*front, *rest, *after]


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(build())
    translate(command)
    as_json = "--json" in arguments
    try:
        outcome = command(arguments, prog_name="cardctl", standalone_mode=False)
    except TyperException as error:
        return _tell_usage(error, as_json=as_json)
    except CarddError as error:
        return _tell(error, as_json=as_json)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        return _tell(Unforeseen(kind=type(error).__name__), as_json=as_json)
    return outcome if isinstance(outcome, int) else 0


def _tell(error: CarddError, *, as_json: bool) -> int:
    code = code_of(error)
    sentence = sentence_of(error)
    failure = {"name": error.name, "message": sentence, "fields": dict(error.fields), "exit_code": int(code)}
    Output(as_json=as_json).document({"error": failure})
    Output.complain(f"cardctl: {sentence}")
    return code


def _tell_usage(error: Exception, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    sentence = usage_sentence(error)
    failure = {"name": "Usage", "message": sentence, "fields": {}, "exit_code": int(ExitCode.USAGE)}
    Output(as_json=as_json).document({"error": failure})
    Output.complain(f"cardctl: {sentence}")
    path = context.command_path if context is not None else "cardctl"
    Output.complain(i18n._("See `{command} --help`.").format(command=path))
    return ExitCode.USAGE


def _value_of(arguments: Sequence[str], name: str) -> str | None:
    """The last value of an option among hoisted arguments."""
    found = None
    for position, word in enumerate(arguments):
        if word == name and position + 1 < len(arguments):
            found = arguments[position + 1]
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found
