"""Text for files, pipes and other programs: what `pages` shows, without colours, cut at no width."""

from __future__ import annotations

from collections.abc import Sequence


def line(text: str, style: str) -> None:
    """Write one line."""
    del style
    print(text, flush=True)


def marked(mark: str, style: str, text: str) -> None:
    """Write a text behind a mark."""
    line(f"{mark}  {text}", style)


def section(heading: str, rows: Sequence[tuple[str, str]]) -> None:
    """Write a heading and rows of labels and texts."""
    line(heading, "")
    width = max((len(label) for label, _text in rows), default=0)
    for label, text in rows:
        line(f"  {label.ljust(width)}  {text}", "")
