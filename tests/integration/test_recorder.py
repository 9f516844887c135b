"""A card in one reader of the real pcscd, offered in another, recorded, and played back as a card."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from smartcard import scard

from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import card_of
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

CARDSIM = str(Path(sys.executable).with_name("cardsim"))
SERIAL, PIN = "00B09C000C", "002000010831323334FFFFFFFF"


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    try:
        with PrivatePcscd(readers=2) as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def real(pcscd: PrivatePcscd) -> Iterator[VpcdReader]:
    """The reader that stands for a real one, with a card in it."""
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    reader.insert(card_of())
    yield reader
    reader.remove()


@contextmanager
def running(pcscd: PrivatePcscd, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A cardsim whose card is in the second reader; it ends well."""
    command = [CARDSIM, *arguments, "--vpcd", f"127.0.0.1:{pcscd.ports[1]}"]
    process = subprocess.Popen(
        command, env=pcscd.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", line + process.communicate()[1]
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate()
        assert (process.returncode, errors) == (0, ""), said + errors


def ask(pcscd: PrivatePcscd, *commands: str) -> tuple[bytes, list[str]]:
    """What the card in the second reader answers to reset and to commands."""
    name = pcscd.reader_names[1]
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    known = scard.SCARD_STATE_UNAWARE
    while not known & scard.SCARD_STATE_PRESENT:
        _, [(_, known, _)] = scard.SCardGetStatusChange(context, scard.INFINITE, [(name, known)])
    result, handle, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_ANY)
    assert result == 0, scard.SCardGetErrorMessage(result)
    atr = bytes(scard.SCardStatus(handle)[4])
    answers = [bytes(scard.SCardTransmit(handle, protocol, list(bytes.fromhex(each)))[1]) for each in commands]
    scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)
    scard.SCardReleaseContext(context)
    return atr, [answer.hex().upper() for answer in answers]


def test_what_programs_say_is_recorded_without_secrets_and_answers_again(
    pcscd: PrivatePcscd, real: VpcdReader, tmp_path: Path
) -> None:
    transcript = tmp_path / "card.jsonl"
    with running(pcscd, "record", "--reader", pcscd.reader_names[0], str(transcript)):
        atr, answers = ask(pcscd, SERIAL, "00200001", PIN, SERIAL)
    assert real.card is not None
    assert atr == real.card.atr
    assert [answers[1], answers[2]] == ["63C3", "9000"]
    assert answers[0] == answers[3] != "9000"

    lines = [json.loads(line) for line in transcript.read_text().splitlines()]
    exchanges = [(line["c"], line["r"]) for line in lines if "c" in line]
    hidden = "00" * 12 + "9000"
    assert exchanges == [
        (SERIAL, answers[0]),
        ("00200001", "63C3"),
        ("0020000108" + "00" * 8, "9000"),
        (SERIAL, hidden),  # after the PIN nobody knows what it has opened
    ]
    assert "31323334" not in transcript.read_text()
    assert transcript.stat().st_mode & 0o077 == 0

    real.remove()
    with running(pcscd, "replay", str(transcript)):
        again = ask(pcscd, SERIAL, "00200001", PIN.replace("31", "39"), SERIAL, "00840000FF")
    assert again == (atr, [*answers[:3], hidden, "6F00"])


def test_reads_after_the_pin_are_kept_where_wished(pcscd: PrivatePcscd, real: VpcdReader, tmp_path: Path) -> None:
    transcript = tmp_path / "card.jsonl"
    with running(pcscd, "record", "--protected-reads", "--reader", pcscd.reader_names[0], str(transcript)):
        _, answers = ask(pcscd, PIN, SERIAL)
    assert real.card is not None
    recorded = [line["r"] for line in map(json.loads, transcript.read_text().splitlines()) if "c" in line]
    assert recorded == answers


def test_the_second_card_goes_and_comes_with_the_first(pcscd: PrivatePcscd, real: VpcdReader, tmp_path: Path) -> None:
    transcript = tmp_path / "card.jsonl"
    with running(pcscd, "record", "--reader", pcscd.reader_names[0], str(transcript)) as recording:
        assert recording.stdout is not None
        real.remove()
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        known = scard.SCARD_STATE_UNAWARE
        while not known & scard.SCARD_STATE_EMPTY:
            _, [(_, known, _)] = scard.SCardGetStatusChange(context, scard.INFINITE, [(pcscd.reader_names[1], known)])
        scard.SCardReleaseContext(context)
        real.insert(card_of("nurse"))
        assert recording.stdout.readline() == "ready\n"
        assert ask(pcscd, "00200001")[1] == ["63C3"]


@pytest.mark.parametrize(
    ("reader", "said"), [("No such reader", "there is no reader 'No such reader'"), (None, "File exists")]
)
def test_what_cannot_be_recorded_is_told(pcscd: PrivatePcscd, tmp_path: Path, reader: str | None, said: str) -> None:
    transcript = tmp_path / "card.jsonl"
    if reader is None:
        transcript.write_text("kept")
    command = [CARDSIM, "record", "--reader", reader or pcscd.reader_names[0], str(transcript)]
    done = subprocess.run(command, env=pcscd.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if reader is None:
        assert transcript.read_text() == "kept"
