"""The command ``cardsim``."""

from __future__ import annotations

from cardsim.cli.app import main

__all__ = ["main"]
