"""An error reply becomes the exception that it stands for."""

from __future__ import annotations

import string

import pytest

from cardd import errors
from cardd.client import errors as client_errors
from cardd.client.errors import ClientError, RemoteError, rebuild
from cardd.errors import CarddError, PinIncorrect

_DAEMONS = [found for found in errors.all_errors().values() if not issubclass(found, ClientError)]


def _fields_of(sentence: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(sentence) if name]


@pytest.mark.parametrize("kind", _DAEMONS, ids=lambda kind: kind.short_name)
def test_each_error_of_the_daemon_comes_back_as_its_class(kind: type[CarddError]) -> None:
    sent = kind(**dict.fromkeys(_fields_of(kind.sentence), "x"))
    received = rebuild(sent.name, sent.message, sent.fields)
    assert type(received) is kind
    assert received.fields == sent.fields
    assert received.message == sent.message


def test_a_known_error_without_its_fields_keeps_its_text() -> None:
    received = rebuild(f"{errors.PREFIX}PinIncorrect", "The PIN is wrong; tries left: 2.", {})
    assert isinstance(received, RemoteError)
    assert "tries left: 2" in received.message
    assert received.fields["error"] == f"{errors.PREFIX}PinIncorrect"


def test_fields_of_strange_types_are_left_out() -> None:
    received = rebuild(f"{errors.PREFIX}PinIncorrect", "", {"tries_left": 2, "more": [1]})
    assert isinstance(received, PinIncorrect)
    assert received.fields == {"tries_left": 2}


def test_an_error_of_a_later_version_survives() -> None:
    received = rebuild(f"{errors.PREFIX}MoonPhase", "The moon is wrong.", {})
    assert isinstance(received, RemoteError)
    assert received.message == "The moon is wrong. (org.cardd1.Error.MoonPhase)"


def test_a_daemon_cannot_pass_for_the_clients_own_failure() -> None:
    assert isinstance(rebuild(f"{errors.PREFIX}DaemonNotRunning", "no", {}), RemoteError)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ServiceUnknown", client_errors.DaemonNotRunning),
        ("NameHasNoOwner", client_errors.DaemonNotRunning),
        ("Spawn.ExecFailed", client_errors.DaemonStartFailed),
        ("AccessDenied", client_errors.AccessDenied),
        ("NoReply", client_errors.NoReply),
        ("Disconnected", client_errors.ConnectionLost),
        ("InvalidArgs", RemoteError),
    ],
)
def test_errors_of_the_bus(name: str, kind: type[ClientError]) -> None:
    assert type(rebuild(f"org.freedesktop.DBus.Error.{name}", "text", {})) is kind
