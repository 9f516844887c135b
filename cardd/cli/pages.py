"""Text for a terminal, by rich; no markup is read from what is shown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def line(text: str, style: str) -> None:
    """Write one line."""
    _console().print(Text(text, style=style), soft_wrap=True)


def marked(mark: str, style: str, text: str) -> None:
    """Write a text behind a coloured mark."""
    _console().print(_grid([(Text(mark, style=style), Text(text))]))


def section(heading: str, rows: Sequence[tuple[str, str]]) -> None:
    """Write a heading and rows of labels and texts."""
    console = _console()
    console.print(Text(heading, style="bold"))
    if rows:
        grid = _grid([(Text(label, style="dim"), Text(text)) for label, text in rows])
        console.print(Padding(grid, (0, 0, 0, 2), expand=False))


def _grid(rows: Sequence[tuple[Text, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for label, text in rows:
        grid.add_row(label, text)
    return grid


def _console() -> Console:
    # Made anew each time: the width may have changed.
    return Console(highlight=False, markup=False, emoji=False)
