"""What can go wrong on a stage."""

from __future__ import annotations


class StageError(Exception):
    """Something of the stage does not run; the text says what and what would help, with the last lines of its log."""
