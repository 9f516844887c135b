"""`cardctl token` against a whole cardd: a card's morning, and the rest of its day without it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cardd.client import blocking
from tests.support.core import pki_store
from tests.support.running import BIN, Running

Cardctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cardctl(cardd: Running) -> Cardctl:
    """Run cardctl on this bus, in English."""

    def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CARDD_BUS": cardd.bus.address, "LC_ALL": "C.UTF-8"}
        command = [str(BIN / "cardctl"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)

    return run


@pytest.fixture(autouse=True)
def empty_afterwards(cardd: Running) -> Iterator[None]:
    yield
    cardd.remove()


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the key of a device: device.pem, device.pub."""
    folder = tmp_path_factory.mktemp("device")
    for command in (
        "ecparam -name prime256v1 -genkey -noout -out device.pem",
        "ec -in device.pem -pubout -out device.pub",
        "genrsa -out rsa.pem 2048",
        "rsa -in rsa.pem -pubout -out rsa.pub",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def token(cardd: Running, device: Path) -> Path:
    """A file with a token; the card is out."""
    file = device / "token"
    login(cardd)
    cardctl = [str(BIN / "cardctl"), "--bus", cardd.bus.address]
    command = [*cardctl, "token", "mint", "--device", str(device / "device.pub"), "--lifetime",
               "2h", "--kind", "kiosk", "-o", str(file)]  # fmt: skip
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "good until" in told or "valable" in told
    cardd.remove()
    return file


def login(running: Running) -> None:
    running.insert()
    with blocking.connect(running.bus.address) as client:
        client.wait_for_card(timeout=60).authenticate(pin=bytearray(b"1234"))


def root_file() -> str:
    return str(pki_store().root_certificate())


def id_of(cardctl: Cardctl, file: Path) -> str:
    return str(json.loads(cardctl("--json", "token", "verify", str(file), "--root", root_file()).stdout)["id"])


def test_a_minted_file_is_its_owner_s_alone_and_verifies_with_the_root(cardctl: Cardctl, token: Path) -> None:
    assert token.stat().st_mode & 0o777 == 0o600
    done = cardctl("token", "verify", str(token), "--root", root_file())
    assert done.returncode == 0, done.stderr
    for words in ("The token holds", "Médecin, 899900000011", "kiosk", "Valid until"):
        assert words in done.stdout
    document = json.loads(cardctl("token", "verify", str(token), "--root", root_file(), "--json").stdout)
    assert (document["subject"], document["kind"]) == ("899900000011", "kiosk")
    assert document["holder"]["family_name"]


def test_verify_needs_no_bus(token: Path) -> None:
    command = [str(BIN / "cardctl"), "--bus", "unix:path=/nonexistent", "token", "verify", "-", "--root", root_file()]
    with token.open() as reading:
        assert subprocess.run(command, stdin=reading, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        (lambda text: text[:-8] + "AAAAAAAA", 10, "TokenAltered"),
        (lambda text: "no token", 10, "TokenMalformed"),
        (lambda text: "x" * 20_000, 10, "TokenTooLarge"),
        (lambda text: "x" * 100_000, 2, "FileUnusable"),
    ],
)
def test_what_does_not_verify_is_said(
    cardctl: Cardctl, token: Path, tmp_path: Path, change: Callable[[str], str], code: int, name: str
) -> None:
    (tmp_path / "token").write_text(change(token.read_text().strip()))
    done = cardctl("--json", "token", "verify", str(tmp_path / "token"), "--root", root_file())
    assert done.returncode == code
    assert json.loads(done.stdout)["error"]["name"].endswith(f".{name}")


def test_other_roots_and_other_audiences_are_refused(cardctl: Cardctl, token: Path, tmp_path: Path) -> None:
    for command in (
        "genrsa -out key.pem 2048",
        "req -new -x509 -key key.pem -subj /CN=Other -days 30 -out root.pem -addext keyUsage=critical,keyCertSign",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    done = cardctl("token", "verify", str(token), "--root", str(tmp_path / "root.pem"))
    assert (done.returncode, "not trusted" in done.stderr) == (10, True), done.stderr
    done = cardctl("token", "verify", str(token), "--root", root_file(), "--audience", "https://other.example")
    assert (done.returncode, "another audience" in done.stderr) == (10, True), done.stderr
    done = cardctl("token", "verify", str(token), "--root", str(token))
    assert (done.returncode, str(token) in done.stderr) == (2, True), done.stderr


def test_roots_are_those_of_the_configuration_where_none_are_named(
    cardd: Running, cardctl: Cardctl, token: Path
) -> None:
    assert cardctl("token", "verify", str(token), "--config", str(cardd.cardd.config)).returncode == 0


def test_it_is_redeemed_shown_ended_and_revoked(cardctl: Cardctl, token: Path, device: Path) -> None:
    done = cardctl("--json", "token", "redeem", str(token), "--key", str(device / "device.pem"))
    assert done.returncode == 0, done.stderr
    session = json.loads(done.stdout)["session"]
    assert session["level"] == "token"
    number = session["path"].rpartition("/")[2]
    status = cardctl("status").stdout
    assert f"Session {number}, by a token" in status
    assert cardctl("sign", str(token)).returncode == 4, "no card's session is open"
    assert cardctl("logout", "--session", number).returncode == 0
    assert cardctl("logout", "--session", number).returncode == 4

    token_id = id_of(cardctl, token)
    shown = cardctl("token", "show", token_id)
    assert "899900000011" in shown.stdout
    assert token_id in cardctl("token", "list").stdout
    assert cardctl("token", "revoke", token_id, "--reason", "lost").returncode == 0
    assert "uid:" in cardctl("token", "show", token_id).stdout.split("Revoked")[1]
    again = cardctl("token", "redeem", str(token), "--key", str(device / "device.pem"))
    assert (again.returncode, "revoked" in again.stderr) == (10, True)
    assert cardctl("token", "show", "nothing").returncode == 4


def test_mint_takes_each_form_of_key_and_names_what_is_wrong(cardd: Running, cardctl: Cardctl, device: Path) -> None:
    login(cardd)
    minted = cardctl("token", "mint", "--device", str(device / "device.pub"))
    assert minted.returncode == 0, minted.stderr
    assert minted.stdout.count(".") == 2
    der = device / "device.der"
    subprocess.run(
        ["openssl", "ec", "-pubin", "-in", device / "device.pub", "-outform", "der", "-out", der],
        check=True, capture_output=True,
    )  # fmt: skip
    assert cardctl("--json", "token", "mint", "--device", str(der)).returncode == 0
    for arguments, code in (
        (["--device", str(device / "rsa.pub")], 2),
        (["--device", str(device / "device.pem")], 2),
        (["--device", str(device / "nothing")], 2),
        (["--device", str(der), "--lifetime", "long"], 2),
        (["--device", str(der), "--lifetime", "0"], 2),
        (["--device", str(der), "--lifetime", "99999999d"], 2),
        (["--device", str(der), "--audience", "a b"], 2),
        ([], 2),
    ):
        done = cardctl("token", "mint", *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert done.stderr


def test_redeem_tells_a_wrong_key_by_its_kind(cardctl: Cardctl, token: Path, device: Path, tmp_path: Path) -> None:
    for file in ("rsa.pem", "device.pub", "nothing"):
        done = cardctl("token", "redeem", str(token), "--key", str(device / file))
        assert (done.returncode, "cannot be used" in done.stderr) == (2, True), done.stderr
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "other.pem"], check=True
    )
    done = cardctl("token", "redeem", str(token), "--key", str(tmp_path / "other.pem"))
    assert done.returncode == 10


def documented(language: str) -> str:
    """The first example in a language that docs/tokens.md has."""
    page = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text("utf-8")
    example, *_ = re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
    return str(example)


def test_the_examples_of_the_documentation_work(cardd: Running, tmp_path: Path) -> None:
    login(cardd)
    environment = {
        **os.environ,
        "CARDD_BUS": cardd.bus.address,
        "DBUS_SYSTEM_BUS_ADDRESS": cardd.bus.address,
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    for command in (["bash", "-eu", "-c", documented("bash")], [sys.executable, "-c", documented("python")]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "token 899900000011\n"
