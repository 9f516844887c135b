"""The commands that need no reader: their output, their errors, their exit codes."""

from __future__ import annotations

import functools
import json
import signal
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from cardsim.cli import catalogue
from cardsim.cli.app import app
from cardsim.control import ControlServer
from cardsim.control_cards import CardCupboard
from cardsim.control_desk import ControlDesk
from cardsim.pki import PkiStore
from cardsim.transports.inprocess import InProcessPcsc
from tests.support.cards import EchoCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def control(tmp_path: Path) -> Iterator[str]:
    """The socket of a simulator with two in-process readers."""
    stack = InProcessPcsc()
    stack.add_reader("one")
    stack.add_reader("two")
    desk = ControlDesk(stack, CardCupboard(tmp_path, lambda _profile, _store: EchoCard()))
    server = ControlServer(tmp_path / "run" / "control", desk)
    server.start()
    yield str(server.path)
    server.close()


def cardsim(*arguments: str, typed: str = "") -> Result:
    """Run the command line."""
    return CliRunner().invoke(app, arguments, input=typed, env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


def test_profiles_are_listed_with_holder_and_card_type() -> None:
    result = cardsim("profiles")
    assert result.exit_code == 0
    [line] = [line for line in result.output.splitlines() if " student " in line]
    assert "CPF" in line


def test_switches_are_listed_with_their_values() -> None:
    listed = {each["name"]: each for each in json.loads(cardsim("switches", "--json").output)}
    assert listed["past_end"]["values"] == ['"6282"', '"6cxx"', '"9000"']
    assert listed["read_limit"]["values"] == ["256", "64 to 256"]
    assert "pin_lost_after_use" in cardsim("switches").output


def test_profiles_as_json() -> None:
    listed = {each["name"]: each for each in json.loads(cardsim("profiles", "--json").output)}
    assert {"physician", "nurse", "staff"} <= listed.keys()
    assert listed["staff"]["card_type"] == "CPE"
    assert listed["physician"]["holder"]
    assert listed["physician"]["card_number"].isdigit()


def test_the_trusted_part_of_the_pki_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PkiStore", functools.partial(PkiStore, authority_key_bits=2048))
    target = tmp_path / "trust" / "here"
    result = cardsim("pki", "export", str(target), "--home", str(tmp_path / "home"), "--json")
    assert result.exit_code == 0
    files = sorted(target.iterdir())
    assert sorted(json.loads(result.output)["files"]) == [str(file) for file in files]
    certificates = [file for file in files if file.suffix == ".cer"]
    names = [x509.load_der_x509_certificate(file.read_bytes()).subject.rfc4514_string() for file in certificates]
    assert any("RACINE" in name for name in names)
    assert not any("ETRANGE" in name for name in names)
    assert len([name for name in names if "RACINE" not in name]) >= 1


def test_insert_status_and_remove(control: str) -> None:
    inserted = cardsim("insert", "--profile", "nurse", "--reader", "two", "--control", control)
    assert inserted.exit_code == 0
    assert inserted.output.startswith("two: nurse, ")
    status = cardsim("status", "--control", control).output.splitlines()
    assert status[0] == "one: empty"
    assert status[1].startswith("two: nurse, ")
    [one, two] = json.loads(cardsim("status", "--json", "--control", control).output)["readers"]
    assert (one["card"], two["profile"]) == (False, "nurse")
    assert cardsim("remove", "--reader", "two", "--control", control).output == "two: empty\n"
    assert json.loads(cardsim("remove", "--json", "--control", control).output) == {"reader": "one"}


def test_faults_are_armed_shown_and_cleared(control: str) -> None:
    assert cardsim("fault", "sw@3:6F00", "remove@7", "--control", control).output == "armed: sw@3:6F00, remove@7\n"
    assert "faults: sw@3:6F00, remove@7" in cardsim("status", "--control", control).output
    cleared = cardsim("fault", "--clear", "mute@1", "--json", "--control", control)
    assert json.loads(cleared.output) == {"faults": ["mute@1"]}
    assert cardsim("fault", "--clear", "--control", control).output == "armed: nothing\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fault", "sw@3"), "needs an argument"),
        (("fault",), "give a fault, or --clear"),
        (("run", "--fault", "explode@1"), "unknown kind of fault"),
        (("run", "--vpcd", "host:0"), "not a number from 1 to 65535"),
        (("run", "--colour", "blue"), "No such option"),
        (("explode",), "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    result = cardsim(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize("command", [("insert",), ("remove",), ("status",), ("fault", "remove@1")])
def test_without_a_simulator_commands_fail_with_1_and_the_remedy(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = cardsim(*command, "--control", str(tmp_path / "control"))
    assert result.exit_code == 1
    assert "start one with 'cardsim run'" in result.stderr
    assert result.stdout == ""


def test_what_the_simulator_refuses_is_told_on_standard_error(control: str) -> None:
    result = cardsim("insert", "--profile", "nobody", "--control", control)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nobody" in result.stderr
    result = cardsim("fault", "remove@1", "--reader", "three", "--control", control)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no reader 'three'" in result.stderr


def test_a_file_of_faults_is_armed_or_refused_with_its_line(control: str, tmp_path: Path) -> None:
    story = tmp_path / "story.toml"
    story.write_text('[[fault]]\nkind = "sw"\nat = 3\nargument = "6C05"\n')
    done = cardsim("fault", "remove@9", "--faults", str(story), "--control", control)
    assert done.output == "armed: remove@9, sw@3:6C05\n"
    story.write_text('[[fault]]\nkind = "sw"\nat = "3"\n')
    refused = cardsim("fault", "--faults", str(story), "--control", control)
    assert refused.exit_code == 2
    assert "story.toml:3:" in "".join(refused.stderr.split("\n"))


@pytest.mark.parametrize(("given", "listens"), [((), "127.0.0.1:35963"), (("--vpcd", "[::1]:7"), "[::1]:7")])
def test_run_connects_to_the_given_driver_or_to_debians(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], listens: str
) -> None:
    monkeypatch.setattr(signal, "pthread_sigmask", lambda how, signals: set())
    monkeypatch.setattr(signal, "sigwait", lambda signals: signal.SIGTERM)
    result = cardsim("run", "--no-insert", *given, "--home", str(tmp_path), "--control", str(tmp_path / "control"))
    assert result.exit_code == 0, result.output
    assert f"vpcd {listens}\n" in result.output
    assert result.output.endswith("waiting\n")


def test_a_card_is_tapped(control: str) -> None:
    done = cardsim("tap", "--profile", "nurse", "--for", "1", "--reader", "two", "--control", control)
    assert done.output == "two: nurse was here for 1 ms\n"
    assert cardsim("status", "--control", control).output.splitlines()[1] == "two: empty"


def test_the_keys_of_a_pin_pad_are_pressed(tmp_path: Path) -> None:
    stack = InProcessPcsc()
    pad = stack.add_reader("padded").add_pin_pad()
    server = ControlServer(tmp_path / "control", ControlDesk(stack, CardCupboard(tmp_path)))
    server.start()
    where = ("--control", str(server.path))
    try:
        assert cardsim("pad", *where, typed="1234\n4321\n").output == "padded: ok, entries: 2\n"
        assert cardsim("pad", "cancel", *where).output == "padded: cancel, entries: 1\n"
        assert cardsim("pad", *where, typed="12a4\n").exit_code == 1
    finally:
        server.close()
    assert pad.keys_waiting() == ("1234", "4321", b"\x64\x01")


def test_a_reader_without_a_pad_says_so(control: str) -> None:
    result = cardsim("pad", "--control", control, typed="1234\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "one has no PIN pad" in result.stderr


def test_a_transcript_is_shown_in_words(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"t": 0.5, "ctl": "power-on"}\n{"t": 1.25, "c": "00200001", "r": "63C3", "m": "?"}\n')
    assert cardsim("trace", str(path)).output.splitlines() == [
        "    0.5000  power-on",
        "    1.2500  VERIFY reference 01: how many tries are left? -> 63C3 3 tries left",
    ]
    assert "> 00200001\n" in cardsim("trace", str(path), "--bytes").output
    assert json.loads(cardsim("trace", str(path), "--json").output.splitlines()[1])["c"] == "00200001"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", ":2: no JSON"),
        ("[]", ":2: no JSON object"),
        ('{"c": "00200001"}', ':2: "r" is missing'),
        ('{"c": "0020000", "r": "9000"}', ':2: "c" is not hexadecimal'),
        ('{"t": "now", "c": "", "r": ""}', ':2: "t" is no number'),
    ],
)
def test_a_transcript_that_is_none_is_refused_with_its_line(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(f'{{"ctl": "insert"}}\n{line}\n')
    done = cardsim("trace", str(path))
    assert done.exit_code == 1
    assert said in done.stderr
