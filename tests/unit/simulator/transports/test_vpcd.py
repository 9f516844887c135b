"""The vpcd client against a driver that the test plays itself."""

from __future__ import annotations

import queue
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsim.card import CardProtocol
from cardsim.faults import Fault
from cardsim.transports.reader import ReaderError
from cardsim.transports.vpcd import VpcdAddress, VpcdReader, receive_message, send_message
from tests.support.cards import ATR_T0, EchoCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import RawIOBase

OFF, ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"
COMMAND = b"\x00\xa4\x00\x00"


class Driver:
    """pcscd's side: what connects, and the messages of vpcd."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(10)
        self.address = VpcdAddress(port=self._listening.getsockname()[1])
        self.connection: socket.socket | None = None

    def accept(self) -> None:
        """Take the next card's connection."""
        self.drop()
        self.connection, _ = self._listening.accept()
        self.connection.settimeout(10)

    def drop(self) -> None:
        """Close the card's connection, as a pcscd that ends does."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def stop_listening(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def close(self) -> None:
        """End."""
        self.drop()
        self.stop_listening()

    def send(self, message: bytes) -> None:
        """Send a message."""
        assert self.connection is not None
        self.connection.sendall(len(message).to_bytes(2, "big") + message)

    def receive(self) -> bytes | None:
        """Return the card's next message, None when it has closed."""
        assert self.connection is not None
        with self.connection.makefile("rb", buffering=0) as incoming:
            header = self._read(incoming, 2)
            return self._read(incoming, int.from_bytes(header, "big")) if header else None

    @staticmethod
    def _read(incoming: RawIOBase, length: int) -> bytes:
        received = b""
        while len(received) < length:
            try:
                part = incoming.read(length - len(received))
            except ConnectionResetError:  # it closed before it had read our last message
                return b""
            if not part:
                return b""
            received += part
        return received

    def ask(self, message: bytes) -> bytes | None:
        """Send a message that has an answer, and return it."""
        self.send(message)
        return self.receive()


@pytest.fixture
def driver() -> Iterator[Driver]:
    playing = Driver()
    yield playing
    playing.close()


@pytest.fixture
def reader(driver: Driver) -> Iterator[VpcdReader]:
    slot = VpcdReader(driver.address)
    yield slot
    slot.remove()


def insert(driver: Driver, reader: VpcdReader, card: EchoCard) -> None:
    """Insert a card while the driver powers it."""
    inserting = threading.Thread(target=reader.insert, args=(card,))
    inserting.start()
    driver.accept()
    driver.send(ON)
    inserting.join()


def test_controls_and_commands(driver: Driver, reader: VpcdReader) -> None:
    card = EchoCard()
    insert(driver, reader, card)
    assert driver.ask(ATR) == ATR_T0
    assert driver.ask(COMMAND) == COMMAND + b"\x90\x00"
    driver.send(RESET)
    driver.send(OFF)
    assert driver.ask(ATR) == ATR_T0
    assert (card.power_ups, card.powered) == (2, False)
    long = bytes(0xFFFD)
    assert driver.ask(long) == long + b"\x90\x00"


def test_insertion_waits_until_the_driver_takes_notice(driver: Driver, reader: VpcdReader) -> None:
    inserting = threading.Thread(target=reader.insert, args=(EchoCard(),))
    inserting.start()
    driver.accept()
    assert not reader.accepted
    assert inserting.is_alive()
    assert driver.ask(ATR) == ATR_T0
    inserting.join()
    assert reader.accepted


def test_a_driver_that_asks_nothing_is_an_error_and_the_reader_stays_empty(driver: Driver) -> None:
    reader = VpcdReader(driver.address, accept_seconds=0.01)
    with pytest.raises(ReaderError, match="another card in this slot"):
        reader.insert(EchoCard())
    assert reader.card is None


def test_a_second_card_is_refused(driver: Driver, reader: VpcdReader) -> None:
    insert(driver, reader, EchoCard())
    with pytest.raises(ReaderError, match="already"):
        reader.insert(EchoCard())


def test_removal_closes_the_connection_and_powers_the_card_off(driver: Driver, reader: VpcdReader) -> None:
    card = EchoCard()
    insert(driver, reader, card)
    reader.remove()
    assert driver.receive() is None
    assert (reader.card, reader.accepted, card.powered) == (None, False, False)
    reader.remove()


def test_a_card_that_is_in_comes_back_when_the_driver_does(driver: Driver, reader: VpcdReader) -> None:
    card = EchoCard()
    insert(driver, reader, card)
    driver.accept()
    assert driver.ask(ATR) == ATR_T0
    assert reader.card is card


def test_reconnecting_goes_on_until_somebody_listens() -> None:
    attempts: queue.Queue[socket.socket | None] = queue.Queue()
    ends: list[socket.socket] = []

    def connect(_: tuple[str, int]) -> socket.socket:
        connection = attempts.get()
        if connection is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return connection

    def tcp_pair() -> socket.socket:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            ends.append(server.accept()[0])
        return ours

    reader = VpcdReader(VpcdAddress(), connect=connect)
    attempts.put(tcp_pair())
    ends[0].sendall(b"\x00\x01" + ON)
    reader.insert(EchoCard())
    ends[0].close()
    attempts.put(None)
    attempts.put(None)
    attempts.put(tcp_pair())
    ends[1].sendall(b"\x00\x01" + ATR)
    assert ends[1].recv(4, socket.MSG_WAITALL) == b"\x00\x02" + ATR_T0
    reader.remove()
    ends[1].close()


def test_removal_ends_the_attempts_to_reconnect(driver: Driver, reader: VpcdReader) -> None:
    insert(driver, reader, EchoCard())
    driver.close()
    reader.remove()
    assert not any(thread.name == f"cardsim {reader.name}" for thread in threading.enumerate())


def test_nothing_that_listens_is_named_with_the_remedy(driver: Driver, reader: VpcdReader) -> None:
    driver.close()
    with pytest.raises(ReaderError, match=rf"no vpcd listens on {driver.address} .*vsmartcard-vpcd"):
        reader.insert(EchoCard())
    assert reader.card is None


@pytest.mark.parametrize(("kind", "seen"), [("remove", []), ("remove-after", [COMMAND])])
def test_a_fault_pulls_the_card(driver: Driver, reader: VpcdReader, kind: str, seen: list[bytes]) -> None:
    card = EchoCard()
    insert(driver, reader, card)
    reader.faults.arm(Fault.parse(f"{kind}@1"))
    assert driver.ask(COMMAND) is None
    assert reader.card is None
    assert card.commands == seen


@pytest.mark.parametrize("same", [False, True])
def test_a_fault_swaps_the_card(driver: Driver, reader: VpcdReader, same: bool) -> None:
    first = EchoCard()
    other = first if same else EchoCard(CardProtocol.T1)
    insert(driver, reader, first)
    reader.faults.cards = lambda _name: other
    reader.faults.arm(Fault.parse("swap@1:nurse"))
    assert driver.ask(COMMAND) is None
    driver.accept()
    driver.send(ON)
    assert driver.ask(ATR) == other.atr
    assert other.powered
    assert driver.ask(COMMAND) == COMMAND + b"\x90\x00"
    assert reader.card is other
    assert first.commands == ([COMMAND] if same else [])


def test_a_swap_into_a_pcscd_that_has_gone_leaves_the_reader_empty(
    driver: Driver, reader: VpcdReader, caplog: pytest.LogCaptureFixture
) -> None:
    insert(driver, reader, EchoCard())
    reader.faults.cards = lambda _name: EchoCard()
    reader.faults.arm(Fault.parse("swap@1:nurse"))
    driver.stop_listening()
    thread = next(each for each in threading.enumerate() if reader.name in each.name)
    driver.ask(COMMAND)
    thread.join()
    assert reader.card is None
    assert "the card to be swapped in is not in: no vpcd listens" in caplog.text


def test_removal_does_not_wait_for_a_mute_card(driver: Driver, reader: VpcdReader) -> None:
    insert(driver, reader, EchoCard())
    reader.faults.arm(Fault.parse("mute@1"))
    driver.send(COMMAND)
    reader.remove()
    assert driver.receive() is None


def test_a_card_mute_for_a_time_drops_the_connection_and_comes_back(driver: Driver, reader: VpcdReader) -> None:
    insert(driver, reader, EchoCard())
    reader.faults.arm(Fault.parse("mute@1:1"))
    assert driver.ask(COMMAND) is None
    driver.accept()
    assert driver.ask(COMMAND) == COMMAND + b"\x90\x00"


def test_a_card_mute_at_power_up_has_an_atr_that_no_driver_takes(driver: Driver, reader: VpcdReader) -> None:
    reader.faults.arm(Fault.parse("mute@0"))
    insert(driver, reader, EchoCard())
    assert len(driver.ask(ATR) or b"") > 33
    driver.send(ON)
    assert driver.ask(ATR) == ATR_T0


def test_an_answer_longer_than_a_message_is_cut(driver: Driver, reader: VpcdReader) -> None:
    insert(driver, reader, EchoCard())
    reader.faults.arm(Fault.parse("oversize@1:70000"))
    assert len(driver.ask(COMMAND) or b"") == 0xFFFF


class RecordingSocket:
    """A socket that hands out given parts and notes what was done to it."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)
        self.calls: list[str] = []
        self.sent: list[bytes] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Note the options that matter."""
        assert (level, value) == (socket.IPPROTO_TCP, 1)
        self.calls.append({socket.TCP_QUICKACK: "quickack", socket.TCP_NODELAY: "nodelay"}[option])

    def recv(self, length: int) -> bytes:
        """Give the next part, or what of it fits."""
        self.calls.append("recv")
        part = self._parts.pop(0) if self._parts else b""
        if len(part) > length:
            self._parts.insert(0, part[length:])
        return part[:length]

    def sendall(self, data: bytes) -> None:
        """Note what was sent."""
        self.sent.append(data)


def test_quickack_is_set_anew_before_each_receive() -> None:
    connection = RecordingSocket(b"\x00", b"\x04\x00\xa4", b"\x00\x00")
    assert receive_message(connection) == COMMAND  # type: ignore[arg-type]  # what it uses of a socket
    assert connection.calls == ["quickack", "recv"] * 4


def test_an_answer_leaves_in_one_piece() -> None:
    connection = RecordingSocket()
    send_message(connection, b"\x90\x00")  # type: ignore[arg-type]  # what it uses of a socket
    assert connection.sent == [b"\x00\x02\x90\x00"]


def test_the_connection_does_not_wait_for_more_to_send(driver: Driver, reader: VpcdReader) -> None:
    with reader.open() as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@settings(deadline=None)
@given(st.binary(min_size=0, max_size=300), st.lists(st.integers(1, 20), max_size=40), st.booleans())
def test_messages_arrive_whole_however_they_are_cut(message: bytes, cuts: list[int], whole: bool) -> None:
    stream = len(message).to_bytes(2, "big") + message
    if not whole:
        stream = stream[:-1]
    parts = []
    for cut in cuts:
        parts.append(stream[:cut])
        stream = stream[cut:]
    connection = RecordingSocket(*(part for part in [*parts, stream] if part))
    assert receive_message(connection) == (message if whole else None)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:35964", VpcdAddress("127.0.0.1", 35964)),
        ("localhost", VpcdAddress("localhost", 35963)),
        (":40000", VpcdAddress("127.0.0.1", 40000)),
        ("[::1]:40000", VpcdAddress("::1", 40000)),
    ],
)
def test_addresses(text: str, address: VpcdAddress) -> None:
    assert VpcdAddress.parse(text) == address
    assert VpcdAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["host:", "host:0", "host:65536", "host:-1", "host:port", "host:１"])
def test_unfit_ports_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number from 1 to 65535"):
        VpcdAddress.parse(text)
