"""Token sources: found by entry point, watched each on a thread of its own, told of as readers with a card in them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from cardd.readers.events import CardDeparted, CardInserted, ConnectionLost, ReaderAdded, ReaderEvent, ReaderRemoved
from cardd.readers.insertion import Departure, Insertion
from cardd_drivers.token_source import OpenToken, SourceUnusable, Token, TokenSource

SOURCES_GROUP: Final = "cardd.token_sources"
STOP_TIMEOUT: Final = 2.0

logger = logging.getLogger(__name__)


def make_sources(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[TokenSource]:
    """The sources that the configuration asks for.

    Args:
        tables: by the name of an entry point of the group ``cardd.token_sources``.

    Raises:
        SourceUnusable: there is no such source, it cannot be loaded, or it cannot use its table.
    """
    found = {entry.name: entry for entry in entry_points(group=SOURCES_GROUP)}
    sources: list[TokenSource] = []
    for name, several in tables.items():
        if name not in found:
            raise SourceUnusable(f"[[drivers.{name}]]: there is none; known are {', '.join(sorted(found)) or 'none'}")
        for number, table in enumerate(several, start=1):
            try:
                sources.append(found[name].load()(table))
            except SourceUnusable as error:
                raise SourceUnusable(f"[[drivers.{name}]], table {number}: {error}") from error
            except Exception as error:  # a third party's code: whatever it raises means that it cannot be had
                logger.exception("token source %s", name)
                raise SourceUnusable(f"[[drivers.{name}]] cannot be used: {type(error).__name__}") from error
    return sources


class _Placed:
    """A `cardd.readers.insertion.TokenPlace`."""

    def __init__(self, source: TokenSource, token: Token, tell: Callable[[ReaderEvent], None]) -> None:
        self.driver = source.driver
        self.pcsc_reader = token.pcsc_reader
        self._token = token
        self._tell = tell
        self.insertion = Insertion(token.place, b"", token=self)

    def open(self, checkpoint: Callable[[], None]) -> OpenToken:
        """Connect to the token."""
        return self._token.open(checkpoint, lambda: self._tell(ConnectionLost(self.insertion)))


class TokenWatch:
    """Threads that wait for tokens.

    Args:
        sources: where they come from.
        tell: gets each event, on any thread, and returns at once; an insertion's end mark is set before.
    """

    def __init__(self, sources: Iterable[TokenSource], tell: Callable[[ReaderEvent], None]) -> None:
        self._tell = tell
        self._watched = [_Watched(source, tell) for source in sources]

    def start(self) -> None:
        """Start the threads."""
        for one in self._watched:
            one.thread.start()

    def look_again(self) -> None:
        """Tell anew of tokens whose last stay is over although they are still there. From any thread."""
        for one in self._watched:
            one.look_again()

    def stop(self) -> None:
        """End the threads; every stay ends with `Departure.DAEMON_STOPPED`. Blocks shortly."""
        for one in self._watched:
            one.source.stop()
        for one in self._watched:
            if one.thread.ident is not None:
                one.thread.join(STOP_TIMEOUT)
            one.end()


class _Watched:
    """One source, and what it has. A `cardd_drivers.token_source.TokenListener`."""

    def __init__(self, source: TokenSource, tell: Callable[[ReaderEvent], None]) -> None:
        self.source = source
        self._tell = tell
        self._lock = threading.Lock()
        self._placed: dict[Token, _Placed] = {}
        self._ended = False
        self.thread = threading.Thread(target=self._run, name=f"watch-{source.name}", daemon=True)

    def tokens_are(self, tokens: Iterable[Token]) -> None:
        """Tell what changed: first what went."""
        now = list(tokens)
        with self._lock:
            for token in [one for one in self._placed if one not in now]:
                self._gone(self._placed.pop(token), Departure.CARD_REMOVED)
            for token in now:
                if token not in self._placed and not self._ended:
                    self._placed[token] = _Placed(self.source, token, self._tell)
                    self._came(self._placed[token])

    def look_again(self) -> None:
        """See `TokenWatch.look_again`."""
        with self._lock:
            for token, placed in self._placed.items():
                if placed.insertion.mark.is_set:
                    self._gone(placed, Departure.CARD_RESET)
                    self._placed[token] = _Placed(self.source, token, self._tell)
                    self._came(self._placed[token])

    def end(self) -> None:
        """Nothing comes any more."""
        with self._lock:
            self._ended = True
            for placed in self._placed.values():
                self._gone(placed, Departure.DAEMON_STOPPED)
            self._placed.clear()

    def _run(self) -> None:
        try:
            self.source.watch(self)
        except Exception:  # a third party's code: the others must serve
            logger.exception("%s is not watched any more", self.source.name)
            self.tokens_are(())

    def _came(self, placed: _Placed) -> None:
        self._tell(ReaderAdded(placed.insertion.reader))
        self._tell(CardInserted(placed.insertion))

    def _gone(self, placed: _Placed, reason: Departure) -> None:
        placed.insertion.mark.set(reason)
        self._tell(CardDeparted(placed.insertion))
        self._tell(ReaderRemoved(placed.insertion.reader))
