"""A card in the real pcscd: client of the reader driver vpcd (package vsmartcard-vpcd).

The driver listens on one TCP port for each slot. A connection is a card: it is inserted when we connect and removed
when we close. Each message has two bytes of length (big endian) before it. One byte alone from the driver is a control:
0 power off, 1 power on, 2 reset, 4 the ATR please (asked about 2.5 times a second too, to see whether the card is
still there); only the last has an answer. Anything else is a command APDU, and its answer goes back.
"""

from __future__ import annotations

import logging
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cardsim.faults import FaultInjector
from cardsim.inserted import CardMuteError, CardVanishedError, InsertedCard
from cardsim.trace import ExchangeFeed
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.card import SimulatedCard

_log = logging.getLogger(__name__)

_POWER_OFF, _POWER_ON, _RESET, _ATR = b"\x00", b"\x01", b"\x02", b"\x04"
_LENGTH_BYTES = 2
_LONGEST_MESSAGE = 0xFFFF
_CONTROL_LENGTH = 1
# The driver sees a card in any answer to its question for the ATR, but cannot power one up whose ATR exceeds the
# 33 bytes of ISO 7816-3: so looks a card that is there and mute.
_ATR_OF_A_MUTE_CARD = bytes(64)
_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class VpcdAddress:
    """Where a vpcd driver listens for the card of one slot; the second slot of a reader is the next port."""

    host: str = "127.0.0.1"
    port: int = 35963

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HOST:PORT``, ``:PORT`` or ``HOST``.

        Raises: ``ValueError`` that says what is wrong.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = text, str(cls().port)
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LONGEST_MESSAGE):
            raise ValueError(f"the port in {text!r} is not a number from 1 to 65535")
        return cls(host.strip("[]") or cls().host, int(port))

    def __str__(self) -> str:
        """Return ``HOST:PORT``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class VpcdReader:
    """One slot of pcscd's vpcd reader; a ``CardReader``.

    A card that is in stays in when pcscd restarts: the connection is made again until it holds.

    Args:
        address: the slot.
        accept_seconds: how long pcscd may take to notice an inserted card; it looks for one every 0.4 s.
        connect: makes the connection; ``socket.create_connection``.
        exchanges: where its exchanges are told; None: a feed of its own.
    """

    def __init__(
        self,
        address: VpcdAddress,
        *,
        accept_seconds: float = 10.0,
        connect: Callable[[tuple[str, int]], socket.socket] = socket.create_connection,
        exchanges: ExchangeFeed | None = None,
    ) -> None:
        self.address = address
        self.faults = FaultInjector()
        self.exchanges = exchanges or ExchangeFeed()
        self._accept_seconds = accept_seconds
        self._connect = connect
        self._lock = threading.Lock()
        self._insertion: _Insertion | None = None

    @property
    def name(self) -> str:
        """Return ``vpcd HOST:PORT``."""
        return f"vpcd {self.address}"

    @property
    def card(self) -> SimulatedCard | None:
        """Return the card that is in."""
        insertion = self._insertion
        return None if insertion is None else insertion.inserted.card

    @property
    def accepted(self) -> bool:
        """Return whether pcscd has taken notice of the card (not so while pcscd restarts)."""
        insertion = self._insertion
        return insertion is not None and insertion.accepted.is_set()

    def insert(self, card: SimulatedCard) -> None:
        """Put a card in; returns when pcscd has powered it or asked for its ATR.

        Raises: ``ReaderError``: a card is in already, nothing listens, or the slot is taken by another program.
        """
        with self._lock:
            if self._insertion is not None:
                raise ReaderError(f"a card is in {self.name} already")
            insertion = _Insertion(card, self)
            self._insertion = insertion
        accepted = False
        try:
            insertion.start(self.open())
            accepted = insertion.accepted.wait(self._accept_seconds)
        finally:
            if not accepted:
                insertion.leave()
        if not accepted:
            raise ReaderError(
                f"{self.address} takes the connection but asks nothing of the card: "
                "is another card in this slot, or is it no vpcd?"
            )

    def remove(self) -> None:
        """Take the card out."""
        insertion = self._insertion
        if insertion is not None:
            insertion.leave()

    def forget(self, insertion: _Insertion) -> None:
        """Stand empty, if this is still the insertion that is in."""
        with self._lock:
            if self._insertion is insertion:
                self._insertion = None

    def open(self) -> socket.socket:
        """Connect to the driver.

        Raises: ``ReaderError`` when nothing listens.
        """
        try:
            connection = self._connect((self.address.host, self.address.port))
        except OSError as error:
            raise ReaderError(
                f"no vpcd listens on {self.address} ({error.strerror or error}): start pcscd, with the "
                "package vsmartcard-vpcd installed (systemctl start pcscd)"
            ) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _Insertion:
    """The connection of one insertion and the thread that answers on it."""

    def __init__(self, card: SimulatedCard, reader: VpcdReader) -> None:
        self.inserted = InsertedCard(card, reader.faults, self.leave, feed=reader.exchanges)
        self.accepted = threading.Event()
        self._reader = reader
        self._out = threading.Event()
        self._replacement: SimulatedCard | None = None
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"cardsim {reader.name}", daemon=True)

    def start(self, connection: socket.socket) -> None:
        """Serve on a fresh connection."""
        self._use(connection)
        self._thread.start()

    def leave(self, replacement: SimulatedCard | None = None) -> None:
        """Take the card out: close the connection, now, whatever the card is doing.

        Args:
            replacement: the card that a fault puts in its place.
        """
        self._replacement = replacement
        self._reader.forget(self)
        self._out.set()
        self.inserted.withdraw()
        with self._lock:
            if self._connection is not None:
                self._shut(self._connection)
        # The thread itself ends here when a fault pulls the card.
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _use(self, connection: socket.socket) -> None:
        with self._lock:
            self._connection = connection
            if self._out.is_set():  # taken out while we connected: let the thread find the end at once
                self._shut(connection)

    @staticmethod
    def _shut(connection: socket.socket) -> None:
        try:
            # Wakes the thread that receives; close alone would not.
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            _log.debug("the connection to pcscd was closed already")

    def _run(self) -> None:
        while self._connection is not None:
            with self._connection as connection:
                self._serve(connection)
            self.accepted.clear()
            self.inserted.power_off()
            if self._out.is_set():
                self._make_way()
                return
            _log.info("pcscd has closed the connection of %s; connecting again", self._reader.name)
            self._reconnect()

    def _make_way(self) -> None:
        """Put the card in that a fault has put in this one's place."""
        if self._replacement is None:
            return
        try:
            self._reader.insert(self._replacement)
        except ReaderError as error:
            _log.error("the card to be swapped in is not in: %s", error)

    def _reconnect(self) -> None:
        """Connect again, ever more patiently; without success only when the card has been taken out."""
        pause = _FIRST_RETRY_SECONDS
        while not self._out.wait(pause):
            try:
                connection = self._reader.open()
            except ReaderError as error:
                _log.debug("%s", error)
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
                continue
            self._use(connection)
            return
        self._connection = None

    def _serve(self, connection: socket.socket) -> None:
        """Answer the driver until one side closes."""
        mute = False
        try:
            while (message := receive_message(connection)) is not None:
                self.accepted.set()
                if message in (_POWER_ON, _RESET):
                    mute = self._power_on()
                elif message == _POWER_OFF:
                    self.inserted.power_off()
                elif message == _ATR:
                    send_message(connection, _ATR_OF_A_MUTE_CARD if mute else self.inserted.atr)
                else:
                    send_message(connection, self.inserted.transmit(message))
        except CardVanishedError:
            _log.debug("the card left %s with a command in hand", self._reader.name)
        except CardMuteError:
            # The driver has no time-out of its own; a connection that closes is the only failure it knows.
            _log.debug("the card in %s is mute; leaving pcscd's command without an answer", self._reader.name)
        except OSError as error:
            _log.debug("connection of %s: %s", self._reader.name, error)

    def _power_on(self) -> bool:
        """Reset the card; return whether it is mute."""
        try:
            self.inserted.power_on()
        except CardMuteError:
            return True
        return False


def receive_message(connection: socket.socket) -> bytes | None:
    """Return the next message of the driver, None when it has closed."""
    header = _receive_exactly(connection, _LENGTH_BYTES)
    if header is None:
        return None
    return _receive_exactly(connection, int.from_bytes(header, "big"))


def send_message(connection: socket.socket, answer: bytes) -> None:
    """Send an answer with its length before it, in one segment; what no length field can say is cut off."""
    answer = answer[:_LONGEST_MESSAGE]
    connection.sendall(len(answer).to_bytes(_LENGTH_BYTES, "big") + answer)


def _receive_exactly(connection: socket.socket, length: int) -> bytes | None:
    received = b""
    while len(received) < length:
        # The driver sends length and content in one segment and then waits for us without TCP_NODELAY: an
        # acknowledgement that our kernel delays costs it 40 ms. Linux forgets this option, so it is set each time.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(length - len(received))
        if not part:
            return None
        received += part
    return received
