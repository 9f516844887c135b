"""A simulated card in the real pcscd, seen by pyscard."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from smartcard import scard

from cardsim.card import CardProtocol
from cardsim.faults import Fault
from cardsim.transports.reader import ReaderError
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.cards import ATR_T1, EchoCard
from tests.support.pcsc_conformance import Bench, PcscConformance
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_MS = 10_000
_CARDSIM = (str(Path(sys.executable).with_name("cardsim")),)


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module's tests."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


@pytest.fixture
def reader(pcscd: PrivatePcscd) -> Iterator[VpcdReader]:
    """The first slot, empty before and after."""
    slot = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    yield slot
    slot.remove()
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_EMPTY)


class Client:
    """What a program sees of one reader, through pyscard."""

    def __init__(self, name: str) -> None:
        self.name = name
        result, self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        assert result == scard.SCARD_S_SUCCESS
        self.handle = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        scard.SCardReleaseContext(self.context)

    def await_state(self, wanted: int) -> list[int]:
        """Wait until the reader's state has the bit; return the ATR."""
        state = scard.SCARD_STATE_UNAWARE
        while True:
            result, [(_, state, atr)] = scard.SCardGetStatusChange(self.context, _WAIT_MS, [(self.name, state)])
            assert result == scard.SCARD_S_SUCCESS
            if state & wanted:
                return list(atr)

    def connect(self) -> int:
        """Connect shared; return the protocol."""
        result, self.handle, protocol = scard.SCardConnect(
            self.context, self.name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY
        )
        assert result == scard.SCARD_S_SUCCESS
        return int(protocol)

    def transmit(self, command: bytes) -> tuple[int, bytes]:
        """Send a command in T=1."""
        result, answer = scard.SCardTransmit(self.handle, scard.SCARD_PCI_T1, list(command))
        return result, bytes(answer) if result == scard.SCARD_S_SUCCESS else b""


def test_an_inserted_card_is_seen_with_its_atr_and_answers(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    card = EchoCard(CardProtocol.T1)
    with Client(pcscd.reader_names[0]) as client:
        reader.insert(card)
        assert bytes(client.await_state(scard.SCARD_STATE_PRESENT)) == ATR_T1
        assert client.connect() == scard.SCARD_PROTOCOL_T1
        long_command = bytes(range(256))
        assert client.transmit(long_command) == (scard.SCARD_S_SUCCESS, long_command + b"\x90\x00")
        assert card.commands == [long_command]


def test_removal_and_insertion_again_are_seen_and_end_the_handle(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    card = EchoCard(CardProtocol.T1)
    with Client(pcscd.reader_names[0]) as client:
        reader.insert(card)
        client.await_state(scard.SCARD_STATE_PRESENT)
        client.connect()
        reader.remove()
        assert reader.card is None
        client.await_state(scard.SCARD_STATE_EMPTY)
        assert client.transmit(b"\x00\xa4\x00\x00")[0] == scard.SCARD_W_REMOVED_CARD
        reader.insert(card)
        client.await_state(scard.SCARD_STATE_PRESENT)
        assert client.transmit(b"\x00\xa4\x00\x00")[0] == scard.SCARD_W_REMOVED_CARD
        client.connect()
        assert client.transmit(b"\x00\xa4\x00\x00")[0] == scard.SCARD_S_SUCCESS


def test_a_reset_reaches_the_card(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    card = EchoCard(CardProtocol.T1)
    reader.insert(card)
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_PRESENT)
        client.connect()
        before = card.power_ups
        assert scard.SCardDisconnect(client.handle, scard.SCARD_RESET_CARD) == scard.SCARD_S_SUCCESS
        assert card.power_ups == before + 1


@pytest.mark.parametrize("crash", [False, True], ids=["restarted", "killed"])
def test_the_card_comes_back_after_pcscd(pcscd: PrivatePcscd, reader: VpcdReader, crash: bool) -> None:
    reader.insert(EchoCard(CardProtocol.T1))
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_PRESENT)
    if crash:
        pcscd.crash()
        pcscd.start()
    else:
        pcscd.restart()
    with Client(pcscd.reader_names[0]) as client:
        assert bytes(client.await_state(scard.SCARD_STATE_PRESENT)) == ATR_T1


def test_a_card_pulled_at_a_command_loses_the_answer(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    card = EchoCard(CardProtocol.T1)
    reader.insert(card)
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_PRESENT)
        client.connect()
        reader.faults.arm(Fault.parse("remove-after@2"))
        assert client.transmit(b"\x00\xb0\x00\x00")[1] == b"\x00\xb0\x00\x00\x90\x00"
        assert client.transmit(b"\x00\xb0\x00\x01")[1] == b""
        assert card.commands[-1] == b"\x00\xb0\x00\x01"
        client.await_state(scard.SCARD_STATE_EMPTY)
        assert reader.card is None


def test_a_card_mute_at_power_up_is_there_and_cannot_be_connected(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    reader.faults.arm(Fault.parse("mute@0+"))
    reader.insert(EchoCard(CardProtocol.T1))
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_MUTE)
        result, *_ = scard.SCardConnect(client.context, client.name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY)
        assert result == scard.SCARD_W_UNPOWERED_CARD


def test_removal_does_not_wait_for_a_mute_card(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    reader.insert(EchoCard(CardProtocol.T1))
    with Client(pcscd.reader_names[0]) as client:
        client.await_state(scard.SCARD_STATE_PRESENT)
        client.connect()
        reader.faults.arm(Fault.parse("mute@1"))
        answers: list[tuple[int, bytes]] = []
        waiting = threading.Thread(target=lambda: answers.append(client.transmit(b"\x00\xb0\x00\x00")))
        waiting.start()
        reader.remove()
        waiting.join()
        assert answers[0][1] == b""


def test_a_slot_with_a_card_takes_no_second(pcscd: PrivatePcscd, reader: VpcdReader) -> None:
    reader.insert(EchoCard(CardProtocol.T1))
    other = VpcdReader(reader.address, accept_seconds=0.5)
    with pytest.raises(ReaderError, match="another card in this slot"):
        other.insert(EchoCard(CardProtocol.T1))
    assert other.card is None


def test_without_pcscd_the_error_names_the_address_and_the_remedy() -> None:
    port = free_ports(1)
    reader = VpcdReader(VpcdAddress(port=port))
    with pytest.raises(ReaderError, match=rf"no vpcd listens on 127\.0\.0\.1:{port} .*start pcscd"):
        reader.insert(EchoCard())
    assert reader.card is None


def test_a_port_in_use_is_the_reason_why_no_pcscd_runs(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    script = str(Path(__file__).parents[2] / "scripts" / "private-pcscd")
    command = [script, "--port", str(pcscd.ports[0]), "--socket", str(tmp_path / "pcscd.comm")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "a reader's port is in use" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_socket_that_is_served_is_not_taken_over(pcscd: PrivatePcscd) -> None:
    script = str(Path(__file__).parents[2] / "scripts" / "private-pcscd")
    command = [script, "--port", str(free_ports(2)), "--socket", str(pcscd.socket_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "a pcscd already serves" in ended.stderr


def test_a_command_can_run_inside_the_namespace(pcscd: PrivatePcscd) -> None:
    listed = pcscd.run(["cat", "/run/pcscd/pcscd.pid"])
    assert listed.stdout.strip("\n\0") == str(pcscd.pid)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fictional PKI and the cards' keys, made once."""
    return tmp_path_factory.mktemp("cardsim")


class Simulator:
    """``cardsim run`` on the first slot, and the other commands on it."""

    def __init__(self, pcscd: PrivatePcscd, home: Path, *options: str) -> None:
        self._control = str(home / "control")
        self.process = subprocess.Popen(
            [
                *(*_CARDSIM, "run", "--vpcd", f"127.0.0.1:{pcscd.ports[0]}"),
                *("--home", str(home), "--control", self._control, *options),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def lines_until(self, last: str) -> list[str]:
        """Return the lines that it prints before one."""
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            if line == last + "\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"it ended without {last!r}: {lines}")

    def command(self, *arguments: str) -> str:
        """Run another command on it; return its output."""
        command = [*_CARDSIM, *arguments, "--control", self._control]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_cardsim_run_has_the_card_in_when_it_says_ready_and_takes_it_out_at_its_end(
    pcscd: PrivatePcscd, home: Path
) -> None:
    with Client(pcscd.reader_names[0]) as client, Simulator(pcscd, home, "--profile", "nurse") as simulator:
        described = "\n".join(simulator.lines_until("ready"))
        for part in ("holder:", "card number:", "PIN:", "PUK:"):
            assert part in described
        atr = bytes(client.await_state(scard.SCARD_STATE_PRESENT))
        [reader] = json.loads(simulator.command("status", "--json"))["readers"]
        assert (reader["profile"], reader["atr"]) == ("nurse", atr.hex().upper())
        simulator.command("remove")
        client.await_state(scard.SCARD_STATE_EMPTY)
        assert simulator.command("insert", "--profile", "physician").split(": ")[1].startswith("physician, ")
        client.await_state(scard.SCARD_STATE_PRESENT)
        simulator.process.send_signal(signal.SIGTERM)
        assert simulator.process.wait() == 0
        client.await_state(scard.SCARD_STATE_EMPTY)
    assert not (home / "control").exists()


def test_cardsim_run_waits_for_a_card_and_strikes_with_faults(pcscd: PrivatePcscd, home: Path) -> None:
    options = ("--no-insert", "--json", "--fault", "sw@1:6F00")
    with Client(pcscd.reader_names[0]) as client, Simulator(pcscd, home, *options) as simulator:
        [described] = simulator.lines_until("waiting")
        card = json.loads(described)
        assert (card["profile"], len(card["pin"]), len(card["puk"])) == ("physician", 4, 8)
        client.await_state(scard.SCARD_STATE_EMPTY)
        simulator.command("insert")
        client.await_state(scard.SCARD_STATE_PRESENT)
        protocol = client.connect()
        select_root = [0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00]
        assert scard.SCardTransmit(client.handle, protocol, select_root) == [0, [0x6F, 0x00]]
        assert scard.SCardTransmit(client.handle, protocol, select_root) == [0, [0x90, 0x00]]
        simulator.process.send_signal(signal.SIGINT)
        assert simulator.process.wait() == 0


class TestPcscdConformance(PcscConformance):
    """The real pcscd passes the tests that the in-process stack passes; see ``PcscConformance``."""

    @pytest.fixture
    def bench(self, pcscd: PrivatePcscd, reader: VpcdReader) -> Bench:
        """pyscard, and the first slot."""
        return Bench(scard, pcscd.reader_names[0], reader)
