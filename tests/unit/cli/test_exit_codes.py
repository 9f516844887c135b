"""Exit codes are a contract: each failure has its own, and the documentation lists them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cardd import errors
from cardd.cli import failures
from cardd.cli.exit_codes import MEANINGS, ExitCode, code_of
from cardd.client import errors as client_errors
from cardd.errors import CarddError

DOCUMENT = Path(__file__).parents[3] / "docs" / "cardctl.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PinIncorrect(tries_left=1), 5),
        (errors.PinFormat(length="4–8"), 5),
        (errors.PukIncorrect(tries_left=1), 5),
        (errors.LastTry(), 5),
        (errors.PinBlocked(), 6),
        (errors.PukBlocked(), 6),
        (errors.NotAuthorized(reason="x"), 3),
        (errors.NotAuthorizedDismissed(), 3),
        (client_errors.AccessDenied(), 3),
        (failures.NoReader(), 4),
        (failures.NoCard(), 4),
        (failures.NoSession(), 4),
        (errors.SessionEnded(reason="x"), 4),
        (client_errors.BusUnreachable(address="x", reason="y"), 7),
        (client_errors.DaemonNotRunning(), 7),
        (client_errors.NoReply(), 7),
        (errors.CardRemoved(), 8),
        (errors.CardInUse(holder="x"), 8),
        (errors.CardMute(), 8),
        (errors.NotTrusted(reason="x"), 9),
        (errors.UnknownCard(), 9),
        (errors.DigestLength(expected=32, given=1), 2),
        (failures.FileUnusable(file="x", reason="y"), 2),
        (errors.DecryptFailed(), 1),
        (errors.Internal(reference="x"), 1),
    ],
)
def test_the_code_of_a_failure(error: CarddError, code: int) -> None:
    assert code_of(error) == code


def test_every_code_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


def test_the_documentation_lists_the_codes_as_they_are() -> None:
    documented = dict(re.findall(r"^\| (\d+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE))
    assert documented == {str(int(code)): meaning for code, meaning in MEANINGS.items()}
