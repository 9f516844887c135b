"""cardctl on a pseudo-terminal: what the user reads and types, from start to end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from cardsim import stage
from tests.unit.client.fake import FakeDaemon

_PROGRAM = "import sys; from cardd.cli.main import main; sys.exit(main())"


class Conversation(stage.Conversation):
    """A running cardctl with a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        super().__init__([sys.executable, "-c", _PROGRAM, *arguments])


@pytest.fixture
def talk(daemon: FakeDaemon) -> Iterator[Callable[..., Conversation]]:
    begun: list[Conversation] = []

    def begin(*arguments: str) -> Conversation:
        begun.append(Conversation(*arguments))
        return begun[-1]

    yield begin
    for conversation in begun:
        conversation.close()


def test_login_asks_again_and_says_when_the_last_try_comes(
    talk: Callable[..., Conversation], daemon: FakeDaemon
) -> None:
    login = talk("login")
    login.until("PIN (4 to 8 digits): ")
    login.type("0000\n")
    login.until("The PIN is wrong; tries left: 2.")
    login.until("digits): ")
    login.type("12\n")
    login.until("No try was used.")
    login.until("digits): ")
    login.type("1111\n")
    login.until("This is the LAST try")
    login.until("Go on? [y/N] ")
    login.type("y\n")
    login.until("digits): ")
    login.type("1234\n")
    login.until("Session opened for Camille ÉPREUVE")
    assert login.end() == 0
    assert daemon.session_path is not None
    for typed in ("0000\r", "1111", "1234"):
        assert typed not in login.seen


def test_login_leaves_the_last_try_when_the_user_does_not_agree(
    talk: Callable[..., Conversation], daemon: FakeDaemon
) -> None:
    daemon.tries_left = 1
    daemon.withdraw()
    daemon.insert()
    login = talk("login", "--lang", "fr")
    login.until("Continuer ? [o/N] ")
    login.type("\n")
    assert login.end() == 3
    assert "AuthenticateWithPin" not in daemon.calls


def test_login_ends_when_the_card_is_taken_out(talk: Callable[..., Conversation], daemon: FakeDaemon) -> None:
    login = talk("login")
    login.until("digits): ")
    daemon.withdraw()
    login.until("The card was taken out of the reader")
    assert login.end() == 8


def test_login_is_interrupted(talk: Callable[..., Conversation], daemon: FakeDaemon) -> None:
    login = talk("login")
    login.until("digits): ")
    login.type("\x03")
    assert login.end() == 130
    assert "Traceback" not in login.seen


def test_pin_change_asks_for_the_new_one_twice(talk: Callable[..., Conversation], daemon: FakeDaemon) -> None:
    change = talk("pin", "change")
    change.until("Present PIN (4 to 8 digits): ")
    change.type("1234\n")
    for first, second in (("5678", "5679"), ("56", "56"), ("5678", "5678")):
        change.until("New PIN (4 to 8 digits): ")
        change.type(f"{first}\n")
        change.until("New PIN again: ")
        change.type(f"{second}\n")
    change.until("The PIN was changed.")
    assert change.end() == 0
    assert daemon.pin == b"5678"
    assert "They differ; once more." in change.seen
    assert "This cannot be a PIN of this card." in change.seen


def test_pin_unblock_dismissed(talk: Callable[..., Conversation], daemon: FakeDaemon) -> None:
    unblock = talk("pin", "unblock")
    unblock.until("Unblocking code (PUK)")
    unblock.type("\n")
    assert unblock.end() == 3
    assert "The question was closed" in unblock.seen


def test_a_signature_is_shown_in_base64(talk: Callable[..., Conversation], daemon: FakeDaemon) -> None:
    login = talk("login")
    login.until("digits): ")
    login.type("1234\n")
    assert login.end() == 0
    sign = talk("sign", "--digest", "00" * 32)
    assert sign.end() == 0
    assert sign.seen.replace("\r\n", "").startswith("AQEBAQEB")


def test_watch_tells_what_happens_until_it_is_interrupted(
    talk: Callable[..., Conversation], daemon: FakeDaemon
) -> None:
    watch = talk("watch")
    watch.until("Card of Camille ÉPREUVE")
    daemon.withdraw()
    watch.until("Card taken out of Fictional Reader 00 00")
    watch.type("\x03")
    assert watch.end() == 130
    assert "Traceback" not in watch.seen


def test_without_a_terminal_login_says_what_to_do(daemon: FakeDaemon) -> None:
    process = subprocess.run(
        ["setsid", "--wait", sys.executable, "-c", _PROGRAM, "login"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert process.returncode == 2
    assert b"--pin-fd" in process.stderr
