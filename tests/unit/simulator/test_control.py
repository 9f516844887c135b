"""The control socket: what can be asked, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardsim import control
from cardsim.control import LONGEST_LINE, MOST_CONNECTIONS, ControlServer, ControlSocketError, default_path
from cardsim.control_cards import CardCupboard
from cardsim.control_client import ask, follow
from cardsim.control_desk import ControlDesk, ControlError, FixedRack
from cardsim.transports.inprocess import InProcessPcsc
from tests.support.cards import EchoCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cardsim.card import SimulatedCard
    from cardsim.pki import PkiStore
    from cardsim.profiles import Profile

FIRST, SECOND = "first reader", "second reader"


def echo_card(_profile: Profile, _store: PkiStore) -> SimulatedCard:
    return EchoCard()


@pytest.fixture
def stack() -> InProcessPcsc:
    made = InProcessPcsc()
    made.add_reader(FIRST)
    made.add_reader(SECOND)
    return made


@pytest.fixture
def path(tmp_path: Path, stack: InProcessPcsc) -> Iterator[Path]:
    """The socket of a server that runs."""
    server = ControlServer(tmp_path / "run" / "control", ControlDesk(stack, CardCupboard(tmp_path, echo_card)))
    server.start()
    yield server.path
    server.close()


class Line:
    """A connection that sends raw lines."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._incoming = self._socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._incoming.close()
        self._socket.close()

    def send(self, line: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(line)

    def answer(self) -> dict[str, Any]:
        """Return the next answer."""
        return dict(json.loads(self._incoming.readline()))

    def ended(self) -> bool:
        """Return whether the server has closed."""
        return self._incoming.readline() == b""


def refused(path: Path, command: str, **fields: str) -> tuple[str, str]:
    """Ask for what is refused; return the error's name and message."""
    with pytest.raises(ControlError) as caught:
        ask(path, command, **fields)
    return caught.value.name, str(caught.value)


def test_a_card_goes_in_and_out(path: Path, stack: InProcessPcsc) -> None:
    answer = ask(path, "insert", profile="nurse")
    assert (answer["reader"], answer["profile"]) == (FIRST, "nurse")
    assert "pin" not in json.dumps(answer).casefold()
    [first, second] = ask(path, "status")["readers"]
    assert (first["card"], first["profile"], first["atr"]) == (True, "nurse", "3B00")
    assert (second["card"], second["profile"], second["atr"], second["holder"]) == (False, None, None, None)
    card = stack.readers()[0].card
    assert ask(path, "remove") == {"reader": FIRST}
    assert stack.readers()[0].card is None
    assert ask(path, "insert")["profile"] == "nurse"
    assert stack.readers()[0].card is card
    ask(path, "remove", reader=FIRST)
    assert ask(path, "insert", reader=SECOND)["profile"] == "physician"


def test_two_cards_in_one_reader_and_one_card_in_two_are_refused(path: Path) -> None:
    ask(path, "insert", profile="nurse")
    assert refused(path, "insert", profile="student") == ("reader", f"a card is in {FIRST} already")
    name, message = refused(path, "insert", profile="nurse", reader=SECOND)
    assert name == "reader"
    assert message == f"the card of profile nurse is in {FIRST} already"


def test_faults_are_armed_and_cleared(path: Path, stack: InProcessPcsc) -> None:
    assert ask(path, "fault", fault="sw@3:6f00")["faults"] == ["sw@3:6F00"]
    ask(path, "fault", fault="remove@7", reader=SECOND)
    assert [each["faults"] for each in ask(path, "status")["readers"]] == [["sw@3:6F00"], ["remove@7"]]
    ask(path, "clear-faults")
    assert stack.readers()[0].faults.armed() == ()
    assert stack.readers()[1].faults.armed()


def test_a_swap_takes_the_cards_of_the_cupboard(path: Path, stack: InProcessPcsc) -> None:
    ask(path, "insert", profile="physician")
    assert ask(path, "fault", fault="swap@1:nurse")["faults"] == ["swap@1:nurse"]
    with pytest.raises(ControlError, match="no such profile") as refused:
        ask(path, "fault", fault="swap@1:nobody")
    assert refused.value.name == "bad-profile"
    context = stack.SCardEstablishContext(stack.SCARD_SCOPE_SYSTEM)[1]
    _, handle, protocol = stack.SCardConnect(context, FIRST, stack.SCARD_SHARE_SHARED, stack.SCARD_PROTOCOL_ANY)
    assert stack.SCardTransmit(handle, protocol, [0x00, 0xB0, 0x00, 0x00])[0] == stack.SCARD_E_NO_SMARTCARD
    assert ask(path, "status")["readers"][0]["profile"] == "nurse"


def test_readers_are_plugged_in_and_out(path: Path, stack: InProcessPcsc) -> None:
    assert ask(path, "add-reader", name="third") == {"reader": "third"}
    assert [reader.name for reader in stack.readers()] == [FIRST, SECOND, "third"]
    ask(path, "remove-reader", name=FIRST)
    assert [reader.name for reader in stack.readers()] == [SECOND, "third"]
    assert refused(path, "remove-reader", name=FIRST)[0] == "reader"


def test_the_readers_of_pcscd_stay_as_they_are(tmp_path: Path) -> None:
    desk = ControlDesk(FixedRack(), CardCupboard(tmp_path, echo_card))
    for command in ("add-reader", "remove-reader"):
        with pytest.raises(ControlError, match="pcscd's configuration"):
            desk.do({"command": command, "name": "x"})
    with pytest.raises(ControlError, match="there is no reader"):
        desk.do({"command": "remove"})


@pytest.mark.parametrize(
    ("command", "fields", "name", "said"),
    [
        ("explode", {}, "unknown-command", "unknown command 'explode'"),
        ("insert", {"colour": "blue"}, "unknown-key", "insert knows no key 'colour'"),
        ("insert", {"reader": "third"}, "unknown-reader", "no reader 'third', only: first reader, second reader"),
        ("insert", {"profile": "nobody"}, "bad-profile", "nobody"),
        ("fault", {}, "bad-request", "needs the key 'fault'"),
        ("fault", {"fault": "sw@3"}, "bad-fault", "needs an argument"),
        ("add-reader", {}, "bad-request", "name is missing"),
    ],
)
def test_requests_are_refused_for_what_is_wrong(
    path: Path, command: str, fields: dict[str, str], name: str, said: str
) -> None:
    error, message = refused(path, command, **fields)
    assert error == name
    assert said in message


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'"insert"\n',
        b'{"command": 3}\n',
        b'{"command": "insert", "profile": null}\n',
        b"[" * 60000 + b"\n",
        b"x" * (LONGEST_LINE + 1) + b"\n",
        b"x" * (5 * LONGEST_LINE) + b"\n",
    ],
    ids=lambda line: line[:20].decode("latin-1"),
)
def test_bad_lines_get_an_answer_and_the_connection_lives_on(path: Path, line: bytes) -> None:
    with Line(path) as connection:
        connection.send(line)
        answer = connection.answer()
        assert (answer["ok"], answer["error"]) == (False, "bad-request")
        connection.send(b'{"command": "status"}\n')
        assert connection.answer()["ok"]


def test_the_longest_line_is_read(path: Path) -> None:
    with Line(path) as connection:
        request = b'{"command": "status"'
        connection.send(request + b" " * (LONGEST_LINE - len(request) - 2) + b"}\n")
        assert connection.answer()["ok"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.binary(max_size=60).filter(lambda line: b"\n" not in line))
def test_any_line_gets_one_answer(path: Path, line: bytes) -> None:
    with Line(path) as connection:
        connection.send(line + b"\n")
        assert isinstance(connection.answer()["ok"], bool)


def test_a_client_that_leaves_in_mid_line_harms_nobody(path: Path) -> None:
    with Line(path) as connection:
        connection.send(b'{"command": ')
    assert ask(path, "status")


def test_an_unforeseen_failure_is_answered_and_logged(
    path: Path, stack: InProcessPcsc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(stack, "readers", fail)
    name, message = refused(path, "status")
    assert name == "failed"
    assert "broken" not in message
    assert "control request failed" in caplog.text


def test_connections_are_bounded(path: Path) -> None:
    lines = [Line(path) for _ in range(MOST_CONNECTIONS)]
    for line in lines:
        line.send(b'{"command": "status"}\n')
        assert line.answer()["ok"]
    with Line(path) as one_more:
        assert one_more.ended()
    for line in lines:
        line.__exit__()


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path, stack: InProcessPcsc) -> None:
    server = ControlServer(tmp_path / "run" / "control", ControlDesk(stack, CardCupboard(tmp_path, echo_card)))
    server.start()
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700
    with Line(server.path) as connection:
        connection.send(b'{"command": "status"}\n')
        connection.answer()
        server.close()
        assert connection.ended()
    assert not server.path.exists()
    server.close()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path, stack: InProcessPcsc) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    desk = ControlDesk(stack, CardCupboard(tmp_path, echo_card))
    server = ControlServer(path, desk)
    server.start()
    try:
        with pytest.raises(ControlSocketError, match="another simulator answers"):
            ControlServer(path, desk).start()
        assert ask(path, "status")
    finally:
        server.close()


def test_what_is_no_socket_is_left_alone(tmp_path: Path, stack: InProcessPcsc) -> None:
    path = tmp_path / "control"
    path.write_text("mine")
    with pytest.raises(ControlSocketError, match="is no socket"):
        ControlServer(path, ControlDesk(stack, CardCupboard(tmp_path, echo_card))).start()
    assert path.read_text() == "mine"


def test_a_path_that_cannot_be_is_named(tmp_path: Path, stack: InProcessPcsc) -> None:
    path = tmp_path / ("x" * 200)
    with pytest.raises(ControlSocketError, match="cannot listen on"):
        ControlServer(path, ControlDesk(stack, CardCupboard(tmp_path, echo_card))).start()


def test_a_directory_that_is_a_link_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ControlSocketError, match="not a directory of this user's"):
        control.prepare_directory(tmp_path / "link")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    os.chown(tmp_path / "taken", 12345, 12345)
    with pytest.raises(ControlSocketError, match="not a directory of this user's"):
        control.prepare_directory(tmp_path / "taken")


def test_the_default_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert str(default_path()) == "/run/user/1000/cardsim/control"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert default_path().parts[-2:] == (f"cardsim-{os.getuid()}", "control")


def test_without_a_simulator_the_client_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ControlSocketError, match="start one with 'cardsim run'"):
        ask(tmp_path / "control", "status")


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"[]\n", b"{}\n", b'{"ok": false}\n'])
def test_something_else_on_the_socket_is_no_simulator(answer: bytes, tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        with pytest.raises(ControlSocketError, match="is no simulator"):
            ask(path, "status")
        serving.join()


def test_a_tap_holds_the_card_to_the_reader_for_its_time(stack: InProcessPcsc, tmp_path: Path) -> None:
    reader = stack.readers()[0]
    waited: list[tuple[float, bool]] = []
    desk = ControlDesk(
        stack, CardCupboard(tmp_path, echo_card), wait=lambda seconds: waited.append((seconds, reader.card is not None))
    )
    assert desk.do({"command": "tap", "profile": "nurse", "milliseconds": "250"})["profile"] == "nurse"
    assert waited == [(0.25, True)]
    assert reader.card is None
    for wrong in ("0", "-1", "ten", "60001", ""):
        with pytest.raises(ControlError, match="milliseconds is a number from 1 to 60000"):
            desk.do({"command": "tap", "milliseconds": wrong})
    assert reader.card is None


def test_a_trace_gives_each_exchange_in_words_and_no_pin(path: Path, stack: InProcessPcsc) -> None:
    lines = follow(path, FIRST)
    first: list[str] = []
    begun = threading.Thread(target=lambda: first.append(next(lines)))
    begun.start()
    # The trace begins when its request is answered: a card that goes in and out again until then is not seen.
    while begun.is_alive():
        ask(path, "insert", profile="nurse")
        begun.join(0.01)
        if begun.is_alive():
            ask(path, "remove")
    assert json.loads(first[0])["ctl"] in ("insert", "remove", "power-on", "power-off")
    if next(reader for reader in stack.readers() if reader.name == FIRST).card is None:
        ask(path, "insert", profile="nurse")  # it was the removal that the trace began with
    context = stack.SCardEstablishContext(stack.SCARD_SCOPE_SYSTEM)[1]
    code, handle, protocol = stack.SCardConnect(context, FIRST, stack.SCARD_SHARE_SHARED, stack.SCARD_PROTOCOL_ANY)
    assert code == stack.SCARD_S_SUCCESS
    stack.SCardTransmit(handle, protocol, [0x00, 0x20, 0x00, 0x01, 0x04, 0x31, 0x32, 0x33, 0x34])
    exchange = next(entry for entry in map(json.loads, lines) if "c" in entry)
    assert exchange["c"] == "002000010400000000"
    assert exchange["m"].startswith("VERIFY reference 01, 4 bytes hidden")
    assert exchange["masked"] is True


def test_a_trace_of_no_reader_is_refused(path: Path) -> None:
    with pytest.raises(ControlError, match="there is no reader 'third'"):
        next(follow(path, "third"))


def test_a_client_that_does_not_read_its_trace_holds_up_no_card(
    path: Path, stack: InProcessPcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MOST_ENTRIES_WAITING", 4)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b'{"command": "trace"}\n')
        assert json.loads(connection.makefile("rb").readline())["ok"]
        feed = stack.readers()[0].exchanges
        for _ in range(3000):  # more than the socket and the queue hold
            feed.exchange(bytes(250), bytes(250))
    assert ask(path, "status")["readers"]
