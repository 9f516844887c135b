"""logind on the bus: org.freedesktop.login1(5). It tells that the machine goes to sleep, and waits for us a moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import BusError, RemoteError, StandardName
from cardd.bus.matching import BUS, BUS_PATH, MatchRule
from cardd.bus.message import Flag
from cardd.bus.transport import RemoteMethod, Transport

NAME: Final = "org.freedesktop.login1"
PATH: Final = "/org/freedesktop/login1"
MANAGER: Final = "org.freedesktop.login1.Manager"
SESSION: Final = "org.freedesktop.login1.Session"
SESSIONS: Final = "/org/freedesktop/login1/session/"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
INHIBIT: Final = RemoteMethod(MANAGER, "Inhibit", "ssss", "h")
_WHY: Final = "Smart cards are reset before the machine sleeps"
_ABSENT: Final = (StandardName.NAME_HAS_NO_OWNER.value, "org.freedesktop.DBus.Error.ServiceUnknown")
_ESCAPE: Final = re.compile(r"_([0-9a-f]{2})")

_log = logging.getLogger(__name__)


class AbsenceListener(Protocol):
    """Who is told (`cardd.sessions.absence.Absence`), on the loop."""

    async def falls_asleep(self) -> None:
        """The machine is about to sleep, and waits until this returns, five seconds at most."""

    def awakes(self) -> None:
        """It is awake again, or did not fall asleep."""

    def lock_wanted(self, session_id: str) -> None:
        """A login session shall be locked; whether it is, its locker says, if there is one."""

    def locked(self, session_id: str) -> None:
        """A login session was locked."""

    def unlocked(self, session_id: str) -> None:
        """It is no longer locked."""

    def switched_away(self, session_id: str) -> None:
        """A login session is not in front any more."""

    def switched_to(self, session_id: str) -> None:
        """It is in front again."""

    def nobody_known(self) -> None:
        """Login sessions are not told of any more, or by another logind."""


class LoginManager:
    """Listens to logind, and keeps it from falling asleep before the cards are reset (a delay inhibitor).

    Without logind nothing is told; it may come later.

    Args:
        transport: the system bus.
        listener: who is told.
        desks: whether login sessions matter too; their signals wake nobody if not.
    """

    def __init__(self, transport: Transport, listener: AbsenceListener, *, desks: bool) -> None:
        self._transport = transport
        self._listener = listener
        self._desks = desks
        self._inhibitor: OwnedFd | None = None
        self._asleep = False
        self._stopped = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen. What fails is logged: cards are served all the same."""
        try:
            await self._listen()
        except BusError as error:
            _log.error("logind cannot be listened to, so that no session ends when the machine sleeps: %s", error)
            return
        self._later(self._inhibit())  # a logind that hangs must not keep anybody waiting

    def stop(self) -> None:
        """Listen no more, and let the machine sleep."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        self._let_sleep(self._take_inhibitor())

    async def _listen(self) -> None:
        subscribe = self._transport.subscribe
        await subscribe(MatchRule(BUS, BUS, "NameOwnerChanged", BUS_PATH, ((0, NAME),)), "sss", self._owner_changed)
        await subscribe(MatchRule(NAME, MANAGER, "PrepareForSleep", PATH), "b", self._prepare_for_sleep)
        if self._desks:
            changes = MatchRule(NAME, PROPERTIES, "PropertiesChanged", None, ((0, SESSION),))
            await subscribe(changes, "sa{sv}as", self._session_changed, with_path=True)
            await subscribe(MatchRule(NAME, SESSION, "Lock"), "", self._lock_wanted, with_path=True)

    async def _inhibit(self) -> None:
        """Take a delay inhibitor: sleep begins when we close its descriptor, or after logind's InhibitDelayMaxSec=."""
        values = ("sleep", "cardd", _WHY, "delay")
        try:
            (inhibitor,) = await self._transport.call(NAME, PATH, INHIBIT, values, flags=Flag.NO_AUTO_START)
        except RemoteError as error:
            if error.name in _ABSENT:
                _log.info("no logind on this bus: nothing tells cardd that the machine sleeps, is locked or switched")
            else:
                _log.warning("logind will not wait for the cards' reset before it sleeps: %s", error)
            return
        except BusError as error:
            _log.warning("logind gives no inhibitor: %s", error)
            return
        self._let_sleep(self._take_inhibitor())
        self._inhibitor = inhibitor
        if self._stopped or self._asleep:
            self._let_sleep(self._take_inhibitor())

    def _prepare_for_sleep(self, values: list[Any]) -> None:
        (about_to_sleep,) = values
        if self._stopped:
            return
        if about_to_sleep:
            self._asleep = True
            self._later(self._fall_asleep(self._take_inhibitor()))
        else:
            self._awake()

    async def _fall_asleep(self, inhibitor: OwnedFd | None) -> None:
        try:
            await self._listener.falls_asleep()
        finally:
            self._let_sleep(inhibitor)

    def _awake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._listener.awakes()
        if self._inhibitor is None:
            self._later(self._inhibit())

    def _owner_changed(self, values: list[Any]) -> None:
        name, _, new_owner = values
        # Signals that other rules asked for come here too.
        if name != NAME or self._stopped:
            return
        self._listener.nobody_known()
        if new_owner:  # an inhibitor of the logind before is worth nothing
            self._let_sleep(self._take_inhibitor())
            self._awake()
        elif self._asleep:  # nobody will say that the machine is awake
            self._asleep = False
            self._listener.awakes()

    def _session_changed(self, values: list[Any]) -> None:
        path, interface, changed, _ = values
        session_id = session_of(path)
        if interface != SESSION or session_id is None or self._stopped:
            return
        locked, active = changed.get("LockedHint"), changed.get("Active")
        if locked is not None:
            (self._listener.locked if locked.value is True else self._listener.unlocked)(session_id)
        if active is not None:
            (self._listener.switched_to if active.value is True else self._listener.switched_away)(session_id)

    def _lock_wanted(self, values: list[Any]) -> None:
        session_id = session_of(values[0])
        if session_id is not None and not self._stopped:
            self._listener.lock_wanted(session_id)

    def _take_inhibitor(self) -> OwnedFd | None:
        inhibitor, self._inhibitor = self._inhibitor, None
        return inhibitor

    @staticmethod
    def _let_sleep(inhibitor: OwnedFd | None) -> None:
        if inhibitor is not None:
            inhibitor.close()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def session_of(path: str) -> str | None:
    """logind's name of a session from its object's path (sd_bus_path_encode(3)), None for another path."""
    if not path.startswith(SESSIONS):
        return None
    with contextlib.suppress(UnicodeError):
        octets = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), path.removeprefix(SESSIONS)).encode("latin-1")
        return octets.decode() or None
    return None
