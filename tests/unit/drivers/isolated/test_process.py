"""A token's process that does otherwise than it should: each way is said, and leaves no process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from cardd_drivers.contract import CardError, CardReset, MalformedCardData, ReaderFailure
from cardd_drivers.isolated import process as module
from cardd_drivers.isolated.messages import Ask, Fault, Told, compose
from cardd_drivers.isolated.process import TokenProcess, open_process

READY = bytes([Told.READY])
_PROGRAM = """
import socket, sys
connection = socket.socket(fileno=int(sys.argv[1]))
for packet in map(bytes.fromhex, sys.argv[2:]):
    connection.send(packet)
    if not connection.recv(65536):
        break
"""


def telling(monkeypatch: pytest.MonkeyPatch, *packets: bytes) -> None:
    """Have processes that send these packets, each after a request, and end."""

    def spawn(_program: str, _settings: Any, _environment: Any, theirs: socket.socket) -> subprocess.Popen[bytes]:
        told = [packet.hex() for packet in packets]
        command = (sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), *told)
        return subprocess.Popen(command, pass_fds=(theirs.fileno(),))

    monkeypatch.setattr(module, "_spawn", spawn)


def opened(lost: threading.Event) -> TokenProcess:
    return open_process("no.program", {}, {}, "fake", lost.set)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x40\x00", CardReset),
        (b"\x07", CardReset),
        (bytes(compose(Told.FAULT, [b"no word", b""])), CardReset),
        (bytes(compose(Told.FAULT, [Fault.FAILED.value.encode(), b"why"])), ReaderFailure),
    ],
)
def test_an_answer_that_is_none_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, error: type[CardError]
) -> None:
    telling(monkeypatch, READY, answer)
    running = opened(threading.Event())
    with pytest.raises(error):
        running.ask(Ask.DESCRIBE)
    assert running._process.wait(20) != 0
    running.close()


def test_an_end_that_nobody_asked_for_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telling(monkeypatch, READY)
    lost = threading.Event()
    running = opened(lost)
    with pytest.raises(CardReset):
        running.ask(Ask.DESCRIBE)
    assert lost.wait(20)
    assert "its token's session is over" in caplog.text
    running.close()


@pytest.mark.parametrize("packet", [b"\x40", bytes(compose(Told.FAULT, [Fault.NO_KEY.value.encode(), b"why"]))])
def test_a_process_that_does_not_get_ready_is_not_had(monkeypatch: pytest.MonkeyPatch, packet: bytes) -> None:
    telling(monkeypatch, packet)
    with pytest.raises((CardReset, MalformedCardData)):
        opened(threading.Event())
