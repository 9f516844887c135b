"""Ways to what is in a reader: by PC/SC and a driver, or to a token by its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from cardd.cards.channel import Checkpoint, Traffic, require_present
from cardd.cards.connection import Connection, open_connection
from cardd.cards.drivers import Drivers
from cardd.readers.insertion import Insertion, TokenPlace
from cardd.readers.pin_pad import PadCodes
from cardd.readers.stack import Code, Context, Disposition, PcscStack, Share
from cardd_drivers.contract import Card, CardError, CardMute, Driver, Memory
from cardd_drivers.token_source import OpenToken


class NoDriver(CardError):
    """No driver knows the card."""


class Link(Protocol):
    """One connection; belongs to the thread that opened it."""

    @property
    def pad(self) -> PadCodes:
        """What the user can type at the reader."""

    @property
    def tries_may_differ(self) -> bool:
        """Tries of the PIN may have been spent since the link was opened, by us or by another program."""

    def transaction(self, *, forget_pin: bool = False) -> AbstractContextManager[None]:
        """Keep other programs off meanwhile; see `Connection.transaction`."""

    def card(self) -> Card:
        """The driver's card, which remembers nothing of this connection yet.

        Raises:
            NoDriver, CardError.
        """

    def close(self, disposition: Disposition) -> None:
        """End the connection. Never fails."""


class Way(Protocol):
    """How one insertion is reached."""

    @property
    def driver_name(self) -> str:
        """Who speaks to it; empty until a link's `card` was asked for."""

    def open(self, context: Context, checkpoint: Checkpoint, share: Share) -> Link:
        """A fresh connection.

        Raises:
            HeldByAnother, CardError.
        """


class PcscWay:
    """To a card in a PC/SC reader.

    Args:
        insertion: the card.
        drivers: who may speak to it.
        memory: what is remembered of cards.
        traffic: where exchanges are counted.
    """

    def __init__(self, insertion: Insertion, drivers: Drivers, memory: Memory, traffic: Traffic) -> None:
        self._insertion = insertion
        self._drivers = drivers
        self._memory = memory
        self._traffic = traffic
        self._driver: Driver | None = None

    @property
    def driver_name(self) -> str:
        """Of the driver."""
        return "" if self._driver is None else self._driver.name

    def open(self, context: Context, checkpoint: Checkpoint, share: Share) -> Link:
        """Connect to the card."""
        if not self._insertion.atr:
            raise CardMute("the card gave no answer to reset")
        return _PcscLink(open_connection(context, self._insertion, share, checkpoint, self._traffic), self)

    def card_on(self, connection: Connection) -> Card:
        """The driver's card on a connection."""
        if self._driver is None:
            self._driver = self._drivers.choose(self._insertion.atr, lambda: connection.channel)
        if self._driver is None:
            raise NoDriver("no driver knows this card")
        return self._driver.open(connection.channel, self._memory)


class _PcscLink:
    def __init__(self, connection: Connection, way: PcscWay) -> None:
        self._connection = connection
        self._way = way
        self.transaction = connection.transaction
        self.close = connection.close

    @property
    def pad(self) -> PadCodes:
        return self._connection.channel.pad

    @property
    def tries_may_differ(self) -> bool:
        return self._connection.channel.secret_presented

    def card(self) -> Card:
        return self._way.card_on(self._connection)


class TokenWay:
    """To a token. Its connection is nobody else's, whatever `hold` says: other programs have logins of their own.

    Args:
        insertion: its stay.
        token: where it is.
    """

    def __init__(self, insertion: Insertion, token: TokenPlace) -> None:
        self._insertion = insertion
        self._token = token
        self.driver_name = token.driver

    def open(self, context: Context, checkpoint: Checkpoint, share: Share) -> Link:
        """Connect to the token."""
        del context, share

        def still_here() -> None:
            checkpoint()
            require_present(self._insertion)

        still_here()
        return _TokenLink(self._token.open(still_here))


class _TokenLink:
    pad = PadCodes()
    tries_may_differ = True

    def __init__(self, opened: OpenToken) -> None:
        self._opened = opened
        self.card = opened.card

    @contextmanager
    def transaction(self, *, forget_pin: bool = False) -> Iterator[None]:
        """Nothing to do: with the connection goes the login."""
        del forget_pin
        yield

    def close(self, disposition: Disposition) -> None:
        """End the connection, and the login with it."""
        del disposition
        self._opened.close()


class _NoPcsc:
    """The part of ``smartcard.scard`` that a worker needs which uses no PC/SC."""

    INFINITE = 0

    def SCardEstablishContext(self, _scope: int, /) -> list[int]:  # noqa: N802 - PC/SC's name
        return [Code.S_SUCCESS, 0]

    def SCardReleaseContext(self, _context: int, /) -> list[int]:  # noqa: N802 - PC/SC's name
        return [Code.S_SUCCESS]

    def __getattr__(self, _function: str) -> object:
        return lambda *_: [Code.E_NO_SERVICE]


def no_pcsc() -> PcscStack:
    """A PC/SC without a service, for workers of tokens: they must work where pcscd does not."""
    module: object = _NoPcsc()
    return PcscStack(module)  # type: ignore[arg-type]  # what is not written out answers E_NO_SERVICE
