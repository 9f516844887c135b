"""A connection to a token: its process, and the cards on it."""

from __future__ import annotations

from collections.abc import Callable

from cardd_drivers.contract import CardKind
from cardd_drivers.isolated.card import IsolatedCard
from cardd_drivers.isolated.process import TokenProcess


class OpenProcess:
    """A `cardd_drivers.token_source.OpenToken`.

    Args:
        process: can be asked.
        kind: what the token is.
        checkpoint: called before each request.
    """

    def __init__(self, process: TokenProcess, kind: CardKind, checkpoint: Callable[[], None]) -> None:
        self.process = process
        self._kind = kind
        self._checkpoint = checkpoint

    def card(self) -> IsolatedCard:
        """A card that remembers nothing."""
        return IsolatedCard(self.process, self._kind, self._checkpoint)

    def close(self) -> None:
        """End the process."""
        self.process.close()
