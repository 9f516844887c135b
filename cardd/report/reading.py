"""The card report: a reader, the card in it held for a moment, the driver that knows what to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cardd.cards.channel import Traffic
from cardd.cards.connection import HeldByAnother, open_connection
from cardd.cards.drivers import Drivers
from cardd.errors import CardInUse, CardMute, CardRemoved, ReaderFault, UnknownCard
from cardd.readers.insertion import Insertion
from cardd.readers.stack import (
    Context,
    Disposition,
    Flag,
    PcscError,
    PcscStack,
    ReaderState,
    Share,
    StackUnavailable,
    load_stack,
)
from cardd_drivers import contract
from cardd_drivers.contract import CardReport, CardReporter


class Readers:
    """The readers that PC/SC knows, looked at once. Used by one thread, and released at the end of `open_readers`.

    Args:
        context: the way to PC/SC.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._states = context.look(context.list_readers())

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(state.reader for state in self._states)

    @property
    def with_card(self) -> tuple[str, ...]:
        """Those that have a card in them."""
        return tuple(state.reader for state in self._states if state.flags & Flag.PRESENT)

    def report(self, reader: str, *, with_identity: bool) -> CardReport:
        """Ask the card in a reader, held alone meanwhile and reset afterwards.

        Args:
            reader: one of `with_card`.
            with_identity: what identifies card and holder is read and told, too.

        Raises:
            CardInUse: another program has the card, cardd perhaps.
            UnknownCard: no driver knows what to ask it.
            CardRemoved, CardMute, ReaderFault.
        """
        state = next(state for state in self._states if state.reader == reader)
        with _client_errors():
            return self._report(state, with_identity=with_identity)

    def _report(self, state: ReaderState, *, with_identity: bool) -> CardReport:
        insertion = Insertion(state.reader, state.atr, state.counter)
        connection = open_connection(self._context, insertion, Share.EXCLUSIVE, lambda: None, Traffic())
        try:
            driver = Drivers.discover().choose(insertion.atr, lambda: connection.channel)
            if not isinstance(driver, CardReporter):
                raise UnknownCard
            return driver.report(connection.channel, with_identity=with_identity)
        finally:
            connection.close(Disposition.RESET)


@contextmanager
def open_readers(stack: PcscStack | None = None) -> Iterator[Readers]:
    """The readers of this computer.

    Args:
        stack: another PC/SC than pcscd's.

    Raises:
        ReaderFault: PC/SC cannot be had.
    """
    try:
        context = (stack or load_stack("pcsc", {})).establish()
    except (PcscError, StackUnavailable) as error:
        raise ReaderFault(detail=str(error)) from error
    try:
        with _client_errors():
            readers = Readers(context)
        yield readers
    finally:
        context.release()


@contextmanager
def _client_errors() -> Iterator[None]:
    try:
        yield
    except HeldByAnother as error:
        raise CardInUse(holder=error.holder) from error
    except contract.CardRemoved as error:
        raise CardRemoved from error
    except contract.CardMute as error:
        raise CardMute from error
    except (contract.CardError, PcscError) as error:
        raise ReaderFault(detail=str(error) or type(error).__name__) from error
