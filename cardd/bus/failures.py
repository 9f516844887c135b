"""Failures of the bus itself: what the standard names for callers, and what goes wrong with the connection."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class StandardName(StrEnum):
    """Error names of the D-Bus specification and of its reference implementation (dbus-protocol.h)."""

    ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
    FAILED = "org.freedesktop.DBus.Error.Failed"
    INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"
    LIMITS_EXCEEDED = "org.freedesktop.DBus.Error.LimitsExceeded"
    NAME_HAS_NO_OWNER = "org.freedesktop.DBus.Error.NameHasNoOwner"
    NO_REPLY = "org.freedesktop.DBus.Error.NoReply"
    PROPERTY_READ_ONLY = "org.freedesktop.DBus.Error.PropertyReadOnly"
    UNKNOWN_INTERFACE = "org.freedesktop.DBus.Error.UnknownInterface"
    UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
    UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"
    UNKNOWN_PROPERTY = "org.freedesktop.DBus.Error.UnknownProperty"


class StandardError(Exception):
    """A reply with one of the standard error names; its body is one sentence.

    Args:
        name: the error name.
        message: one sentence in English, without any argument's value.
    """

    def __init__(self, name: StandardName, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class BusError(Exception):
    """Base of what goes wrong between the bus and this process."""


class BusUnavailable(BusError):
    """No connection could be made: bad address, no socket, refused authentication, no descriptor passing."""


class BusLost(BusError):
    """The connection is gone; nothing that was waiting will be answered."""


class NameTaken(BusError):
    """Another connection owns the wanted name."""


class CallTimedOut(BusError):
    """The other side did not answer in time."""


class BadReply(BusError):
    """The other side's answer has not the promised signature, is malformed or too long."""


class RemoteError(BusError):
    """The other side answered with an error.

    Args:
        name: the D-Bus error name.
        message: its sentence, empty where it gave none.
        fields: what cardd's own errors carry besides, empty for others.
    """

    def __init__(self, name: str, message: str, fields: Mapping[str, str | int | bool]) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.fields = fields
