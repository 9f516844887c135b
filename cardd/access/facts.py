"""What the bus and the kernel say of a connection, gathered once for its life. Nothing here is the caller's own word.

The boundary is the uid. What tells programs of one user apart (user unit, Flatpak, Snap, executable) is policy: another
program of that user can take such a name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cardd.access.caller import Caller
from cardd.access.cgroups import Placement, parse_placement
from cardd.access.logins import Logins, LoginSession
from cardd.access.process import PROC, Process, ProcessGone, ProcessUnknown

_SHARED_UNITS: Final = ("user@", "session-", "init.scope")
"""Units that hold programs of every kind: being in one together says nothing."""


class CallerUnknown(Exception):
    """It cannot be said who calls; the text says why. Such a caller is refused."""


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """Who is at the other end of a connection.

    Args:
        caller: what the bus says.
        start_time: of its process, in clock ticks after boot: with the pid it names one process for ever.
        placement: unit, Flatpak, Snap, container, by its control group.
        namespaced: whether it lives in a process namespace of its own (a container or a sandbox).
        session_id: login session, its own or the user's display session; None where there is none.
        executable: path of its program by the helper; None where that is not known.
        session_is_own: whether the process is in that session itself.
    """

    caller: Caller
    start_time: int
    placement: Placement = field(default_factory=Placement)
    namespaced: bool = False
    session_id: str | None = None
    executable: str | None = None
    session_is_own: bool = False

    @property
    def application(self) -> str:
        """The most telling name of the program, to be shown with `display.clean`; "" where there is none."""
        placement = self.placement
        return (
            placement.flatpak
            or placement.snap
            or self.executable
            or placement.user_unit
            or (placement.unit if placement.session is None else None)
            or ""
        )

    def session(self, logins: Logins) -> LoginSession | None:
        """Its login session as it is now: active a moment ago says nothing."""
        found = logins.session(self.session_id) if self.session_id is not None else None
        return found if found is not None and found.uid == self.caller.uid else None


class Executables(Protocol):
    """What reads the path of other users' programs (the helper)."""

    async def executable(self, pid: int, start_time: int) -> str | None:
        """The path, None where it cannot be known."""


Credentials = Callable[[str], Awaitable[Caller | None]]
"""Asks the bus who a connection is, at this moment; None when it has left."""


async def gather(
    caller: Caller,
    credentials: Credentials,
    logins: Logins,
    *,
    executables: Executables | None = None,
    proc: Path = PROC,
) -> CallerFacts:
    """Gather the facts of a connection.

    The process is held by a descriptor first; only then is the bus asked again. A connection that is still there, with
    the same credentials, while the held process lives under the uid that the bus knows: the pid had not passed on.

    Args:
        caller: what the bus said when the first call came.
        credentials: asks the bus again.
        logins: login sessions.
        executables: the helper, where rules need it.
        proc: where procfs is mounted.

    Raises:
        CallerUnknown: it left, or its pid is another's now, or the kernel does not tell.
    """
    if not caller.pid:
        raise CallerUnknown("the bus does not say which process calls")
    try:
        with Process(caller.pid, proc) as process:
            facts = await _gather(caller, process, credentials, logins, executables)
            process.require_alive()
    except ProcessGone as error:
        raise CallerUnknown("the calling process has ended, or its connection passed to another") from error
    except ProcessUnknown as error:
        raise CallerUnknown(str(error)) from error
    return facts


async def _gather(
    caller: Caller, process: Process, credentials: Credentials, logins: Logins, executables: Executables | None
) -> CallerFacts:
    start_time = process.stat().start_time
    again = await credentials(caller.name)
    if again is None:
        raise CallerUnknown("the calling connection has left the bus")
    if (again.uid, again.pid) != (caller.uid, caller.pid):
        raise CallerUnknown("the bus tells another user or process than before")
    status = process.status()
    if caller.uid not in status.uids:
        raise CallerUnknown("the process of that number runs under another user than the connection")
    placement = parse_placement(process.cgroup())
    session_id, session_is_own = _session_of(caller.uid, placement, logins)
    executable = None
    if executables is not None:
        executable = await executables.executable(process.pid, start_time)
    if process.stat().start_time != start_time:
        raise CallerUnknown("the number of the calling process passed to another")
    return CallerFacts(
        caller, start_time, placement, status.namespace_depth > 0, session_id, executable, session_is_own
    )


def _session_of(uid: int, placement: Placement, logins: Logins) -> tuple[str | None, bool]:
    """Its own session, else, in the user's own slice, the user's display session: as polkit does it.

    Programs under a user's service manager are in no session; what su(1) or sudo(8) starts stays in the slice of the
    user who logged in, and has no session of its own; system services have none, whatever their user.
    """
    if placement.session is not None:
        session = logins.session(placement.session)
        if session is not None and session.uid == uid:
            return session.id, True
        return None, False
    return (logins.display_session(uid) if placement.owner_uid == uid else None), False


def same_application(one: CallerFacts, other: CallerFacts) -> bool:
    """Whether two connections are one application's, as far as can be seen; two of one uid may be it unseen.

    Programs of one terminal tab (vte-spawn-….scope) count as one.
    """
    if one.caller.name == other.caller.name:
        return True
    if (one.caller.pid, one.start_time) == (other.caller.pid, other.start_time):
        return True
    if one.caller.uid != other.caller.uid:
        return False
    here, there = one.placement, other.placement
    if here.flatpak or there.flatpak:
        return here.flatpak == there.flatpak
    if here.snap or there.snap:
        return _snap_name(here.snap) == _snap_name(there.snap)
    if here.user_unit or there.user_unit:
        return here.user_unit == there.user_unit and not _is_shared(here.user_unit)
    return here.unit is not None and here.unit == there.unit and not _is_shared(here.unit)


def _snap_name(snap: str | None) -> str | None:
    return None if snap is None else snap.partition(".")[0]


def _is_shared(unit: str | None) -> bool:
    return unit is not None and unit.startswith(_SHARED_UNITS)
