"""What can go wrong between a client and the daemon, beside what the daemon itself reports.

Like the daemon's own failures (`cardd.errors`), each is a class with one sentence, a gettext message id whose fields
are filled in, that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from cardd import errors
from cardd.errors import N_, CarddError
from cardd.tokens import errors as _token_errors  # noqa: F401  # imported, they are among `errors.all_errors`

_DBUS = "org.freedesktop.DBus.Error."

UNKNOWN_OBJECT = frozenset({f"{_DBUS}UnknownObject", f"{_DBUS}UnknownInterface", f"{_DBUS}UnknownMethod"})
"""What a service answers for a path that it does not have; some answer with the interface or the method."""

_NOT_RUNNING = frozenset({f"{_DBUS}ServiceUnknown", f"{_DBUS}NameHasNoOwner"})


class ClientError(CarddError):
    """Base of the failures that arise on the client's side."""

    short_name = "ClientFailed"
    sentence = N_("The call to cardd failed.")

    @property
    def name(self) -> str:
        """Names the failure in `cardctl --json`; it never travels on the bus."""
        return f"org.cardd1.ClientError.{self.short_name}"


class BusUnreachable(ClientError):
    """Fields: address, reason."""

    short_name = "BusUnreachable"
    sentence = N_("The message bus cannot be reached ({reason}); run `cardctl doctor`.")


class DaemonNotRunning(ClientError):
    """The name org.cardd1 has no owner and nothing starts one."""

    short_name = "DaemonNotRunning"
    sentence = N_("cardd is not running; start it with `sudo systemctl start cardd`.")


class DaemonStartFailed(ClientError):
    """Fields: reason (of the bus)."""

    short_name = "DaemonStartFailed"
    sentence = N_("cardd could not be started ({reason}); see `sudo journalctl -u cardd`.")


class AccessDenied(ClientError):
    """The policy of the bus forbids the call."""

    short_name = "AccessDenied"
    sentence = N_("The policy of the message bus lets nobody talk to cardd: run `cardctl doctor`.")


class ConnectionLost(ClientError):
    """The bus closed the connection."""

    short_name = "ConnectionLost"
    sentence = N_("The connection to the message bus was lost; try again.")


class NoReply(ClientError):
    """The daemon left, or said nothing for too long."""

    short_name = "NoReply"
    sentence = N_("cardd did not answer; see `systemctl status cardd`, then try again.")


class UnexpectedReply(ClientError):
    """Fields: detail."""

    short_name = "UnexpectedReply"
    sentence = N_("cardd gave an answer that this client does not understand ({detail}); use the same version of both.")


class EventsLost(ClientError):
    """A watcher fell so far behind that events were dropped."""

    short_name = "EventsLost"
    sentence = N_("Events came faster than they were read; start watching again.")


class ExportIncomplete(ClientError):
    """The daemon ended an export of the journal before its proof."""

    short_name = "ExportIncomplete"
    sentence = N_("The export of the journal is incomplete and has no proof; see `sudo journalctl -u cardd`.")


class RemoteError(ClientError):
    """An error that this client has no class for. Fields: error (its D-Bus name), text."""

    short_name = "RemoteError"
    sentence = N_("{text} ({error})")


@cache
def _daemon_errors() -> Mapping[str, type[CarddError]]:
    """The daemon's classes by D-Bus name, without the client's own, which share their base."""
    return {name: found for name, found in errors.all_errors().items() if not issubclass(found, ClientError)}


def rebuild(name: str, text: str, fields: Mapping[str, object]) -> CarddError:
    """Make the exception that an error reply stands for.

    Args:
        name: D-Bus error name.
        text: the message in English.
        fields: named values of the error, empty where the reply carried none.

    Returns:
        An instance of the daemon's class where name and fields are known, else the nearest of this module.
    """
    known = _daemon_errors().get(name)
    if known is not None:
        plain = {key: value for key, value in fields.items() if isinstance(value, str | int | bool)}
        try:
            return known(**plain)
        except KeyError:
            # The sentence wants a field that did not come: another version speaks. Its own text survives.
            return RemoteError(error=name, text=text)
    if name in _NOT_RUNNING:
        return DaemonNotRunning()
    if name.startswith(f"{_DBUS}Spawn."):
        return DaemonStartFailed(reason=text)
    if name == f"{_DBUS}AccessDenied":
        return AccessDenied()
    if name in (f"{_DBUS}NoReply", f"{_DBUS}TimedOut", f"{_DBUS}Timeout"):
        return NoReply()
    if name == f"{_DBUS}Disconnected":
        return ConnectionLost()
    return RemoteError(error=name, text=text)
