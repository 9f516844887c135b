"""polkit on the bus: org.freedesktop.PolicyKit1.Authority (polkit's reference manual, "D-Bus API Reference")."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from cardd.access.polkit import Answer, PolkitAbsent, PolkitFailed, Question
from cardd.bus.failures import BusError, CallTimedOut, RemoteError
from cardd.bus.interface import variant
from cardd.bus.matching import BUS, BUS_PATH, MatchRule
from cardd.bus.transport import RemoteMethod, Transport

NAME: Final = "org.freedesktop.PolicyKit1"
PATH: Final = "/org/freedesktop/PolicyKit1/Authority"
INTERFACE: Final = "org.freedesktop.PolicyKit1.Authority"
CHECK: Final = RemoteMethod(INTERFACE, "CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})")
CANCEL: Final = RemoteMethod(INTERFACE, "CancelCheckAuthorization", "s")

_ALLOW_USER_INTERACTION: Final = 1
_USER_SECONDS: Final = 300.0
"""For a person at polkit's dialogue."""
_ABSENT: Final = "org.freedesktop.DBus.Error.ServiceUnknown"
"""The bus's own answer for a name that nobody has and nothing can be started for. Not NameHasNoOwner: polkit passes
that on when the caller that it was asked about has left."""

_log = logging.getLogger(__name__)


class BusAuthority:
    """The way to polkit (`cardd.access.polkit.Authority`).

    Args:
        transport: the system bus.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def check(self, question: Question) -> Answer:
        """Ask.

        Raises:
            PolkitAbsent: nothing on this bus has polkit's name, or could be started for it.
            PolkitFailed: polkit or the bus answers with an error or not at all.
        """
        subject = ["system-bus-name", {"name": variant("s", question.connection)}]
        flags = _ALLOW_USER_INTERACTION if question.interactive else 0
        values = (subject, question.action_id, dict(question.details), flags, question.cancellation_id)
        timeout = _USER_SECONDS if question.interactive else 25.0
        try:
            (result,) = await self._transport.call(NAME, PATH, CHECK, values, timeout=timeout)
        except RemoteError as error:
            if error.name == _ABSENT:
                raise PolkitAbsent(str(error)) from error
            raise PolkitFailed(str(error)) from error
        except CallTimedOut as error:
            await self.cancel(question.cancellation_id)
            raise PolkitFailed(str(error)) from error
        except BusError as error:
            raise PolkitFailed(str(error)) from error
        authorized, challenge, details = result
        return Answer(
            authorized,
            challenge,
            dismissed=bool(details.get("polkit.dismissed")),
            retained=bool(details.get("polkit.temporary_authorization_id")),
        )

    async def cancel(self, cancellation_id: str) -> None:
        """Close the dialogue of a question; one that is answered already is none any more."""
        if not cancellation_id:
            return
        try:
            await self._transport.call(NAME, PATH, CANCEL, (cancellation_id,), timeout=5)
        except BusError as error:
            _log.debug("polkit did not cancel a question: %s", error)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Have something called at polkit's `Changed`, and when another polkit takes its name.

        Raises:
            PolkitFailed: the bus does not do it.
        """

        def owner_changed(values: list[Any]) -> None:
            # Signals that other rules asked for come here too.
            if values[0] == NAME:
                changed()

        try:
            await self._transport.subscribe(MatchRule(NAME, INTERFACE, "Changed", PATH), "", lambda values: changed())
            owners = MatchRule(BUS, BUS, "NameOwnerChanged", BUS_PATH, ((0, NAME),))
            await self._transport.subscribe(owners, "sss", owner_changed)
        except BusError as error:
            raise PolkitFailed(f"changes cannot be watched: {error}") from error
