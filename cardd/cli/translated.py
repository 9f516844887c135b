"""typer's commands, whose usage line is in the user's language (typer writes it in English alone)."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from cardd.cli.i18n import _


class Command(TyperCommand):
    """A command."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # classes private to typer
        """Write the usage line."""
        _write_usage(self, ctx, formatter)


class Group(TyperGroup):
    """A command that has commands."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # as above
        """Write the usage line."""
        _write_usage(self, ctx, formatter)


def _write_usage(command: TyperCommand | TyperGroup, context: Any, formatter: Any) -> None:
    pieces = " ".join(command.collect_usage_pieces(context))
    formatter.write_usage(context.command_path, pieces, prefix=_("Usage:") + " ")
