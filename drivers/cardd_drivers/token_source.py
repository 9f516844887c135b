"""The contract for devices that are no PC/SC cards: where tokens come from, and how one is opened.

A token source is what an entry point of the group ``cardd.token_sources`` makes of a table ``[[drivers.NAME]]`` of the
configuration. It tells which tokens are there; each is opened to a `cardd_drivers.contract.Card`, the same that a
driver makes of a channel. It never depends on the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from cardd_drivers.contract import Card


class SourceUnusable(Exception):
    """A table of the configuration cannot be used; the text says which key, and why."""


class OpenToken(Protocol):
    """A connection to a token; belongs to the thread that opened it. Its end is the end of the token's login state."""

    def card(self) -> Card:
        """A card on this connection that remembers nothing; sends nothing."""

    def close(self) -> None:
        """End the connection, and with it the login. Never fails, never waits for the token."""


class Token(Protocol):
    """One stay of one token. Two stays of the same token are different objects."""

    @property
    def place(self) -> str:
        """Where it is, as a reader's name; unique among all sources, and naming nobody."""

    @property
    def pcsc_reader(self) -> str:
        """The PC/SC reader that it may be in, by its name or the first 64 bytes of it; empty where there is none."""

    def open(self, checkpoint: Callable[[], None], lost: Callable[[], None]) -> OpenToken:
        """Connect to it.

        Args:
            checkpoint: called before each exchange; raises `Cancelled` once the work is given up.
            lost: called once, from any thread, should the connection end without `close`.

        Raises:
            CardError: it cannot be had.
        """


class TokenListener(Protocol):
    """Who is told. From the source's thread; returns at once."""

    def tokens_are(self, tokens: Iterable[Token]) -> None:
        """These tokens are there now, and no others."""


class TokenSource(Protocol):
    """Where tokens come from."""

    @property
    def name(self) -> str:
        """As logs name it."""

    @property
    def driver(self) -> str:
        """As the `Driver` property says it."""

    def watch(self, listener: TokenListener) -> None:
        """Tell of the tokens now, and after each change; blocks on a thread of its own until `stop`."""

    def stop(self) -> None:
        """End `watch`, from another thread; harmless before it began and after its end."""


class MakeSource(Protocol):
    """What an entry point of the group ``cardd.token_sources`` names."""

    def __call__(self, table: Mapping[str, Any]) -> TokenSource:
        """Make a source of its table; starts nothing.

        Raises:
            SourceUnusable: the table cannot be used.
        """
