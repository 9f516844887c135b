"""The entry point: global options, failures as sentences."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cardd.cli import main as entry
from cardd.cli.main import hoist
from tests.unit.cli.conftest import Cardctl
from tests.unit.client.fake import FakeDaemon, Refusal


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["status", "--json"], ["--json", "status"]),
        (["sign", "f", "--bus", "x", "-o", "y"], ["--bus", "x", "sign", "f", "-o", "y"]),
        (["--lang=fr", "status", "--bus=x"], ["--lang=fr", "--bus=x", "status"]),
        (["sign", "--", "--json"], ["sign", "--", "--json"]),
        (["status", "--bus"], ["--bus", "status"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], ordered: list[str]) -> None:
    assert hoist(given) == ordered


def test_help_names_commands_and_exit_codes(cardctl: Cardctl) -> None:
    result = cardctl("--help")
    assert result.code == 0
    assert "Verify the PIN and open a session." in result.text
    assert "130  interrupted (Ctrl-C)" in result.text


def test_help_in_french(cardctl: Cardctl) -> None:
    result = cardctl("sign", "--help", "--lang", "fr")
    for words in ("Signe un fichier avec la carte.", "par défaut", "Affiche cette aide.", "Clé de la carte"):
        assert words in result.text
    assert "Show this" not in result.text


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["sign", "--help", "--lang", "fr"], "Utilisation : cardctl sign [OPTIONS]"),
        (["token", "--help", "--lang", "fr"], "Utilisation : cardctl token [OPTIONS]"),
        (["--help", "--lang", "fr"], "Utilisation : cardctl [OPTIONS]"),
        (["sign", "--help", "--lang", "en"], "Usage: cardctl sign [OPTIONS]"),
    ],
)
def test_the_usage_line_is_in_the_users_language(cardctl: Cardctl, arguments: list[str], usage: str) -> None:
    result = cardctl(*arguments)
    assert result.text.startswith(usage)
    assert ("Usage:" in result.text) is usage.startswith("Usage:")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sing"], "There is no command sing; perhaps sign?"),
        (["frobnicate"], "There is no command frobnicate."),
        (["login", "--pin"], "There is no option --pin; perhaps --pin-fd?"),
        (["login", "--frobnicate"], "There is no option --frobnicate."),
        (["decrypt"], "FILE is missing."),
        (["trust"], ""),
        (["login", "--pin-fd", "x"], "The value of --pin-fd cannot be used: "),
        (["login", "--pin-fd", "-1"], "The value of --pin-fd cannot be used: "),
        (["status", "more"], "The command line cannot be used: "),
    ],
)
def test_a_wrong_command_line(cardctl: Cardctl, arguments: list[str], sentence: str) -> None:
    result = cardctl(*arguments)
    assert result.code == 2
    assert sentence in result.err
    assert "Traceback" not in result.err


def test_a_wrong_command_line_in_french_and_json(cardctl: Cardctl) -> None:
    result = cardctl("sing", "--json", "--lang=fr")
    assert result.document["error"] == {
        "name": "Usage",
        "message": "La commande sing n'existe pas ; peut-être sign ?",
        "fields": {},
        "exit_code": 2,
    }
    assert "Voyez `cardctl --help`." in result.err


def test_no_bus(cardctl: Cardctl) -> None:
    result = cardctl("status", "--json")
    assert result.code == 7
    error = result.document["error"]
    assert error["name"] == "org.cardd1.ClientError.BusUnreachable"
    assert error["fields"]["address"] == "unix:path=/nonexistent/bus"
    assert result.err.startswith("cardctl: The message bus cannot be reached")


def test_no_daemon(cardctl: Cardctl, bus: object) -> None:
    result = cardctl("status")
    assert (result.code, result.out) == (7, b"")
    assert "systemctl start cardd" in result.err


def test_a_failure_of_the_daemon_with_its_fields(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    daemon.failures["GetManagedObjects"] = Refusal("Internal", reference="a1b2")
    result = cardctl("status", "--json")
    assert result.code == 1
    assert result.document["error"]["name"] == "org.cardd1.Error.Internal"
    assert result.document["error"]["fields"] == {"reference": "a1b2"}
    assert "a1b2" in result.err


def test_the_unforeseen_is_one_sentence_without_its_text(cardctl: Cardctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("1234")

    monkeypatch.setattr("cardd.cli.commands.version._daemon_version", fail)
    result = cardctl("version")
    assert result.code == 1
    assert "(RuntimeError)" in result.err
    assert "1234" not in result.err
    monkeypatch.setenv("CARDCTL_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cardctl("version")


def test_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cardd.cli.commands.version._daemon_version", interrupt)
    assert entry.main(["version"]) == 130


@pytest.mark.parametrize("arguments", [["version"], ["--json", "status"]])
def test_a_reader_of_the_output_that_has_gone(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as nowhere:
        process = subprocess.run(
            [sys.executable, "-c", "import sys; from cardd.cli.main import main; sys.exit(main())", *arguments],
            stdout=nowhere,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 1
    assert b"Traceback" not in process.stderr
    assert b"Exception" not in process.stderr
