"""Each command against a make-believe daemon: text, JSON, exit codes."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
from pathlib import Path

import pytest
from dbus_next.signature import Variant

from tests.support.bus import PrivateBus
from tests.unit.cli.conftest import Cardctl
from tests.unit.client.fake import CARD, READER_PATH, FakeDaemon, Refusal, plaintext_of, signature_over

DIGEST = hashlib.sha256(b"document").digest()


@pytest.fixture
def pin(tmp_path: Path) -> PinFiles:
    return PinFiles(tmp_path)


class PinFiles:
    """Descriptors that hold codes, one a line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.opened: list[int] = []

    def __call__(self, *codes: str) -> str:
        reading, writing = os.pipe()
        os.write(writing, "".join(f"{code}\n" for code in codes).encode())
        os.close(writing)
        self.opened.append(reading)
        return str(reading)


@pytest.fixture
def session(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> str:
    assert cardctl("login", "--pin-fd", pin("1234")).code == 0
    assert daemon.session_path is not None
    return daemon.session_path


def test_status(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    lines = cardctl("status").text.splitlines()
    assert lines[0] == "Fictional Reader 00 00"
    assert "Camille ÉPREUVE — Médecin, RPPS 99700000017" in lines[2]
    assert "trusted (simulator: proves nothing about a real person; revocation not checked)" in lines[3]
    assert lines[4].endswith("3 tries left")
    assert lines[5].endswith("none")


def test_status_in_french(cardctl: Cardctl, daemon: FakeDaemon, session: str) -> None:
    text = cardctl("--lang", "fr", "status").text
    for words in ("Titulaire", "carte de TEST", "vérifié", "ouverte depuis", "pas encore utilisée"):
        assert words in text


def test_status_as_json(cardctl: Cardctl, daemon: FakeDaemon, session: str) -> None:
    document = cardctl("status", "--json").document
    (card,) = document["cards"]
    assert document["daemon"]["version"] == "9.9.9"
    assert document["readers"][0]["card"] == card["path"]
    assert card["holder"]["family_name"] == "ÉPREUVE"
    assert card["trust"]["checked_at"] == "2023-11-14T22:13:20+00:00"
    assert card["session"] == document["sessions"][0]["path"] == session
    assert not [name for name in card if name.startswith("_")]


def test_status_where_the_holder_is_not_told(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    daemon.failures["GetHolder"] = Refusal("NotAuthorized", reason="not yours")
    result = cardctl("status")
    assert result.code == 0
    assert "CPS3" in result.text
    assert "ÉPREUVE" not in result.text


@pytest.mark.parametrize(("state", "said"), [("in-use", "held by another program"), ("unknown", "unknown to cardd")])
def test_status_of_a_card_that_cannot_be_used(cardctl: Cardctl, daemon: FakeDaemon, state: str, said: str) -> None:
    daemon.change(daemon.card_path, CARD, State=Variant("s", state))
    assert said in cardctl("status").text
    assert "GetHolder" not in daemon.calls


def test_status_without_a_reader(cardctl: Cardctl, bus: PrivateBus) -> None:
    with FakeDaemon(bus.address, reader=False, card=False):
        result = cardctl("status")
    assert result.code == 0
    assert "No reader is plugged in." in result.text


def test_hostile_names_are_shown_harmless(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    daemon.change(READER_PATH, "org.cardd1.Reader", Name=Variant("s", "[bold]\x1b[2J reader"))
    assert cardctl("status").text.startswith("[bold]�[2J reader")


def test_login_by_descriptor(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    result = cardctl("login", "--pin-fd", pin("1234"))
    assert result.code == 0
    assert "Session opened for Camille ÉPREUVE" in result.text
    again = cardctl("login", "--json")
    assert again.document["already_open"] is True
    assert again.document["session"]["path"] == daemon.session_path
    assert daemon.calls.count("AuthenticateWithPin") == 1


@pytest.mark.parametrize(("typed", "code"), [("0000", 5), ("12", 5), ("", 5), ("abcd", 5)])
def test_login_with_a_wrong_pin_tries_once(
    cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles, typed: str, code: int
) -> None:
    result = cardctl("login", "--pin-fd", pin(typed))
    assert result.code == code
    assert daemon.calls.count("AuthenticateWithPin") == 1
    if typed:
        assert typed not in result.err


def test_the_last_try_is_not_spent_unawares(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    for _ in range(2):
        cardctl("login", "--pin-fd", pin("0000"))
    refused = cardctl("login", "--pin-fd", pin("1234"))
    assert refused.code == 5
    assert "--last-try" in refused.err
    assert daemon.calls.count("AuthenticateWithPin") == 2
    assert cardctl("login", "--pin-fd", pin("0000"), "--last-try").code == 5
    blocked = cardctl("login", "--pin-fd", pin("1234"), "--last-try")
    assert blocked.code == 6
    assert daemon.calls.count("AuthenticateWithPin") == 3


def test_login_by_a_descriptor_that_is_not_open(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    result = cardctl("login", "--pin-fd", "987")
    assert result.code == 1
    assert "file descriptor cannot be used" in result.err


def test_login_without_a_card(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    daemon.withdraw()
    result = cardctl("login")
    assert result.code == 4
    assert "No card is in the reader" in result.err


def test_login_without_a_reader(cardctl: Cardctl, bus: PrivateBus) -> None:
    with FakeDaemon(bus.address, reader=False, card=False):
        result = cardctl("login")
    assert result.code == 4
    assert "No card reader" in result.err


def test_login_to_a_card_that_another_program_holds(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    daemon.change(daemon.card_path, CARD, State=Variant("s", "in-use"))
    daemon.failures["GetHolder"] = Refusal("CardInUse", holder="firefox")
    result = cardctl("login", "--lang=fr")
    assert result.code == 8
    assert "Un autre programme occupe la carte (firefox)" in result.err


def test_one_of_several_cards_is_chosen(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    second = daemon.insert()
    number = second.rpartition("/")[2]
    several = cardctl("login", "--pin-fd", pin("1234"))
    assert several.code == 2
    assert number in several.err
    chosen = cardctl("login", "--card", number, "--pin-fd", pin("1234"), "--json")
    assert chosen.document["session"]["card"] == second
    assert cardctl("login", "--card", "77").code == 4


def test_a_card_that_is_being_read_is_waited_for(
    cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.cli.choice._READING_PATIENCE", 0.01)
    daemon.change(daemon.card_path, CARD, State=Variant("s", "present"))
    daemon.failures["GetHolder"] = Refusal("CardNotReady", state="present")
    result = cardctl("login", "--pin-fd", pin("1234"))
    assert result.code == 8
    assert "being read" in result.err


def test_logout(cardctl: Cardctl, daemon: FakeDaemon, session: str) -> None:
    result = cardctl("logout", "--json")
    assert result.document["reason"] == "ended-by-user"
    assert daemon.session_path is None
    assert cardctl("logout").code == 4


def test_sign_a_file(cardctl: Cardctl, session: str, tmp_path: Path) -> None:
    (tmp_path / "document").write_bytes(b"document")
    assert cardctl("sign", str(tmp_path / "document")).out == signature_over(DIGEST)


def test_sign_the_standard_input(cardctl: Cardctl, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"document")))
    assert cardctl("sign", "-").out == signature_over(DIGEST)


def test_sign_a_digest_to_a_file(cardctl: Cardctl, session: str, tmp_path: Path) -> None:
    target = tmp_path / "signature"
    result = cardctl("sign", "--digest", DIGEST.hex(), "-o", str(target), "--json")
    assert target.read_bytes() == signature_over(DIGEST)
    assert result.document["bytes"] == 256
    assert result.document["digest"] == DIGEST.hex()


def test_sign_as_json(cardctl: Cardctl, session: str) -> None:
    document = cardctl("sign", "--digest", DIGEST.hex(), "--json").document
    assert base64.b64decode(document["signature"]) == signature_over(DIGEST)
    assert (document["key"], document["algorithm"]) == ("signature", "RS256")


@pytest.mark.parametrize(
    "arguments",
    [["sign"], ["sign", "x", "--digest", "00"], ["sign", "--digest", "xyz"], ["sign", "/nonexistent"]],
)
def test_sign_with_nothing_to_sign(cardctl: Cardctl, arguments: list[str]) -> None:
    result = cardctl(*arguments)
    assert result.code == 2
    assert result.out == b""


def test_sign_a_digest_of_the_wrong_length(cardctl: Cardctl, session: str) -> None:
    result = cardctl("sign", "--digest", "00")
    assert result.code == 2
    assert "32" in result.err


def test_sign_without_a_session(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    result = cardctl("sign", "--digest", DIGEST.hex())
    assert result.code == 4
    assert "cardctl login" in result.err


def test_sign_into_a_folder_that_is_not_there(cardctl: Cardctl, session: str) -> None:
    assert cardctl("sign", "--digest", DIGEST.hex(), "-o", "/nonexistent/x").code == 2


def test_decrypt_to_a_private_file(cardctl: Cardctl, session: str, tmp_path: Path) -> None:
    cryptogram, target = tmp_path / "cryptogram", tmp_path / "plaintext"
    cryptogram.write_bytes(bytes(range(256)))
    target.touch(mode=0o644)
    result = cardctl("decrypt", str(cryptogram), "-o", str(target))
    assert result.code == 0
    assert target.read_bytes() == plaintext_of(bytes(range(256)))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert plaintext_of(bytes(range(256))) not in result.out


def test_decrypt_to_the_standard_output_and_as_json(cardctl: Cardctl, session: str, tmp_path: Path) -> None:
    cryptogram = tmp_path / "cryptogram"
    cryptogram.write_bytes(b"x" * 256)
    assert cardctl("decrypt", str(cryptogram)).out == b"x" * 21
    assert base64.b64decode(cardctl("decrypt", str(cryptogram), "--json").document["plaintext"]) == b"x" * 21


def test_decrypt_a_file_that_is_far_too_large(cardctl: Cardctl, session: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes((1 << 16) + 1))
    assert cardctl("decrypt", str(tmp_path / "large")).code == 2


def test_pin_change(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    result = cardctl("pin", "change", "--pin-fd", pin("1234", "567890"))
    assert (result.code, daemon.pin) == (0, b"567890")
    wrong = cardctl("pin", "change", "--pin-fd", pin("1234", "1111"), "--json")
    assert wrong.code == 5
    assert wrong.document["error"]["fields"] == {"tries_left": 2}


def test_pin_change_does_not_spend_the_last_try(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    daemon.change(daemon.card_path, CARD, PinTriesLeft=Variant("i", 1))
    assert cardctl("pin", "change", "--pin-fd", pin("1234", "567890")).code == 5
    assert "ChangePin" not in daemon.calls
    assert cardctl("pin", "change", "--pin-fd", pin("1234", "567890"), "--last-try").code == 0


def test_pin_unblock(cardctl: Cardctl, daemon: FakeDaemon, pin: PinFiles) -> None:
    daemon.tries_left = 0
    assert cardctl("pin", "unblock", "--pin-fd", pin("00000000", "4321")).code == 5
    result = cardctl("pin", "unblock", "--pin-fd", pin("12345678", "4321"), "--json")
    assert result.document["pin"] == "unblocked"
    assert (daemon.pin, daemon.tries_left) == (b"4321", 3)


def test_version(cardctl: Cardctl, daemon: FakeDaemon) -> None:
    assert cardctl("version").text.splitlines()[1] == "cardd 9.9.9"
    assert cardctl("version", "--json").document["cardd"] == "9.9.9"
    assert cardctl("version", "--bus", "unix:path=/nonexistent", "--json").document["cardd"] is None
